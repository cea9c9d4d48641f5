//! A TOML text as a flat list of values with line numbers, read key by key.
//!
//! Reading collects problems instead of stopping, and remembers what was asked for: what nobody asked for is an
//! unknown key. Refuses to know which keys exist.

use std::collections::{BTreeMap, BTreeSet};

use toml::de::{DeTable, DeValue};

use super::Problem;
use super::keys::{self, Default, Key};
use super::report::{self, Effective, Reason};

/// One value of the file.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) value: Value,
    pub(super) line: usize,
}

/// The kinds of value that keys take.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Text(String),
    Number(i128),
    Flag(bool),
    List(Vec<Value>),
    /// A kind that no key takes; named for the message.
    Other(&'static str),
}

/// The file while it is read.
#[derive(Debug)]
pub(super) struct Document {
    entries: BTreeMap<String, Entry>,
    /// Tables by path, so that an unknown one is found even when it is empty.
    tables: BTreeMap<String, usize>,
    pub(super) problems: Vec<Problem>,
    pub(super) values: Vec<Effective>,
}

impl Document {
    /// Flattens `text`; syntax errors become problems.
    pub(super) fn new(text: &str) -> Self {
        let mut document =
            Self { entries: BTreeMap::new(), tables: BTreeMap::new(), problems: Vec::new(), values: Vec::new() };
        let lines = Lines::of(text);
        let (table, errors) = DeTable::parse_recoverable(text);
        document.problems = errors
            .iter()
            .map(|error| Problem {
                path: String::new(),
                line: error.span().map(|span| lines.at(span.start)),
                what: error.message().replace('\n', ", "),
                hint: "repair the TOML syntax there".to_owned(),
            })
            .collect();
        if document.problems.is_empty() {
            document.flatten(&lines, "", table.get_ref());
        }
        document
    }

    /// The text of `key`, parsed; its default when it is absent or wrong.
    pub(super) fn text<T>(&mut self, key: &Key, parse: impl Fn(&str) -> Result<T, Wrong>) -> Option<T> {
        let default = match key.default {
            Default::Text(text) => Some(text),
            _ => None,
        };
        match self.take_text(key.path) {
            Some((text, line)) => match parse(&text) {
                Ok(parsed) => {
                    self.show(key.path, text, Reason::Line(line));
                    Some(parsed)
                }
                Err(wrong) => {
                    self.problem(key.path, Some(line), wrong);
                    None
                }
            },
            None => {
                self.show_default(key);
                default.and_then(|text| parse(text).ok())
            }
        }
    }

    /// The number of `key`; its default when it is absent or wrong.
    pub(super) fn number(&mut self, key: &Key) -> u64 {
        let Default::Number { value: default, least, most } = key.default else { return 0 };
        match self.entries.remove(key.path) {
            None => self.show_default(key),
            Some(Entry { value: Value::Number(number), line }) => match u64::try_from(number) {
                Ok(number) if (least..=most).contains(&number) => {
                    self.show(key.path, shown_number(key, number), Reason::Line(line));
                    return number;
                }
                _ => {
                    let hint = format!("choose from {} to {}", shown_number(key, least), shown_number(key, most));
                    self.problem(key.path, Some(line), Wrong::new(format!("{number} is out of range"), hint));
                }
            },
            Some(entry) => self.mistyped(key.path, &entry, "a number"),
        }
        default
    }

    /// The flag of `key`; its default when it is absent or wrong.
    pub(super) fn flag(&mut self, key: &Key) -> bool {
        let Default::Flag(default) = key.default else { return false };
        match self.entries.remove(key.path) {
            None => self.show_default(key),
            Some(Entry { value: Value::Flag(flag), line }) => {
                self.show(key.path, flag.to_string(), Reason::Line(line));
                return flag;
            }
            Some(entry) => self.mistyped(key.path, &entry, "true or false"),
        }
        default
    }

    /// The list of texts of `key`, each parsed; wrong members are left out.
    pub(super) fn list<T>(&mut self, key: &Key, parse: impl Fn(&str) -> Result<T, Wrong>) -> Vec<T> {
        let (members, line) = match self.entries.remove(key.path) {
            None => {
                self.show_default(key);
                return Vec::new();
            }
            Some(Entry { value: Value::List(members), line }) => (members, line),
            Some(entry) => {
                self.mistyped(key.path, &entry, "a list of texts");
                return Vec::new();
            }
        };
        self.members(key.path, members, line, &parse)
    }

