//! The values of jq programs: JSON, with jq 1.6's rules of reckoning, ordering and joining.
//!
//! Every value that can be large is made by a function here that counts it first. Refuses to be anything but JSON: no
//! bytes, no numbers longer than 64 bits.

use std::cmp::Ordering;
use std::fmt;
use std::rc::Rc;

use indexmap::IndexMap;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use super::meter;

/// A value.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Null,
    Bool(bool),
    /// Exact, where jq 1.6 rounds beyond 2^53.
    Int(i64),
    Float(f64),
    Text(Rc<str>),
    Array(Rc<Items>),
    Object(Rc<Members>),
}

/// Elements of an array.
#[derive(Debug)]
pub(super) struct Items {
    depth: u32,
    pub(super) values: Vec<Value>,
}

/// Members of an object, in the order they came.
#[derive(Debug)]
pub(super) struct Members {
    depth: u32,
    pub(super) map: Map,
}

pub(super) type Map = IndexMap<Rc<str>, Value>;

/// Memory of an element beside what it holds.
pub(super) const SLOT: usize = size_of::<Value>();
/// Memory of a member beside what it holds.
const MEMBER: usize = 2 * SLOT + 32;

impl Value {
    /// A text that the program makes.
    pub(super) fn text(text: &str) -> Self {
        meter::text(text.len());
        Self::Text(text.into())
    }

    pub(super) fn array(values: Vec<Self>) -> Self {
        meter::allocate(SLOT * values.len());
        Self::counted(values)
    }

    /// An array whose elements were counted as they came.
    pub(super) fn counted(values: Vec<Self>) -> Self {
        let depth = 1 + values.iter().map(Self::depth).max().unwrap_or(0);
        meter::depth(depth);
        meter::spend(values.len());
        Self::Array(Rc::new(Items { depth, values }))
    }

    pub(super) fn object(map: Map) -> Self {
        meter::allocate(MEMBER * map.len());
        Self::counted_members(map)
    }

    fn counted_members(map: Map) -> Self {
        let depth = 1 + map.values().map(Self::depth).max().unwrap_or(0);
        meter::depth(depth);
        meter::spend(map.len());
        Self::Object(Rc::new(Members { depth, map }))
    }

    fn depth(&self) -> u32 {
        match self {
            Self::Array(items) => items.depth,
            Self::Object(members) => members.depth,
            _ => 0,
        }
    }

    pub(super) fn number(&self) -> Option<f64> {
        match self {
            #[expect(clippy::cast_precision_loss, reason = "jq's numbers are doubles")]
            Self::Int(int) => Some(*int as f64),
            Self::Float(float) => Some(*float),
            _ => None,
        }
    }

    pub(super) fn as_text(&self) -> Option<&Rc<str>> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn into_values(self) -> Result<Vec<Self>, Self> {
        match self {
            Self::Array(items) => {
                meter::spend(items.values.len());
                Ok(Rc::try_unwrap(items).map_or_else(|items| items.values.clone(), |items| items.values))
            }
            other => Err(other),
        }
    }

    /// The value as JSON without spaces.
    pub(super) fn to_json(&self) -> String {
        let mut json = String::new();
        self.write(&mut json);
        json
    }

    fn write(&self, json: &mut String) {
        meter::spend(1);
        match self {
            Self::Null => json.push_str("null"),
            Self::Bool(true) => json.push_str("true"),
            Self::Bool(false) => json.push_str("false"),
            Self::Int(int) => json.push_str(&int.to_string()),
            Self::Float(float) => json.push_str(&float_text(*float)),
            Self::Text(text) => write_text(text, json),
            Self::Array(items) => {
                json.push('[');
                for (at, value) in items.values.iter().enumerate() {
                    if at > 0 {
                        json.push(',');
                    }
                    value.write(json);
                }
                json.push(']');
            }
            Self::Object(members) => {
                json.push('{');
                for (at, (name, value)) in members.map.iter().enumerate() {
                    if at > 0 {
                        json.push(',');
                    }
                    write_text(name, json);
                    json.push(':');
                    value.write(json);
                }
                json.push('}');
            }
        }
    }

    fn rank(&self) -> u8 {
        match self {
            Self::Null => 0,
            Self::Bool(false) => 1,
            Self::Bool(true) => 2,
            Self::Int(_) | Self::Float(_) => 3,
            Self::Text(_) => 4,
            Self::Array(_) => 5,
            Self::Object(_) => 6,
        }
    }
}

fn write_text(text: &str, json: &mut String) {
    meter::text(text.len());
    // A text always has a JSON form.
    json.push_str(&serde_json::to_string(text).unwrap_or_default());
}

