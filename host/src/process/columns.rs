//! Columns on their way through the steps: what one step said of a record holds for whatever later ones make of it.
//!
//! Refuses to judge names and values.

use std::borrow::Cow;
use std::collections::HashMap;

use super::step::index;
use crate::record::{Column, Origins, Records};

/// What the columns of queries begin with. Plugins neither see nor set them.
pub(super) const QUERY: &str = "$query:";

/// A column that is filled record by record.
#[derive(Debug)]
pub(super) struct Filling {
    column: Column,
    known: HashMap<String, u32>,
}

impl Filling {
    pub(super) fn new(name: String) -> Self {
        Self { column: Column { name, ..Column::default() }, known: HashMap::new() }
    }

    /// Sets the value of record `at`, which comes after those that were set before.
    pub(super) fn set(&mut self, at: usize, value: &str) {
        let code = match self.known.get(value) {
            Some(&code) => code,
            None => {
                self.column.dictionary.push(value.to_owned());
                let code = index(self.column.dictionary.len());
                self.known.insert(value.to_owned(), code);
                code
            }
        };
        self.column.codes.resize(at, 0);
        self.column.codes.push(code);
    }

    /// The column of `count` records.
    pub(super) fn finish(mut self, count: usize) -> Column {
        self.column.codes.resize(count, 0);
        self.column
    }
}

/// `records` with other columns.
pub(super) fn with(records: &Records, columns: Vec<Column>) -> Records {
    // The columns have a code for each record: they were made for them.
    let same = || records.clone();
    Records::new(records.payload().clone(), records.ends().to_vec(), columns).unwrap_or_else(|_| same())
}

/// What a plugin gets to see of `records`.
pub(super) fn for_plugin(records: &Records) -> Cow<'_, Records> {
    let is_hidden = |column: &Column| column.name.starts_with(QUERY);
    if !records.columns().iter().any(is_hidden) {
        return Cow::Borrowed(records);
    }
    Cow::Owned(with(records, records.columns().iter().filter(|column| !is_hidden(column)).cloned().collect()))
}

/// `made` with the columns of the records it was made `of`, where it has no value of its own.
pub(super) fn inherit(of: &Records, origins: &Origins, made: Records) -> Records {
    if of.columns().is_empty() {
        return made;
    }
    let origin = |at: usize| match origins {
        Origins::Identity => at,
        Origins::Inputs(inputs) => inputs[at] as usize,
    };
    let mut columns = made.columns().to_vec();
    for old in of.columns() {
        match columns.iter_mut().find(|column| column.name == old.name) {
            None => columns.push(Column {
                name: old.name.clone(),
                dictionary: old.dictionary.clone(),
                codes: (0..made.len()).map(|at| old.codes[origin(at)]).collect(),
            }),
            Some(column) if column.codes.contains(&0) => {
                let shift = index(column.dictionary.len());
                column.dictionary.extend_from_slice(&old.dictionary);
                let unset = column.codes.iter_mut().enumerate().filter(|(_, code)| **code == 0);
                unset.for_each(|(at, code)| {
                    *code = old.codes[origin(at)].checked_add(shift).filter(|&new| new > shift).unwrap_or(0)
                });
            }
            Some(_) => {}
        }
    }
    with(&made, columns)
}

#[cfg(test)]
mod tests {
    use super::super::step::tests::records;
    use super::*;

    fn column(name: &str, values: &[Option<&str>]) -> Column {
        let mut filling = Filling::new(name.to_owned());
        for (at, value) in values.iter().enumerate() {
            if let Some(value) = value {
                filling.set(at, value);
            }
        }
        filling.finish(values.len())
    }

    fn values(records: &Records, name: &str) -> Vec<Option<String>> {
        let column = records.columns().iter().find(|column| column.name == name).unwrap();
        let value = |code: &u32| code.checked_sub(1).map(|at| column.dictionary[at as usize].clone());
        column.codes.iter().map(value).collect()
    }

    #[test]
    fn values_are_kept_once() {
        let made = column("k", &[Some("a"), None, Some("b"), Some("a"), None]);
        assert_eq!((made.dictionary, made.codes), (vec!["a".to_owned(), "b".to_owned()], vec![1, 0, 2, 1, 0]));
    }

    #[test]
    fn what_was_said_holds_unless_something_else_is_said() {
        let of =
            with(&records(&["x", "y"]), vec![column("k", &[Some("1"), None]), column("old", &[Some("2"), Some("3")])]);
        let made = with(
            &records(&["a", "b", "c"]),
            vec![column("k", &[None, Some("9"), None]), column("new", &[Some("4"); 3])],
        );
        let made = inherit(&of, &Origins::Inputs(vec![0, 0, 1]), made);
        let text = |values: &[Option<&str>]| -> Vec<Option<String>> {
            values.iter().map(|one| one.map(str::to_owned)).collect()
        };
        assert_eq!(values(&made, "k"), text(&[Some("1"), Some("9"), None]));
        assert_eq!(values(&made, "old"), text(&[Some("2"), Some("2"), Some("3")]));
        assert_eq!(values(&made, "new"), text(&[Some("4"); 3]));
    }

    #[test]
    fn a_plugin_sees_nothing_of_queries() {
        let both = with(&records(&["x"]), vec![column("$query:k", &[Some("1")]), column("k", &[Some("2")])]);
        assert_eq!(for_plugin(&both).columns(), [column("k", &[Some("2")])]);
        assert!(matches!(for_plugin(&records(&["x"])), Cow::Borrowed(_)));
    }
}
