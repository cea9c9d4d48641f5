//! What the interpreter does to values: making them, looking inside, changing in place.
//!
//! Refuses to make anything large without counting it: every result goes through [`super::value`].

use std::rc::Rc;

use jaq_core::box_iter::{BoxIter, box_once};
use jaq_core::path::Opt;
use jaq_core::val::Range;
use jaq_core::{Exn, ValR, ValX};

use super::meter;
use super::value::{Items, Map, SLOT, Value};

pub(super) type Error = jaq_core::Error<Value>;

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<isize> for Value {
    fn from(value: isize) -> Self {
        Self::Int(value as i64)
    }
}

impl From<usize> for Value {
    fn from(value: usize) -> Self {
        Self::Int(i64::try_from(value).unwrap_or(i64::MAX))
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Self::Float(value)
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::text(&value)
    }
}

impl From<Range<Self>> for Value {
    fn from(range: Range<Self>) -> Self {
        let bounds = [("start", range.start), ("end", range.end)];
        Self::object(bounds.into_iter().filter_map(|(name, bound)| Some((name.into(), bound?))).collect())
    }
}

impl FromIterator<Self> for Value {
    fn from_iter<I: IntoIterator<Item = Self>>(values: I) -> Self {
        let mut all = Vec::new();
        for value in values {
            // There may be no end of them.
            meter::allocate(SLOT);
            all.push(value);
        }
        Self::counted(all)
    }
}

/// Place `at` counted from the start, or from the end when it is negative; none before the start.
fn place(at: &Value, count: usize) -> Option<usize> {
    let at = at.number()?.floor();
    #[expect(clippy::cast_precision_loss, reason = "no array has 2^53 elements")]
    let at = if at < 0.0 { at + count as f64 } else { at };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked, and saturating")]
    (at >= 0.0).then_some(at as usize)
}

/// The bounds of a slice of `count`.
fn bounds(range: &Range<&Value>, count: usize) -> Result<std::ops::Range<usize>, Error> {
    let bound = |bound: Option<&Value>, otherwise: usize, up: bool| match bound {
        None | Some(Value::Null) => Ok(otherwise),
        Some(value) => {
            let number = value.number().ok_or_else(|| Error::typ(value.clone(), "number"))?;
            let number = if up { number.ceil() } else { number.floor() };
            Ok(place(&Value::Float(number), count).unwrap_or(0).min(count))
        }
    };
    let start = bound(range.start, 0, false)?;
    Ok(start..bound(range.end, count, true)?.max(start))
}

/// A slice of a text, in characters.
fn slice_text(text: &str, range: &Range<&Value>) -> ValR<Value> {
    meter::spend(text.len() / 16);
    let range = bounds(range, text.chars().count())?;
    let byte = |at: usize| text.char_indices().nth(at).map_or(text.len(), |(byte, _)| byte);
    Ok(Value::text(&text[byte(range.start)..byte(range.end)]))
}

fn slice_items(items: &Items, range: &Range<&Value>) -> ValR<Value> {
    Ok(items.values[bounds(range, items.values.len())?].iter().cloned().collect())
}

/// Places where `needle` begins in `items`.
pub(super) fn indices(items: &[Value], needle: &[Value]) -> Value {
    if needle.is_empty() {
        return Value::Null;
    }
    let places = items.windows(needle.len()).enumerate().filter(|(_, window)| *window == needle);
    places.map(|(at, _)| Value::from(at)).collect()
}

fn range_of(object: &Map) -> Range<&Value> {
    object.get("start")..object.get("end")
}

impl jaq_core::ValT for Value {
    fn from_num(number: &str) -> ValR<Self> {
        match (number.parse(), number.parse()) {
            (Ok(int), _) => Ok(Self::Int(int)),
            (_, Ok(float)) => Ok(Self::Float(float)),
            _ => Err(Error::str("a number is expected")),
        }
    }

    fn from_map<I: IntoIterator<Item = (Self, Self)>>(members: I) -> ValR<Self> {
        let mut map = Map::new();
        for (name, value) in members {
            meter::spend(1);
            let Self::Text(name) = name else { return Err(Error::typ(name, "name of a member")) };
            map.insert(name, value);
        }
        Ok(Self::object(map))
    }

