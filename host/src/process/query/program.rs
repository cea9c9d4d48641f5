//! Compiles a jq program, within bounds, and says what is wrong with it and which keys it names.
//!
//! Refuses to run it.

use std::fmt::Write;

use jaq_core::load::lex::StrPart;
use jaq_core::load::parse::{BinaryOp, Term};
use jaq_core::load::{self, Arena, File, Loader};
use jaq_core::{Compiler, DataT, compile, data};

use super::value::Value;
use super::{funs, meter};

/// Most bytes of a program: Firehose's bound of a parameter.
const PROGRAM_BYTES: usize = 5120;
/// How deep brackets nest: parsing goes down with them.
const NEST: usize = 64;

/// A program that was compiled.
pub(super) type Compiled = jaq_core::Filter<Kind>;

/// What the interpreter is asked to work on.
pub(super) enum Kind {}

impl DataT for Kind {
    type V<'a> = Value;
    type Data<'a> = Table<'a>;
}

/// The interpreter's table of terms, which it asks for at each term that it runs.
#[derive(Clone, Copy)]
pub(super) struct Table<'a>(pub(super) &'a jaq_core::Lut<Kind>);

impl<'a> data::HasLut<'a, Kind> for Table<'a> {
    fn lut(&self) -> &'a jaq_core::Lut<Kind> {
        meter::term();
        self.0
    }
}

/// Why a program cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// It is empty.
    #[error("the query is empty")]
    Empty,
    /// It is longer than a parameter may be.
    #[error("the query has {0} bytes, more than {PROGRAM_BYTES}")]
    TooLong(usize),
    /// Its brackets nest too deep.
    #[error("the query nests more than {NEST} brackets")]
    TooDeep,
    /// It is not jq.
    #[error("the query is not jq near `{0}`: {1} expected")]
    Syntax(String, String),
    /// It uses what is not there.
    #[error("the query uses what does not exist: {0}")]
    Undefined(String),
    /// It cannot be compiled for another reason, which is the host's.
    #[error("the query could not be compiled: {0}")]
    Host(String),
}

/// Checks a program of `MetadataExtractionQuery`, and gives the names of the keys that it says a value of, where they
/// stand in the program as an object's names; none where they cannot be known.
///
/// # Errors
/// What is wrong with it, for its author.
pub fn check_query(query: &str) -> Result<Vec<String>, String> {
    with_stack(|| compile(query)).and_then(|compiled| compiled).map_err(|error| error.to_string())?;
    with_stack(|| keys(query)).map_err(|error| error.to_string())
}

/// The same, compiled.
pub(super) fn prepare(query: &str) -> Result<(Compiled, Vec<String>), QueryError> {
    with_stack(|| Ok((compile(query)?, keys(query))))?
}

/// Parsing and compiling go down into a program by recursion: a few levels for each bracket, word or sign.
fn with_stack<T: Send>(work: impl FnOnce() -> T + Send) -> Result<T, QueryError> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("jq".to_owned()).stack_size(meter::THREAD_STACK_BYTES);
        let started = thread.spawn_scoped(scope, work).map_err(|error| QueryError::Host(error.to_string()))?;
        started.join().map_err(|_| QueryError::Host("the compiler failed".to_owned()))
    })
}

fn compile(query: &str) -> Result<Compiled, QueryError> {
    check_size(query)?;
    let arena = Arena::default();
    let loader = Loader::new(funs::defs());
    let modules = loader.load(&arena, File { code: query, path: () }).map_err(|errors| syntax(&errors))?;
    Compiler::default().with_funs(funs::funs()).compile(modules).map_err(|errors| undefined(&errors))
}

fn check_size(query: &str) -> Result<(), QueryError> {
    if query.trim().is_empty() {
        return Err(QueryError::Empty);
    }
    if query.len() > PROGRAM_BYTES {
        return Err(QueryError::TooLong(query.len()));
    }
    let mut nest = 0_usize;
    for byte in query.bytes() {
        match byte {
            b'(' | b'[' | b'{' => nest += 1,
            b')' | b']' | b'}' => nest = nest.saturating_sub(1),
            _ => {}
        }
        if nest > NEST {
            return Err(QueryError::TooDeep);
        }
    }
    Ok(())
}

fn syntax(errors: &load::Errors<&str, ()>) -> QueryError {
    let near = |text: &str| text.chars().take(20).collect::<String>();
    let found = errors.iter().find_map(|(_, error)| match error {
        load::Error::Io(_) => Some(("import".to_owned(), "no module".to_owned())),
        load::Error::Lex(errors) => errors.first().map(|(expected, found)| (near(found), expected.as_str().to_owned())),
        load::Error::Parse(errors) => {
            errors.first().map(|(expected, found)| (near(found), expected.as_str().to_owned()))
        }
    });
    let (near, expected) = found.unwrap_or_default();
    QueryError::Syntax(near, expected)
}

fn undefined(errors: &compile::Errors<&str, ()>) -> QueryError {
    let mut message = String::new();
    for (name, kind) in errors.iter().flat_map(|(_, errors)| errors).take(5) {
        let separator = if message.is_empty() { "" } else { ", " };
        // Writing to a text does not fail.
        write!(message, "{separator}{} {name}", kind.as_str()).ok();
        if let compile::Undefined::Filter(arity) = kind {
            write!(message, "/{arity}").ok();
        }
    }
    QueryError::Undefined(message)
}

fn keys(query: &str) -> Vec<String> {
    load::parse(query, |parser| parser.term()).and_then(|term| names(&term)).unwrap_or_default()
}

/// Names of the object that is the program's last word.
fn names(term: &Term<&str>) -> Option<Vec<String>> {
    match term {
        Term::Obj(members) => members.iter().map(|(name, _)| literal(name)).collect(),
        Term::BinOp(_, BinaryOp::Pipe(_), last) | Term::Def(_, last) => names(last),
        _ => None,
    }
}

fn literal(term: &Term<&str>) -> Option<String> {
    match term {
        Term::Var(name) => name.strip_prefix('$').map(str::to_owned),
        Term::Str(None, parts) => {
            let part = |part: &StrPart<&str, _>| match part {
                StrPart::Str(text) => Some((*text).to_owned()),
                StrPart::Char(one) => Some(one.to_string()),
                StrPart::Term(_) => None,
            };
            parts.iter().map(part).collect()
        }
        _ => None,
    }
}
