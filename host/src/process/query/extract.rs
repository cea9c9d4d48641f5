//! Runs a program over records and makes columns of what it says.
//!
//! Refuses to tell a record's content: messages name keys that stand in the program, never values.

use std::sync::Arc;

use jaq_core::{Ctx, Vars};

use super::super::columns::{Filling, QUERY};
use super::super::partition::FAILED;
use super::super::step::{Fault, index};
use super::meter::{self, Stopped};
use super::plain::Plain;
use super::program::{self, Compiled, Kind, Prepared, QueryError, Table};
use super::value::{Map, Value};
use crate::record::{Column, Records};

/// Most bytes of a value: an object's whole key has no more.
pub(super) const VALUE_BYTES: usize = 1024;

/// A program and the keys that are wanted of it.
#[derive(Clone)]
pub(in super::super) struct Query {
    compiled: Arc<Compiled>,
    /// The same program, where it only looks at members.
    plain: Option<Plain>,
    keys: Vec<String>,
}

impl std::fmt::Debug for Query {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Query").field("keys", &self.keys).finish_non_exhaustive()
    }
}

impl Query {
    /// Compiles a program. Of what it says these keys are kept, or, when none are given, those that it names itself.
    ///
    /// # Errors
    /// It does not compile.
    pub(in super::super) fn new(query: &str, keys: Option<Vec<String>>) -> Result<Self, QueryError> {
        let Prepared { compiled, plain, named } = program::prepare(query)?;
        Ok(Self { compiled: Arc::new(compiled), plain, keys: keys.unwrap_or(named) })
    }

    /// The same, but that every record is given to the interpreter.
    #[cfg(test)]
    pub(super) fn interpreted(query: &str, keys: Option<Vec<String>>) -> Result<Self, QueryError> {
        Ok(Self { plain: None, ..Self::new(query, keys)? })
    }

    /// A column for each key, and the records of which the program says nothing that can be used. Blocks for as long as
    /// the program's limits allow.
    pub(in super::super) fn apply(&self, records: &Records) -> (Vec<Column>, Vec<(u32, Fault)>) {
        if records.is_empty() {
            return (Vec::new(), Vec::new());
        }
        if self.plain.as_ref().is_some_and(|plain| records.iter().all(|record| plain.takes(record))) {
            return self.run(records);
        }
        // The interpreter recurses.
        let done = std::thread::scope(|scope| {
            let thread = std::thread::Builder::new().name("jq".to_owned()).stack_size(meter::THREAD_STACK_BYTES);
            let started = thread.spawn_scoped(scope, || self.run(records)).map_err(|error| error.to_string())?;
            started.join().map_err(|_| "its thread ended early".to_owned())
        });
        done.unwrap_or_else(|error| {
            let fault =
                Fault { is_repeatable: false, ..Fault::failed(FAILED, format!("the query could not be run: {error}")) };
            (Vec::new(), (0..records.len()).map(|at| (index(at), fault.clone())).collect())
        })
    }

    fn run(&self, records: &Records) -> (Vec<Column>, Vec<(u32, Fault)>) {
        let mut columns: Vec<Filling> = self.keys.iter().map(|key| Filling::new(format!("{QUERY}{key}"))).collect();
        let mut faults = Vec::new();
        for (at, record) in records.iter().enumerate() {
            let set = match &self.plain {
                Some(plain) if plain.takes(record) => self.look(plain, record, at, &mut columns),
                _ => self.interpret(record, at, &mut columns),
            };
            if let Err(problem) = set {
                faults.push((index(at), Fault::failed(FAILED, problem.message)));
            }
        }
        (columns.into_iter().map(|column| column.finish(records.len())).collect(), faults)
    }

    /// Sets what the program says of record `at`, if it says it of all keys.
    fn interpret(&self, record: &[u8], at: usize, columns: &mut [Filling]) -> Result<(), Problem> {
        let values = meter::run(|| self.values(record)).unwrap_or_else(|stopped| Err(stopped.into()))?;
        let set = columns.iter_mut().zip(&values).filter_map(|(column, value)| Some((column, value.as_ref()?)));
        set.for_each(|(column, value)| column.set(at, value));
        Ok(())
    }

    /// The same, by looking at members.
    fn look(&self, plain: &Plain, record: &[u8], at: usize, columns: &mut [Filling]) -> Result<(), Problem> {
        let found = plain.say(record)?;
        let of = |key: &String| plain.place(key).map(|place| found[place].text(key)).transpose();
        // A record that fails has no key at all.
        for key in &self.keys {
            of(key)?;
        }
        for (column, key) in columns.iter_mut().zip(&self.keys) {
            if let Some(value) = of(key)? {
                column.set(at, &value);
            }
        }
        Ok(())
    }

    /// What the program says of a record, for each key that is wanted; none where it says nothing.
    fn values(&self, record: &[u8]) -> Result<Vec<Option<String>>, Problem> {
        // The reader's own words may quote the record.
        let input: Value =
            serde_json::from_slice(record).map_err(|_| Problem::new("the record is not one JSON document"))?;
        meter::begin(record.len());
        let context = Ctx::<Kind>::new(Table(&self.compiled.lut), Vars::new([]));
        let mut outputs = self.compiled.id.run((context, input));
        let output = match outputs.next() {
            None => return Err(Problem::new("the query says nothing of the record")),
            Some(Err(_)) => return Err(Problem::new("the query fails on the record")),
            Some(Ok(output)) => output,
        };
        if outputs.next().is_some() {
            return Err(Problem::new("the query says more than one thing of the record"));
        }
        let Value::Object(members) = &output else {
            return Err(Problem::new("the query does not say an object of the record"));
        };
        self.keys.iter().map(|key| value(&members.map, key)).collect()
    }
}

fn value(members: &Map, key: &str) -> Result<Option<String>, Problem> {
    let Some(value) = members.get(key) else { return Ok(None) };
    let text = match value {
        Value::Text(text) if text.len() <= VALUE_BYTES => text.to_string(),
        Value::Bool(_) | Value::Int(_) => value.to_json(),
        Value::Float(float) if !float.is_nan() => value.to_json(),
        Value::Text(_) => return Err(Problem::too_long(key)),
        Value::Null | Value::Float(_) => return Err(Problem::null(key)),
        Value::Array(_) | Value::Object(_) => return Err(Problem::nested(key)),
    };
    Ok(Some(text))
}

/// Why a record has no keys.
pub(super) struct Problem {
    message: String,
}

impl Problem {
    pub(super) fn new(message: &str) -> Self {
        Self { message: message.to_owned() }
    }

    pub(super) fn too_long(key: &str) -> Self {
        Self::of(key, "it has more than 1024 bytes")
    }

    pub(super) fn null(key: &str) -> Self {
        Self::of(key, "it is null")
    }

    pub(super) fn nested(key: &str) -> Self {
        Self::of(key, "it is neither text nor number nor boolean")
    }

    pub(super) fn of(key: &str, problem: &str) -> Self {
        Self { message: format!("partition key {key}: {problem}") }
    }
}

impl From<Stopped> for Problem {
    fn from(stopped: Stopped) -> Self {
        match stopped {
            Stopped::At(limit) => Self::new(&format!("the query {}", limit.as_str())),
            Stopped::Panicked => Self::new("the query cannot be run on the record"),
        }
    }
}
