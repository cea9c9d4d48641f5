//! Compiles a jq program, within bounds, and says what is wrong with it and which keys it names.
//!
//! Refuses to run it.

use std::fmt::Write;

use jaq_core::load::lex::StrPart;
use jaq_core::load::parse::{BinaryOp, Def, Pattern, Term};
use jaq_core::load::{self, Arena, File, Loader};
use jaq_core::path::Part;
use jaq_core::{Compiler, DataT, compile, data};

use super::plain::Plain;
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
    /// A definition that is given filters calls itself. Each call would keep those before it alive, and nothing bounds how
    /// deep they are thrown away.
    #[error(
        "the query's definition of {0} calls itself and takes filters: let an inner definition without any call itself"
    )]
    Recursion(String),
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

/// A program ready to run.
pub(super) struct Prepared {
    pub(super) compiled: Compiled,
    /// The same, where it only looks at members.
    pub(super) plain: Option<Plain>,
    /// Keys that it names itself.
    pub(super) named: Vec<String>,
}

/// The same, compiled.
pub(super) fn prepare(query: &str) -> Result<Prepared, QueryError> {
    with_stack(|| Ok(Prepared { compiled: compile(query)?, plain: Plain::of(query), named: keys(query) }))?
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
    if let Some(name) = load::parse(query, |parser| parser.term()).and_then(|term| recursion(&term, &mut Vec::new())) {
        return Err(QueryError::Recursion(name));
    }
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

/// The first definition that takes filters and calls itself, inside of `open` definitions.
fn recursion<'t>(term: &'t Term<&'t str>, open: &mut Vec<&'t Def<&'t str>>) -> Option<String> {
    if let Term::Call(name, arguments) = term {
        let called = open.iter().rev().find(|def| def.name == *name && def.args.len() == arguments.len());
        if called.is_some_and(|def| def.args.iter().any(|argument| !argument.starts_with('$'))) {
            return Some((*name).to_owned());
        }
    }
    if let Term::Def(defs, rest) = term {
        for def in defs {
            open.push(def);
            let found = recursion(&def.body, open);
            open.pop();
            if found.is_some() {
                return found;
            }
        }
        return recursion(rest, open);
    }
    parts(term).into_iter().find_map(|part| recursion(part, open))
}

/// What a term is made of, definitions apart.
fn parts<'t>(term: &'t Term<&'t str>) -> Vec<&'t Term<&'t str>> {
    match term {
        Term::Id | Term::Recurse | Term::Num(_) | Term::Break(_) | Term::Var(_) | Term::Arr(None) | Term::Def(..) => {
            Vec::new()
        }
        Term::Str(_, parts) => {
            parts.iter().filter_map(|part| if let StrPart::Term(term) = part { Some(term) } else { None }).collect()
        }
        Term::Arr(Some(term)) | Term::Neg(term) | Term::Label(_, term) => vec![&**term],
        Term::Obj(members) => members.iter().flat_map(|(name, value)| std::iter::once(name).chain(value)).collect(),
        Term::BinOp(left, operator, right) => {
            let pattern = if let BinaryOp::Pipe(Some(pattern)) = operator { of_pattern(pattern) } else { Vec::new() };
            [vec![&**left], pattern, vec![&**right]].concat()
        }
        Term::Fold(_, source, pattern, steps) => {
            [vec![&**source], of_pattern(pattern), steps.iter().collect()].concat()
        }
        Term::TryCatch(tried, caught) => std::iter::once(&**tried).chain(caught.as_deref()).collect(),
        Term::IfThenElse(cases, otherwise) => {
            cases.iter().flat_map(|(condition, then)| [condition, then]).chain(otherwise.as_deref()).collect()
        }
        Term::Call(_, arguments) => arguments.iter().collect(),
        Term::Path(start, path) => {
            let of_part = |part: &'t Part<Term<&'t str>>| match part {
                Part::Index(index) => vec![index],
                Part::Range(from, to) => from.iter().chain(to).collect(),
            };
            std::iter::once(&**start).chain(path.0.iter().flat_map(|(part, _)| of_part(part))).collect()
        }
    }
}

fn of_pattern<'t>(pattern: &'t Pattern<&'t str>) -> Vec<&'t Term<&'t str>> {
    match pattern {
        Pattern::Var(_) => Vec::new(),
        Pattern::Arr(patterns) => patterns.iter().flat_map(of_pattern).collect(),
        Pattern::Obj(members) => {
            members.iter().flat_map(|(name, pattern)| std::iter::once(name).chain(of_pattern(pattern))).collect()
        }
    }
}