/// A double as jq 1.6 writes it: the shortest digits that read back the same, no fraction where there is none, and an
/// exponent where zeros would be many.
fn float_text(float: f64) -> String {
    if float.is_nan() {
        return "null".to_owned();
    }
    let shortest = format!("{:e}", float.clamp(f64::MIN, f64::MAX));
    let (mantissa, exponent) = shortest.split_once('e').unwrap_or((&shortest, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let digits = i32::try_from(mantissa.bytes().filter(u8::is_ascii_digit).count()).unwrap_or(i32::MAX);
    if exponent < -5 || exponent > digits + 15 {
        let sign = if exponent < 0 { '-' } else { '+' };
        format!("{mantissa}e{sign}{:02}", exponent.abs())
    } else {
        format!("{float}")
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_json())
    }
}

impl Ord for Value {
    fn cmp(&self, other: &Self) -> Ordering {
        meter::spend(1);
        match (self, other) {
            (Self::Int(a), Self::Int(b)) => a.cmp(b),
            (Self::Text(a), Self::Text(b)) => {
                meter::spend(a.len().min(b.len()) / 64);
                a.cmp(b)
            }
            (Self::Array(a), Self::Array(b)) => a.values.cmp(&b.values),
            (Self::Object(a), Self::Object(b)) => {
                let sorted = |members: &Members| {
                    meter::spend(4 * members.map.len());
                    let mut all: Vec<_> =
                        members.map.iter().map(|(name, value)| (Rc::clone(name), value.clone())).collect();
                    all.sort_by(|(a, _), (b, _)| a.cmp(b));
                    all.into_iter().unzip::<_, _, Vec<_>, Vec<_>>()
                };
                sorted(a).cmp(&sorted(b))
            }
            (Self::Int(a), Self::Float(b)) => compare(*a, *b),
            (Self::Float(a), Self::Int(b)) => compare(*b, *a).reverse(),
            // Nothing is less than what is not a number, in jq as well.
            (Self::Float(a), Self::Float(b)) => a.partial_cmp(b).unwrap_or_else(|| b.is_nan().cmp(&a.is_nan())),
            (a, b) => a.rank().cmp(&b.rank()),
        }
    }
}

/// Exact, so that sorting never meets a contradiction.
fn compare(int: i64, float: f64) -> Ordering {
    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "the second look is exact")]
    match (int as f64).partial_cmp(&float) {
        Some(Ordering::Equal) => i128::from(int).cmp(&(float as i128)),
        Some(other) => other,
        None => Ordering::Greater,
    }
}

impl PartialOrd for Value {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Value {}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

/// Reads a record. Its texts may be longer than those that a program makes.
struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Int(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        #[expect(clippy::cast_precision_loss, reason = "jq's numbers are doubles")]
        Ok(i64::try_from(value).map_or(Value::Float(value as f64), Value::Int))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::Float(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        meter::allocate(value.len());
        Ok(Value::Text(value.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = elements.next_element()? {
            meter::allocate(SLOT);
            values.push(value);
        }
        Ok(Value::counted(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some((name, value)) = members.next_entry::<Name, Value>()? {
            meter::allocate(MEMBER + name.0.len());
            map.insert(name.0, value);
        }
        Ok(Value::counted_members(map))
    }
}

/// Name of a member, without a detour over a text that can grow.
struct Name(Rc<str>);

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(NameReader)
    }
}

struct NameReader;

impl Visitor<'_> for NameReader {
    type Value = Name;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a member")
    }

    fn visit_str<E>(self, value: &str) -> Result<Name, E> {
        Ok(Name(value.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Value {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn numbers_are_written_as_jq_does() {
        for (json, expected) in [
            ("1", "1"),
            ("1.0", "1"),
            ("-0.5", "-0.5"),
            ("1e3", "1000"),
            ("0.00001", "0.00001"),
            ("1e-7", "1e-07"),
            ("1.5e300", "1.5e+300"),
            ("9007199254740993", "9007199254740993"),
            ("18446744073709551615", "18446744073709552000"),
            ("1e17", "1e+17"),
        ] {
            assert_eq!(read(json).to_json(), expected, "{json}");
        }
        assert_eq!(Value::Float(f64::NAN).to_json(), "null");
        assert_eq!(Value::Float(f64::INFINITY).to_json(), "1.7976931348623157e+308");
    }

    #[test]
    fn values_have_jqs_order() {
        let mut all: Vec<Value> =
            [r#"{"a":2}"#, r#"{"b":0}"#, "[1]", "[0,5]", "\"b\"", "\"a\"", "3", "1.5", "true", "false", "null"]
                .map(read)
                .into();
        all.push(Value::Float(f64::NAN));
        all.sort();
        let json: Vec<String> = all.iter().map(Value::to_json).collect();
        let expected =
            ["null", "false", "true", "null", "1.5", "3", "\"a\"", "\"b\"", "[0,5]", "[1]", r#"{"a":2}"#, r#"{"b":0}"#];
        assert_eq!(json, expected);
        assert_eq!(read("1"), read("1.0"));
        assert_eq!(read(r#"{"a":1,"b":2}"#), read(r#"{"b":2,"a":1}"#));
        assert_ne!(read("[1]"), read("[1,1]"));
    }

    #[test]
    fn the_last_of_two_members_of_one_name_counts() {
        assert_eq!(read(r#"{"a":1,"b":2,"a":3}"#).to_json(), r#"{"a":3,"b":2}"#);
    }
}
