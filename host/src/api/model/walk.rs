//! Checks a document against a shape: types first, in the order of the text, then constraints, in the order of the model.
//!
//! Messages are the service's, as recorded from it and from Kinesis Data Streams, which has the same front end
//!. Knows shapes only, no operation.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use super::node::Node;
use super::shape::{Addresses, Shape, decode_blob};
use crate::api::error::{Fault, serialization, validation};

/// Checks types and then constraints.
///
/// # Errors
/// `SerializationException` for the first wrong type, else `ValidationException` naming every broken constraint.
pub(crate) fn check(shape: &Shape, node: &Node<'_>, addresses: Addresses) -> Result<(), Fault> {
    check_type(shape, node).map_err(serialization)?;
    let mut violations = Violations { addresses, ..Violations::default() };
    violations.collect(shape, node);
    violations.finish()
}

/// The members that the shape knows, as JSON; unknown and null ones are left out.
pub(crate) fn to_value(shape: &Shape, node: &Node<'_>) -> Value {
    match (shape, node) {
        (Shape::Structure(members), Node::Map(_)) => {
            let known = members.iter().filter_map(|member| {
                let value = node.member(member.name)?;
                Some((member.name.to_owned(), to_value(member.shape, value)))
            });
            Value::Object(known.collect())
        }
        (Shape::Map { value: shape, .. }, Node::Map(members)) => {
            let members = members.iter().map(|(key, value)| (key.to_string(), to_value(shape, value)));
            Value::Object(members.collect::<Map<_, _>>())
        }
        (Shape::List { member, .. }, Node::List { items, .. }) => {
            Value::Array(items.iter().map(|item| to_value(member, item)).collect())
        }
        #[expect(clippy::cast_possible_truncation, reason = "the service cuts fractions off")]
        (Shape::Integer { .. }, Node::Double(number)) => Value::from(*number as i64),
        (Shape::Boolean, Node::Text(text)) => Value::from(text.eq_ignore_ascii_case("true")),
        (_, Node::Text(text)) => Value::from(text.as_ref()),
        (_, Node::Boolean(value)) => Value::from(*value),
        (_, Node::Integer(number)) => Value::from(*number),
        (_, Node::Double(number)) => Value::from(*number),
        (_, Node::Null | Node::List { .. } | Node::Map(_)) => Value::Null,
    }
}

const NUMBER_CLASS: &str = "com.amazon.coral.value.json.numbers.TruncatingBigNumber";
const LIST_FOUND: &str = "Start of list found where not expected";
const MAP_FOUND: &str = "Start of structure or map found where not expected.";

/// The message for the first value of a wrong type.
fn check_type(shape: &Shape, node: &Node<'_>) -> Result<(), String> {
    match (shape, node) {
        (_, Node::Null) => Ok(()),
        (Shape::Structure(members), Node::Map(given)) => {
            given.iter().try_for_each(|(key, value)| match members.iter().find(|member| member.name == key) {
                Some(member) => check_type(member.shape, value),
                None => Ok(()),
            })
        }
        (Shape::Map { value: shape, .. }, Node::Map(given)) => {
            given.iter().try_for_each(|(_, value)| check_type(shape, value))
        }
        (Shape::List { member, .. }, Node::List { items, .. }) => {
            items.iter().try_for_each(|item| check_type(member, item))
        }
        (_, Node::List { .. }) => Err(LIST_FOUND.to_owned()),
        (_, Node::Map(_)) => Err(MAP_FOUND.to_owned()),
        (Shape::Structure(_), _) => Err("Expected null".to_owned()),
        (Shape::Map { .. }, _) => Err("Expected map or null".to_owned()),
        (Shape::List { .. }, _) => Err("Expected list or null".to_owned()),
        (scalar, node) => check_scalar(scalar, node),
    }
}