    /// Lists of texts in a table whose keys are free: names, lines, and the members that are right.
    pub(super) fn lists<T>(
        &mut self,
        key: &Key,
        parse: impl Fn(&str) -> Result<T, Wrong>,
    ) -> Vec<(String, usize, Vec<T>)> {
        let mut lists = Vec::new();
        for path in self.free_paths(key) {
            match self.entries.remove(&path) {
                Some(Entry { value: Value::List(members), line }) => {
                    let name = path[key.path.len() + 1..].to_owned();
                    lists.push((name, line, self.members(&path, members, line, &parse)));
                }
                Some(entry) => self.mistyped(&path, &entry, "a list of texts"),
                None => {}
            }
        }
        lists
    }

    fn members<T>(
        &mut self,
        path: &str,
        members: Vec<Value>,
        line: usize,
        parse: &impl Fn(&str) -> Result<T, Wrong>,
    ) -> Vec<T> {
        let (mut parsed, mut shown) = (Vec::new(), Vec::new());
        for (at, member) in members.into_iter().enumerate() {
            let path = format!("{path}[{at}]");
            match member {
                Value::Text(text) => match parse(&text) {
                    Ok(value) => {
                        parsed.push(value);
                        shown.push(text);
                    }
                    Err(wrong) => self.problem(&path, Some(line), wrong),
                },
                value => self.mistyped(&path, &Entry { value, line }, "a text"),
            }
        }
        self.show(path, shown.join(", "), Reason::Line(line));
        parsed
    }

    /// The texts of a table whose keys are free, each parsed.
    pub(super) fn map<T>(&mut self, key: &Key, parse: impl Fn(&str) -> Result<T, Wrong>) -> BTreeMap<String, T> {
        let mut map = BTreeMap::new();
        for path in self.free_paths(key) {
            let Some((text, line)) = self.take_text(&path) else { continue };
            match parse(&text) {
                Ok(value) => {
                    self.show(&path, text, Reason::Line(line));
                    map.insert(path[key.path.len() + 1..].to_owned(), value);
                }
                Err(wrong) => self.problem(&path, Some(line), wrong),
            }
        }
        map
    }

    /// Paths of the values in a table whose keys are free; its default is shown when there are none.
    fn free_paths(&mut self, key: &Key) -> Vec<String> {
        let table = self.tables.remove(key.path);
        let prefix = format!("{}.", key.path);
        self.tables.retain(|path, _| !path.starts_with(&prefix));
        let names: Vec<String> = self.entries.keys().filter(|path| path.starts_with(&prefix)).cloned().collect();
        if table.is_none() && names.is_empty() {
            if let Some(entry) = self.entries.remove(key.path) {
                self.mistyped(key.path, &entry, "a table");
            }
            self.show_default(key);
        }
        names
    }

    /// Paths and lines of the tables in an array of tables.
    pub(super) fn tables(&mut self, key: &Key) -> Vec<(String, usize)> {
        let mut found = Vec::new();
        loop {
            let path = format!("{}[{}]", key.path, found.len());
            let Some(line) = self.tables.remove(&path) else { break };
            found.push((path, line));
        }
        match self.entries.remove(key.path) {
            Some(Entry { value: Value::List(members), .. }) if members.is_empty() => self.show_default(key),
            Some(entry) => self.mistyped(key.path, &entry, &format!("tables, written [[{}]]", key.path)),
            None if found.is_empty() => self.show_default(key),
            None => {}
        }
        found
    }

    /// The text at `path`, if it is there; a value of another kind is a problem.
    pub(super) fn take_text(&mut self, path: &str) -> Option<(String, usize)> {
        match self.entries.remove(path)? {
            Entry { value: Value::Text(text), line } => Some((text, line)),
            entry => {
                self.mistyped(path, &entry, "a text");
                None
            }
        }
    }

    /// Whether the file has a value at `path`.
    pub(super) fn line_of(&self, path: &str) -> Option<usize> {
        self.entries.get(path).map(|entry| entry.line)
    }

    /// Adds a problem.
    pub(super) fn problem(&mut self, path: &str, line: Option<usize>, wrong: Wrong) {
        self.problems.push(Problem { path: path.to_owned(), line, what: wrong.what, hint: wrong.hint });
    }

    /// Notes an effective value.
    pub(super) fn show(&mut self, path: &str, value: String, reason: Reason) {
        self.values.push(Effective { key: path.to_owned(), value, reason });
    }