    fn key_values(self) -> BoxIter<'static, ValR<(Self, Self), Self>> {
        match self {
            Self::Array(items) => Box::new((0..items.values.len()).map(move |at| {
                meter::spend(1);
                Ok((Self::from(at), items.values[at].clone()))
            })),
            Self::Object(members) => Box::new((0..members.map.len()).filter_map(move |at| {
                meter::spend(1);
                members.map.get_index(at).map(|(name, value)| Ok((Self::Text(Rc::clone(name)), value.clone())))
            })),
            other => box_once(Err(Error::typ(other, "array or object"))),
        }
    }

    fn values(self) -> Box<dyn Iterator<Item = ValR<Self>>> {
        Box::new(self.key_values().map(|member| member.map(|(_, value)| value)))
    }

    fn index(self, index: &Self) -> ValR<Self> {
        match (&self, index) {
            (Self::Null, Self::Text(_) | Self::Int(_) | Self::Float(_) | Self::Object(_) | Self::Null) => {
                Ok(Self::Null)
            }
            (Self::Object(members), Self::Text(name)) => Ok(members.map.get(&**name).cloned().unwrap_or(Self::Null)),
            (Self::Array(items), Self::Int(_) | Self::Float(_)) => {
                let found = place(index, items.values.len()).and_then(|at| items.values.get(at));
                Ok(found.cloned().unwrap_or(Self::Null))
            }
            (Self::Array(items), Self::Array(needle)) => Ok(indices(&items.values, &needle.values)),
            (Self::Array(_) | Self::Text(_), Self::Object(range)) => self.clone().range(range_of(&range.map)),
            _ => Err(Error::index(self, index.clone())),
        }
    }

    fn range(self, range: Range<&Self>) -> ValR<Self> {
        match &self {
            Self::Null => Ok(Self::Null),
            Self::Array(items) => slice_items(items, &range),
            Self::Text(text) => slice_text(text, &range),
            _ => Err(Error::typ(self, "array or string")),
        }
    }

    fn map_values<'a, I: Iterator<Item = ValX<'a, Self>>>(self, opt: Opt, f: impl Fn(Self) -> I) -> ValX<'a, Self> {
        match self {
            Self::Array(items) => items.values.iter().flat_map(|value| f(value.clone())).collect(),
            Self::Object(members) => {
                let mut map = Map::new();
                for (name, value) in &members.map {
                    if let Some(value) = f(value.clone()).next() {
                        map.insert(Rc::clone(name), value?);
                    }
                }
                Ok(Self::object(map))
            }
            other => opt.fail(other, |other| Exn::from(Error::typ(other, "array or object"))),
        }
    }

    fn map_index<'a, I: Iterator<Item = ValX<'a, Self>>>(
        self,
        index: &Self,
        opt: Opt,
        f: impl Fn(Self) -> I,
    ) -> ValX<'a, Self> {
        match (&self, index) {
            (Self::Array(_), Self::Object(range)) => self.map_range(range_of(&range.map), opt, f),
            (Self::Object(_) | Self::Null, Self::Text(name)) => {
                let mut map = if let Self::Object(members) = &self { members.map.clone() } else { Map::new() };
                match f(map.get(&**name).cloned().unwrap_or(Self::Null)).next() {
                    Some(value) => _ = map.insert(Rc::clone(name), value?),
                    None => _ = map.shift_remove(&**name),
                }
                Ok(Self::object(map))
            }
            (Self::Array(_) | Self::Null, Self::Int(_) | Self::Float(_)) => {
                let mut values = if let Self::Array(items) = &self { items.values.clone() } else { Vec::new() };
                let Some(at) = place(index, values.len()) else {
                    return opt.fail(self, |_| Exn::from(Error::str("out of bounds negative array index")));
                };
                match f(values.get(at).cloned().unwrap_or(Self::Null)).next() {
                    Some(value) => {
                        let value = value?;
                        meter::allocate(SLOT.saturating_mul((at + 1).saturating_sub(values.len())));
                        values.resize(values.len().max(at + 1), Self::Null);
                        values[at] = value;
                    }
                    None if at < values.len() => _ = values.remove(at),
                    None => {}
                }
                Ok(Self::array(values))
            }
            _ => opt.fail(self, |other| Exn::from(Error::index(other, index.clone()))),
        }
    }

    fn map_range<'a, I: Iterator<Item = ValX<'a, Self>>>(
        self,
        range: Range<&Self>,
        opt: Opt,
        f: impl Fn(Self) -> I,
    ) -> ValX<'a, Self> {
        let Self::Array(items) = &self else {
            return opt.fail(self, |other| Exn::from(Error::typ(other, "array")));
        };
        let bounds = bounds(&range, items.values.len()).map_err(Exn::from)?;
        let part = items.values[bounds.clone()].iter().cloned().collect();
        let part = match f(part).next() {
            Some(part) => part?.into_values().map_err(|other| Exn::from(Error::typ(other, "array")))?,
            None => Vec::new(),
        };
        let mut values = items.values.clone();
        values.splice(bounds, part);
        Ok(Self::array(values))
    }

    fn as_bool(&self) -> bool {
        !matches!(self, Self::Null | Self::Bool(false))
    }

    fn into_string(self) -> Self {
        match self {
            Self::Text(_) => self,
            other => Self::text(&other.to_json()),
        }
    }
}

impl jaq_std::ValT for Value {
    fn into_seq<S: FromIterator<Self>>(self) -> Result<S, Self> {
        self.into_values().map(|values| values.into_iter().collect())
    }

    fn is_int(&self) -> bool {
        self.as_isize().is_some()
    }

    fn as_isize(&self) -> Option<isize> {
        match self {
            Self::Int(int) => isize::try_from(*int).ok(),
            #[expect(clippy::cast_possible_truncation, reason = "checked: it is whole and far from the ends")]
            Self::Float(float) if float.fract() == 0.0 && float.abs() < 9e15 => Some(*float as isize),
            _ => None,
        }
    }

    fn as_f64(&self) -> Option<f64> {
        self.number()
    }

    fn is_utf8_str(&self) -> bool {
        matches!(self, Self::Text(_))
    }

    fn as_bytes(&self) -> Option<&[u8]> {
        self.as_text().map(|text| text.as_bytes())
    }

    fn as_sub_str(&self, sub: &[u8]) -> Self {
        Self::text(&String::from_utf8_lossy(sub))
    }

    fn from_utf8_bytes(bytes: impl AsRef<[u8]> + Send + 'static) -> Self {
        Self::text(&String::from_utf8_lossy(bytes.as_ref()))
    }
}