fn check_scalar(shape: &Shape, node: &Node<'_>) -> Result<(), String> {
    let class = match node {
        Node::Text(_) => "java.lang.String",
        Node::Boolean(_) => "java.lang.Boolean",
        _ => NUMBER_CLASS,
    };
    match (shape, node) {
        (Shape::Text { .. } | Shape::Address { .. } | Shape::Enum(_) | Shape::ExtendedEnum(..), Node::Text(_))
        | (Shape::Integer { .. } | Shape::Double { .. } | Shape::Timestamp, Node::Integer(_) | Node::Double(_))
        | (Shape::Timestamp, Node::Text(_))
        | (Shape::Boolean, Node::Boolean(_)) => Ok(()),
        (Shape::Boolean, Node::Text(text)) if is_truth_word(text) => Ok(()),
        (Shape::Boolean, Node::Text(text)) => Err(format!("'{text}' can not be converted to an Boolean")),
        (Shape::Boolean, _) => Err(format!("class {class} can not be converted to an Boolean")),
        (Shape::Blob { .. }, Node::Text(text)) => decode_blob(text).map(drop),
        (Shape::Blob { .. }, _) => Err(format!("class {class} can not be converted to a Blob")),
        (Shape::Integer { .. }, _) => Err(format!("class {class} can not be converted to an Integer")),
        (Shape::Double { .. }, _) => Err(format!("class {class} can not be converted to an Double")),
        (Shape::Timestamp, _) => Err(format!("class {class} can not be converted to a Timestamp")),
        (_, _) => Err(format!("class {class} can not be converted to an String")),
    }
}

fn is_truth_word(text: &str) -> bool {
    text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false")
}

/// Broken constraints, with the place where the walk stands.
#[derive(Default)]
struct Violations {
    addresses: Addresses,
    path: String,
    found: Vec<String>,
}

/// One answer names at most this many violations: twice a batch whose records all break a rule.
const VIOLATIONS_NAMED: usize = 1_000;

/// Follows the service's own message.
const HTTP_REMEDY: &str = " (http:// needs egress.plaintext in the host's configuration)";

impl Violations {
    fn collect(&mut self, shape: &Shape, node: &Node<'_>) {
        match (shape, node) {
            (Shape::Structure(members), Node::Map(_)) => {
                for member in *members {
                    let outer = self.enter_member(member.name);
                    match node.member(member.name) {
                        Some(value) => self.collect(member.shape, value),
                        None if member.required => self.add("Member must not be null"),
                        None => {}
                    }
                    self.path.truncate(outer);
                }
            }
            (Shape::List { member, least, most }, Node::List { items, count }) => {
                self.check_length(*count, *least, *most);
                for (at, item) in items.iter().enumerate() {
                    let outer = self.path.len();
                    // Writing into a String cannot fail.
                    let _infallible = write!(self.path, ".{}.member", at + 1);
                    match item {
                        Node::Null => self.add("Member must not be null"),
                        item => self.collect(member, item),
                    }
                    self.path.truncate(outer);
                }
            }
            (Shape::Map { key, value }, Node::Map(members)) => self.collect_map(key, value, members),
            (scalar, node) => self.collect_scalar(scalar, node),
        }
    }