    /// Turns what nobody asked for into problems.
    pub(super) fn refuse_leftovers(&mut self) {
        let known: BTreeSet<&str> = keys::ALL.iter().filter_map(|key| Some(key.path.split_once('.')?.0)).collect();
        let unknown_tables: Vec<(String, usize)> =
            std::mem::take(&mut self.tables).into_iter().filter(|(path, _)| !known.contains(path.as_str())).collect();
        for (path, line) in &unknown_tables {
            let hint = format!("known tables: {}", known.iter().copied().collect::<Vec<_>>().join(", "));
            self.problem(path, Some(*line), Wrong::new("unknown table", hint));
        }
        for (path, entry) in std::mem::take(&mut self.entries) {
            let within = |table: &String| path.strip_prefix(table.as_str()).is_some_and(|rest| rest.starts_with('.'));
            if unknown_tables.iter().any(|(table, _)| within(table)) {
                continue;
            }
            let wrong = if known.contains(path.as_str()) {
                Wrong::new("must be a table", format!("write [{path}] and its keys below"))
            } else {
                Wrong::new("unknown key", known_beside(&path))
            };
            self.problem(&path, Some(entry.line), wrong);
        }
    }

    fn show_default(&mut self, key: &Key) {
        let value = match key.default {
            Default::Text(text) | Default::Unset(text) => text.to_owned(),
            Default::Number { value, .. } => shown_number(key, value),
            Default::Flag(flag) => flag.to_string(),
        };
        self.show(key.path, value, Reason::Default(key.reason.to_owned()));
    }

    fn mistyped(&mut self, path: &str, entry: &Entry, wanted: &str) {
        let wrong = Wrong::new(format!("must be {wanted}, not {}", entry.value.kind()), format!("give it {wanted}"));
        self.problem(path, Some(entry.line), wrong);
    }

    fn flatten(&mut self, lines: &Lines, prefix: &str, table: &DeTable<'_>) {
        for (key, value) in table {
            let path = match prefix {
                "" => key.get_ref().to_string(),
                prefix => format!("{prefix}.{}", key.get_ref()),
            };
            let line = lines.at(key.span().start);
            match value.get_ref() {
                DeValue::Table(inner) => {
                    self.tables.insert(path.clone(), line);
                    self.flatten(lines, &path, inner);
                }
                DeValue::Array(members) if members.iter().any(|member| member.get_ref().is_table()) => {
                    for (at, member) in members.iter().enumerate() {
                        let (path, line) = (format!("{path}[{at}]"), lines.at(member.span().start));
                        match member.get_ref() {
                            DeValue::Table(inner) => {
                                self.tables.insert(path.clone(), line);
                                self.flatten(lines, &path, inner);
                            }
                            other => drop(self.entries.insert(path, Entry { value: Value::of(other), line })),
                        }
                    }
                }
                other => drop(self.entries.insert(path, Entry { value: Value::of(other), line })),
            }
        }
    }
}

/// Why a value is refused.
#[derive(Clone, Debug)]
pub(super) struct Wrong {
    pub(super) what: String,
    pub(super) hint: String,
}

impl Wrong {
    pub(super) fn new(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { what: what.into(), hint: hint.into() }
    }
}

impl Value {
    fn of(value: &DeValue<'_>) -> Self {
        match value {
            DeValue::String(text) => Self::Text(text.to_string()),
            DeValue::Integer(integer) => i128::from_str_radix(integer.as_str(), integer.radix())
                .map_or(Self::Other("a huge number"), Self::Number),
            DeValue::Boolean(flag) => Self::Flag(*flag),
            DeValue::Array(members) => Self::List(members.iter().map(|member| Self::of(member.get_ref())).collect()),
            DeValue::Float(_) => Self::Other("a fraction"),
            DeValue::Datetime(_) => Self::Other("a date"),
            DeValue::Table(_) => Self::Other("a table"),
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => "a text",
            Self::Number(_) => "a number",
            Self::Flag(_) => "true or false",
            Self::List(_) => "a list",
            Self::Other(kind) => kind,
        }
    }
}

/// Byte offsets of line starts.
struct Lines(Vec<usize>);

impl Lines {
    fn of(text: &str) -> Self {
        Self(text.match_indices('\n').map(|(at, _)| at + 1).collect())
    }

    fn at(&self, offset: usize) -> usize {
        1 + self.0.partition_point(|start| *start <= offset)
    }
}

fn shown_number(key: &Key, number: u64) -> String {
    if key.path.ends_with("_bytes") { report::bytes(number) } else { number.to_string() }
}

/// The keys that could have been meant.
fn known_beside(path: &str) -> String {
    if path.starts_with(keys::API_CREDENTIALS.path) {
        return "known keys there: access_key_id, secret_access_key_env, secret_access_key_file, account_id".to_owned();
    }
    let (table, _) = path.split_once('.').unwrap_or(("", path));
    let beside = |key: &&&Key| key.path.split_once('.').map_or("", |(table, _)| table) == table;
    let names: Vec<&str> =
        keys::ALL.iter().filter(beside).map(|key| key.path.rsplit('.').next().unwrap_or("")).collect();
    format!("known keys there: {}", names.join(", "))
}
