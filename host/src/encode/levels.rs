//! Definition and repetition levels: how Parquet says where nested and missing values stand.
//!
//! A definition level counts how much of the path to a leaf is there; a repetition level says at which list a new item
//! begins. Refuses to look at values.

use super::parquet::Step;
use crate::convert::{Column, Values};

/// Levels of one leaf.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Levels {
    definition: Vec<i16>,
    /// Empty for a leaf that no list is around.
    repetition: Vec<i16>,
    /// Definition level of a value that is there.
    most: i16,
}

/// Levels of a part of a leaf, which begins with a row.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part<'a> {
    definition: &'a [i16],
    repetition: &'a [i16],
    most: i16,
}

impl Levels {
    pub(super) fn definition(&self) -> Option<&[i16]> {
        Some(&self.definition)
    }

    pub(super) fn repetition(&self) -> Option<&[i16]> {
        if self.repetition.is_empty() { None } else { Some(&self.repetition) }
    }

    /// Parts of about `length` levels each, cut where rows begin.
    pub(super) fn chunks(&self, length: usize) -> impl Iterator<Item = Part<'_>> {
        let mut start = 0;
        std::iter::from_fn(move || {
            if start >= self.definition.len() {
                return None;
            }
            let mut end = (start + length).min(self.definition.len());
            while self.repetition.get(end).is_some_and(|&level| level > 0) {
                end += 1;
            }
            let part = Part {
                definition: &self.definition[start..end],
                repetition: self.repetition.get(start..end).unwrap_or_default(),
                most: self.most,
            };
            start = end;
            Some(part)
        })
    }
}

impl<'a> Part<'a> {
    pub(super) fn definition(&self) -> Option<&'a [i16]> {
        Some(self.definition)
    }

    pub(super) fn repetition(&self) -> Option<&'a [i16]> {
        if self.repetition.is_empty() { None } else { Some(self.repetition) }
    }

    /// Values that are there.
    pub(super) fn value_count(&self) -> usize {
        self.definition.iter().filter(|&&level| level == self.most).count()
    }
}

/// One column on the way to the leaf, and how far it has been read.
struct Place<'a> {
    valid: &'a [bool],
    inner: Inner<'a>,
    slot: usize,
    value: usize,
}

enum Inner<'a> {
    /// Is never null: the key of a map.
    Key,
    Leaf,
    Struct,
    List(&'a [u32]),
}

/// Levels of the leaf at the end of `path`, for `row_count` rows.
pub(super) fn levels(root: &Column, path: &[Step], row_count: usize) -> Levels {
    let mut places = Vec::with_capacity(path.len() + 1);
    let mut column = root;
    let mut is_key = false;
    for step in path {
        let (inner, next) = match (step, &column.values) {
            (Step::Item, Values::List { lengths, items }) => (Inner::List(lengths), &**items),
            (Step::Key, Values::Map { lengths, keys, .. }) => (Inner::List(lengths), &**keys),
            (Step::Value, Values::Map { lengths, values, .. }) => (Inner::List(lengths), &**values),
            (Step::Field(at), Values::Struct(columns)) if *at < columns.len() => (Inner::Struct, &columns[*at]),
            // A path is made of the type that the column was made of.
            _ => unreachable!("a path of another type"),
        };
        places.push(Place { valid: &column.valid, inner, slot: 0, value: 0 });
        is_key = matches!(step, Step::Key);
        column = next;
    }
    if places.is_empty() {
        return Levels {
            definition: column.valid.iter().map(|&is_there| i16::from(is_there)).collect(),
            repetition: Vec::new(),
            most: 1,
        };
    }
    places.push(Place {
        valid: &column.valid,
        inner: if is_key { Inner::Key } else { Inner::Leaf },
        slot: 0,
        value: 0,
    });
    let most = places.iter().map(|place| match place.inner {
        Inner::Key => 0,
        Inner::Leaf | Inner::Struct => 1,
        Inner::List(_) => 2,
    });
    let has_list = places.iter().any(|place| matches!(place.inner, Inner::List(_)));
    let mut levels = Levels { definition: Vec::new(), repetition: Vec::new(), most: most.sum() };
    for _ in 0..row_count {
        walk(&mut places, Level::default(), &mut levels);
    }
    if !has_list {
        levels.repetition = Vec::new();
    }
    levels
}

#[derive(Clone, Copy, Default)]
struct Level {
    definition: i16,
    /// What the next leaf is written with.
    repetition: i16,
    /// Lists so far.
    lists: i16,
}

/// Goes through the next slot of the first place and what lies within it.
fn walk(places: &mut [Place<'_>], level: Level, out: &mut Levels) {
    let mut end = |definition: i16| {
        out.definition.push(definition);
        out.repetition.push(level.repetition);
    };
    let Some((place, rest)) = places.split_first_mut() else { return };
    let is_there = place.valid[place.slot];
    place.slot += 1;
    if let Inner::Key = place.inner {
        return end(level.definition);
    }
    if !is_there {
        return end(level.definition);
    }
    let definition = level.definition + 1;
    match place.inner {
        Inner::Key | Inner::Leaf => end(definition),
        Inner::Struct => walk(rest, Level { definition, ..level }, out),
        Inner::List(lengths) => {
            let length = lengths[place.value];
            place.value += 1;
            if length == 0 {
                return end(definition);
            }
            let lists = level.lists + 1;
            for item in 0..length {
                let repetition = if item == 0 { level.repetition } else { lists };
                walk(rest, Level { definition: definition + 1, repetition, lists }, out);
            }
        }
    }
}
