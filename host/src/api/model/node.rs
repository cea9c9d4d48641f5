//! A parsed JSON document that cannot grow far beyond its text.
//!
//! `serde_json::Value` can take a hundred times the bytes of a hostile document; here strings are borrowed, the number
//! of values is bounded, and only the beginning of a long list is kept. Depth is bounded by serde_json at 128.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::api::error::{Fault, not_json};

/// A JSON value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Node<'a> {
    /// `null`, which the service treats as absent.
    Null,
    /// `true` or `false`.
    Boolean(bool),
    /// A whole number that fits.
    Integer(i64),
    /// Any other number.
    Double(f64),
    /// A string.
    Text(Cow<'a, str>),
    /// A list.
    List {
        /// The first [`LIST_KEPT`] elements.
        items: Vec<Node<'a>>,
        /// Number of elements in the text.
        count: usize,
    },
    /// Members in the order of the text; of members with the same name the last one counts.
    Map(Vec<(Cow<'a, str>, Node<'a>)>),
}

impl<'a> Node<'a> {
    /// Member `name` of a map, unless it is absent or null.
    pub(crate) fn member(&self, name: &str) -> Option<&Node<'a>> {
        let Self::Map(members) = self else { return None };
        let (_, value) = members.iter().rfind(|(key, _)| key == name)?;
        (*value != Self::Null).then_some(value)
    }

    /// Text of member `name`.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        match self.member(name)? {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Whole number of member `name`.
    pub(crate) fn integer(&self, name: &str) -> Option<i64> {
        match self.member(name)? {
            Self::Integer(number) => Some(*number),
            #[expect(clippy::cast_possible_truncation, reason = "the service cuts fractions off")]
            Self::Double(number) => Some(*number as i64),
            _ => None,
        }
    }

    /// Elements of member `name`; none when it is absent.
    pub(crate) fn list(&self, name: &str) -> &[Node<'a>] {
        match self.member(name) {
            Some(Self::List { items, .. }) => items,
            _ => &[],
        }
    }
}

/// Parses a body that must be one JSON object.
///
/// # Errors
/// `SerializationException` without a message when it is anything else, too deep, or made of too many values.
pub(crate) fn parse(body: &[u8]) -> Result<Node<'_>, Fault> {
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let mut budget = VALUES_KEPT;
    let node = Seed(&mut budget).deserialize(&mut deserializer).map_err(|_| not_json())?;
    deserializer.end().map_err(|_| not_json())?;
    match node {
        Node::Map(_) => Ok(node),
        _ => Err(not_json()),
    }
}

/// Values of one document. The largest honest one is a batch: 500 records are 1,503 values.
pub(super) const VALUES_KEPT: usize = 50_000;

/// Elements kept of one list: enough to tell that any list of the model is too long.
pub(super) const LIST_KEPT: usize = 1_000;

struct Seed<'b>(&'b mut usize);

impl Seed<'_> {
    fn spend<E: serde::de::Error>(&mut self) -> Result<(), E> {
        *self.0 = self.0.checked_sub(1).ok_or_else(|| E::custom("too many values"))?;
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Node<'de>;

    fn deserialize<D: Deserializer<'de>>(mut self, deserializer: D) -> Result<Node<'de>, D::Error> {
        self.spend()?;
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Node<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("any JSON value")
    }

    fn visit_unit<E>(self) -> Result<Node<'de>, E> {
        Ok(Node::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node<'de>, E> {
        Ok(Node::Boolean(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node<'de>, E> {
        Ok(Node::Integer(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node<'de>, E> {
        Ok(i64::try_from(value).map_or(Node::Double(value as f64), Node::Integer))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Node<'de>, E> {
        Ok(Node::Double(value))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Node<'de>, E> {
        Ok(Node::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Node<'de>, E> {
        Ok(Node::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Node<'de>, A::Error> {
        let mut items = Vec::new();
        let mut count = 0;
        while count < LIST_KEPT {
            let Some(item) = list.next_element_seed(Seed(self.0))? else { return Ok(Node::List { items, count }) };
            items.push(item);
            count += 1;
        }
        while list.next_element::<IgnoredAny>()?.is_some() {
            count += 1;
        }
        Ok(Node::List { items, count })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node<'de>, A::Error> {
        let mut members = Vec::new();
        while let Some(key) = map.next_key_seed(Key)? {
            members.push((key, map.next_value_seed(Seed(self.0))?));
        }
        Ok(Node::Map(members))
    }
}

/// A member's name, borrowed where it has no escapes.
struct Key;

impl<'de> DeserializeSeed<'de> for Key {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Cow<'de, str>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Key {
    type Value = Cow<'de, str>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a member's name")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E>(self, text: &str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Owned(text.to_owned()))
    }
}