    fn collect_scalar(&mut self, shape: &Shape, node: &Node<'_>) {
        match (shape, node) {
            (Shape::Text { least, most, pattern }, Node::Text(text)) => {
                self.check_length(text.chars().count(), *least, *most);
                if let Some(pattern) = pattern.as_ref().filter(|pattern| !pattern.matches(text)) {
                    self.add(&format!("Member must satisfy regular expression pattern: {}", pattern.printed));
                }
            }
            (Shape::Address { most, pattern, plaintext }, Node::Text(text)) => {
                self.check_length(text.chars().count(), 1, *most);
                let matched = if self.addresses == Addresses::Tls { pattern } else { plaintext };
                if !matched.matches(text) {
                    // Where nothing but TLS is missing, whoever runs the host can help.
                    let remedy = if plaintext.matches(text) { HTTP_REMEDY } else { "" };
                    let printed = pattern.printed;
                    self.add(&format!("Member must satisfy regular expression pattern: {printed}{remedy}"));
                }
            }
            (Shape::ExtendedEnum(_, ours), Node::Text(text)) if ours.contains(&text.as_ref()) => {}
            (Shape::Enum(words) | Shape::ExtendedEnum(words, _), Node::Text(text))
                if !words.contains(&text.as_ref()) =>
            {
                self.add(&format!("Member must satisfy enum value set: [{}]", words.join(", ")));
            }
            #[expect(clippy::cast_possible_truncation, reason = "the service cuts fractions off")]
            (Shape::Integer { least, most }, Node::Double(number)) => self.check_value(&(*number as i64), least, most),
            (Shape::Integer { least, most }, Node::Integer(number)) => self.check_value(number, least, most),
            (Shape::Double { least, most }, Node::Double(number)) => self.check_value(number, least, most),
            (Shape::Double { least, most }, Node::Integer(number)) => self.check_value(&(*number as f64), least, most),
            (Shape::Blob { most_bytes }, Node::Text(text)) => {
                let padding = text.bytes().rev().take(2).take_while(|&byte| byte == b'=').count();
                self.check_length(text.len() / 4 * 3 - padding, 0, *most_bytes);
            }
            _ => {}
        }
    }

    /// The service reports a map's keys and values once each, with all constraints of the broken side in brackets.
    fn collect_map(&mut self, key: &Shape, value: &Shape, members: &[(std::borrow::Cow<'_, str>, Node<'_>)]) {
        let breaks = |shape: &Shape, node: &Node<'_>| {
            let mut inner = Self::default();
            inner.collect(shape, node);
            !inner.found.is_empty()
        };
        if members.iter().any(|(name, _)| breaks(key, &Node::Text(name.as_ref().into()))) {
            self.add(&format!("Map keys must satisfy constraint: {}", constraint_set(key)));
        }
        if members.iter().any(|(_, given)| *given == Node::Null || breaks(value, given)) {
            self.add(&format!("Map value must satisfy constraint: {}", constraint_set(value)));
        }
    }

    fn check_length(&mut self, length: usize, least: usize, most: usize) {
        if length > most {
            self.add(&format!("Member must have length less than or equal to {most}"));
        }
        if length < least {
            self.add(&format!("Member must have length greater than or equal to {least}"));
        }
    }

    fn check_value<T: PartialOrd + std::fmt::Display>(&mut self, value: &T, least: &T, most: &T) {
        if value > most {
            self.add(&format!("Member must have value less than or equal to {most}"));
        }
        if value < least {
            self.add(&format!("Member must have value greater than or equal to {least}"));
        }
    }

    /// Appends a member to the path, as Java's beans spell it, and returns the length to go back to.
    fn enter_member(&mut self, name: &str) -> usize {
        let outer = self.path.len();
        if outer > 0 {
            self.path.push('.');
        }
        let mut letters = name.chars();
        self.path.extend(letters.next().map(|first| first.to_ascii_lowercase()));
        self.path.push_str(letters.as_str());
        outer
    }

    fn add(&mut self, constraint: &str) {
        if self.found.len() < VIOLATIONS_NAMED {
            self.found.push(format!("Value at '{}' failed to satisfy constraint: {constraint}", self.path));
        }
    }

    fn finish(self) -> Result<(), Fault> {
        let noun = match self.found.len() {
            0 => return Ok(()),
            1 => "error",
            _ => "errors",
        };
        Err(validation(format!("{} validation {noun} detected: {}", self.found.len(), self.found.join("; "))))
    }
}

fn constraint_set(shape: &Shape) -> String {
    let Shape::Text { least, most, pattern } = shape else { return "[]".to_owned() };
    let pattern = pattern.as_ref().map_or("", |pattern| pattern.printed);
    format!(
        "[Member must have length less than or equal to {most}, Member must have length greater than or equal to \
         {least}, Member must satisfy regular expression pattern: {pattern}]"
    )
}
