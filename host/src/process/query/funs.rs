//! The functions of jq programs: the interpreter's own, less those that reach out of the program, and ours.
//!
//! Refuses the clock, the environment, the log and the host's time zone: what a program says of a record must be the same
//! wherever and whenever it is run.

use std::rc::Rc;

use jaq_core::box_iter::box_once;
use jaq_core::load::parse::Def;
use jaq_core::native::{Filter, Fun, bome, run, unary, v};
use jaq_core::{Cv, Exn, RunPtr, ValXs};

use super::Kind;
use super::meter;
use super::ops::{Error, indices};
use super::regexes;
use super::value::{Map, Value};

/// Functions of the interpreter's library that are not offered, or that ours take the place of.
const LEFT_OUT: [&str; 21] = [
    // The clock, the environment, the process, the log.
    "now",
    "env",
    "halt",
    "halt_error",
    "debug",
    "debug_empty",
    "stderr",
    "stderr_empty",
    // The host's time zone.
    "localtime",
    "strflocaltime",
    // Expressions without a bound of size, ours are below.
    "matches",
    "split_matches",
    "split_",
    // Not as jq 1.6 has them.
    "ltrimstr",
    "rtrimstr",
    "decode_base64",
    "nan",
    "infinite",
    "isnan",
    "isinfinite",
    "from_entries",
];

/// Functions about time that take any number, under another name: ours look first.
const RENAMED: [(&str, &str); 4] =
    [("strftime", "strftime_"), ("gmtime", "gmtime_"), ("todateiso8601", "todateiso8601_"), ("mktime", "mktime_")];

/// What is defined in terms of the rest.
const PRELUDE: &str = r##"
def tonumber: if isnumber then . elif isstring then (fromjson | if isnumber then . else error("not a number") end) else error("not a number") end;
def in(xs): . as $x | xs | has($x);
def inside(xs): . as $x | xs | contains($x);
def index($i): indices($i) | .[0];
def rindex($i): indices($i) | .[-1:][0];
def transpose: (map(length) | max // 0) as $most | [range($most) as $at | map(.[$at])];
def in_time: if isnumber and (. > 253402207200 or . < -377705023201) then error("a time beyond the year 9999") end;
def strftime($format): in_time | strftime_($format);
def strflocaltime($format): in_time | strftime_($format);
def gmtime: in_time | gmtime_;
def localtime: in_time | gmtime_;
def mktime: mktime_;
def todateiso8601: in_time | todateiso8601_;
def todate: todateiso8601;
def date: todateiso8601;
def dateadd(unit; $n): . + $n;
def datesub(unit; $n): . - $n;
def ascii: [.] | implode;
def leaf_paths: paths(scalars);
def @json: tojson;
def @csv: map(if isstring then "\"" + gsub("\""; "\"\"") + "\"" elif isnumber or isboolean then tostring elif . == null then "" else error("not a value for @csv") end) | join(",");
def @tsv: map(if isstring then gsub("\\\\"; "\\\\") | gsub("\t"; "\\t") | gsub("\n"; "\\n") | gsub("\r"; "\\r") elif isnumber or isboolean then tostring elif . == null then "" else error("not a value for @tsv") end) | join("\t");
"##;

/// Definitions of all functions that are written in jq.
pub(super) fn defs() -> impl Iterator<Item = Def<&'static str>> {
    let renamed = |name: &str| RENAMED.iter().any(|(old, _)| *old == name);
    let theirs = jaq_core::defs().chain(jaq_std::defs());
    let theirs = theirs.filter(move |def| !LEFT_OUT.contains(&def.name) && !renamed(def.name) && def.name != "todate");
    // The prelude is text of ours, and a test reads it.
    theirs.chain(jaq_core::load::parse(PRELUDE, |parser| parser.defs()).unwrap_or_default())
}

/// All functions that are not.
pub(super) fn funs() -> impl Iterator<Item = Fun<Kind>> {
    let theirs = jaq_core::funs::<Kind>().chain(jaq_std::funs::<Kind>());
    let theirs = theirs.filter(|(name, ..)| !LEFT_OUT.contains(name)).map(|(name, arguments, fun)| {
        let renamed = RENAMED.iter().find(|(old, _)| *old == name);
        (renamed.map_or(name, |(_, new)| *new), arguments, fun)
    });
    theirs.chain(ours().into_iter().map(run::<Kind>))
}

fn ours() -> Vec<Filter<RunPtr<Kind>>> {
    vec![
        ("nan", v(0), |_| bome(Ok(Value::Float(f64::NAN)))),
        ("infinite", v(0), |_| bome(Ok(Value::Float(f64::INFINITY)))),
        ("isnan", v(0), |cv| bome(is(&cv.1, f64::is_nan))),
        ("isinfinite", v(0), |cv| bome(is(&cv.1, f64::is_infinite))),
        ("from_entries", v(0), |cv| bome(from_entries(cv.1))),
        ("tojson", v(0), |cv| bome(Ok(Value::text(&cv.1.to_json())))),
        ("fromjson", v(0), |cv| bome(from_json(&cv.1))),
        ("length", v(0), |cv| bome(length(cv.1))),
        ("contains", v(1), |cv| unary(cv, |whole, part| contains(&whole, &part).map(Value::Bool))),
        ("has", v(1), |cv| unary(cv, has)),
        ("indices", v(1), |cv| unary(cv, all_indices)),
        ("bsearch", v(1), |cv| unary(cv, search)),
        ("ltrimstr", v(1), |cv| {
            unary(cv, |text, affix| Ok(trim(text, &affix, |text, affix| text.strip_prefix(affix))))
        }),
        ("rtrimstr", v(1), |cv| {
            unary(cv, |text, affix| Ok(trim(text, &affix, |text, affix| text.strip_suffix(affix))))
        }),
        ("decode_base64", v(0), |cv| bome(decode_base64(&cv.1))),
        ("matches", v(2), |cv| expression(cv, regexes::Parts { between: false, matches: true })),
        ("split_matches", v(2), |cv| expression(cv, regexes::Parts { between: true, matches: true })),
        ("split_", v(2), |cv| expression(cv, regexes::Parts { between: true, matches: false })),
    ]
}

fn expression<'a>(mut cv: Cv<'a, Kind>, parts: regexes::Parts) -> ValXs<'a, Value> {
    let (flags, pattern) = (cv.0.pop_var(), cv.0.pop_var());
    box_once(regexes::run(&cv.1, &pattern, &flags, parts).map_err(Exn::from))
}

fn from_json(text: &Value) -> Result<Value, Error> {
    let text = text.as_text().ok_or_else(|| Error::typ(text.clone(), "string"))?;
    meter::spend(text.len() / 16);
    serde_json::from_str(text).map_err(|_| Error::str("not JSON"))
}

fn is(value: &Value, what: fn(f64) -> bool) -> Result<Value, Error> {
    value.number().map(|number| Value::Bool(what(number))).ok_or_else(|| Error::typ(value.clone(), "number"))
}

/// As jq 1.6 does: names and values go by many names.
fn from_entries(entries: Value) -> Result<Value, Error> {
    let mut map = Map::new();
    for entry in entries.into_values().map_err(|other| Error::typ(other, "array"))? {
        meter::spend(1);
        let Value::Object(members) = &entry else { return Err(Error::typ(entry, "object")) };
        let first = |names: &[&str]| {
            let mut found = names.iter().filter_map(|name| members.map.get(*name));
            found.find(|value| !matches!(value, Value::Null | Value::Bool(false))).cloned()
        };
        let name = match first(&["key", "k", "name", "Name", "K", "Key"]) {
            Some(Value::Text(name)) => name,
            Some(Value::Array(_) | Value::Object(_)) => return Err(Error::str("a name that is no text")),
            Some(other) => other.to_json().into(),
            None if members.map.get("key").is_some_and(|key| matches!(key, Value::Bool(_))) => "false".into(),
            None => "null".into(),
        };
        let given = ["value", "v", "Value", "V"].iter().find_map(|name| members.map.get(*name));
        map.insert(name, given.cloned().unwrap_or(Value::Null));
    }
    Ok(Value::object(map))
}

fn length(value: Value) -> Result<Value, Error> {
    Ok(match value {
        Value::Null => Value::Int(0),
        Value::Bool(_) => return Err(Error::typ(value, "value with a length")),
        Value::Int(int) => int.checked_abs().map_or(Value::Float(-(i64::MIN as f64)), Value::Int),
        Value::Float(float) => Value::Float(float.abs()),
        Value::Text(text) => {
            meter::spend(text.len() / 64);
            Value::from(text.chars().count())
        }
        Value::Array(items) => Value::from(items.values.len()),
        Value::Object(members) => Value::from(members.map.len()),
    })
}

fn contains(whole: &Value, part: &Value) -> Result<bool, Error> {
    meter::spend(1);
    match (whole, part) {
        (Value::Object(a), Value::Object(b)) => {
            for (name, part) in &b.map {
                match a.map.get(name) {
                    Some(whole) if contains(whole, part)? => {}
                    _ => return Ok(false),
                }
            }
            Ok(true)
        }
        (Value::Array(a), Value::Array(b)) => {
            for part in &b.values {
                let mut found = false;
                for whole in &a.values {
                    // Values of different kinds do not contain one another; that is no error here.
                    found = found || contains(whole, part).unwrap_or(false);
                }
                if !found {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        (Value::Text(a), Value::Text(b)) => {
            meter::spend(a.len() / 16);
            Ok(memchr::memmem::find(a.as_bytes(), b.as_bytes()).is_some())
        }
        (a, b)
            if std::mem::discriminant(a) == std::mem::discriminant(b)
                || a.number().is_some() && b.number().is_some() =>
        {
            Ok(a == b)
        }
        (a, _) => Err(Error::typ(a.clone(), "value of the kind it is compared with")),
    }
}

fn has(value: Value, name: Value) -> Result<Value, Error> {
    match (&value, &name) {
        (Value::Object(members), Value::Text(name)) => Ok(Value::Bool(members.map.contains_key(&**name))),
        (Value::Array(items), Value::Int(_) | Value::Float(_)) => {
            #[expect(clippy::cast_precision_loss, reason = "no array has 2^53 elements")]
            let count = items.values.len() as f64;
            Ok(Value::Bool(name.number().is_some_and(|at| (0.0..count).contains(&at))))
        }
        _ => Err(Error::index(value, name)),
    }
}

fn all_indices(whole: Value, part: Value) -> Result<Value, Error> {
    match (&whole, &part) {
        (Value::Null, _) => Ok(Value::Null),
        (Value::Text(a), Value::Text(b)) if b.is_empty() => {
            meter::spend(a.len() / 64);
            Ok(Value::Null)
        }
        (Value::Text(a), Value::Text(b)) => {
            // In characters, and overlapping.
            let (mut found, mut from, mut characters) = (Vec::new(), 0, 0);
            while let Some(at) = memchr::memmem::find(&a.as_bytes()[from..], b.as_bytes()) {
                meter::spend((at + b.len()) / 16);
                characters += a[from..from + at].chars().count();
                found.push(Value::from(characters));
                from += at + a[from + at..].chars().next().map_or(1, char::len_utf8);
                characters += 1;
            }
            meter::spend((a.len() - from) / 16);
            Ok(found.into_iter().collect())
        }
        (Value::Array(a), Value::Array(b)) => Ok(indices(&a.values, &b.values)),
        (Value::Array(a), one) => Ok(indices(&a.values, std::slice::from_ref(one))),
        _ => Err(Error::index(whole, part)),
    }
}

fn search(array: Value, value: Value) -> Result<Value, Error> {
    let Value::Array(items) = &array else { return Err(Error::typ(array, "array")) };
    let at = |at: usize| i64::try_from(at).unwrap_or(i64::MAX);
    Ok(Value::Int(items.values.binary_search(&value).map_or_else(|missing| -1 - at(missing), at)))
}

/// As jq 1.6 does: what is no text stays as it is.
fn trim(value: Value, affix: &Value, strip: for<'t> fn(&'t str, &str) -> Option<&'t str>) -> Value {
    match (&value, affix) {
        (Value::Text(text), Value::Text(affix)) => match strip(text, affix) {
            Some(rest) => Value::text(rest),
            None => value,
        },
        _ => value,
    }
}

/// As jq 1.6 does: padding may be missing, and what is no UTF-8 is replaced.
fn decode_base64(value: &Value) -> Result<Value, Error> {
    let text: &Rc<str> = value.as_text().ok_or_else(|| Error::typ(value.clone(), "string"))?;
    meter::text(text.len());
    let bytes = base64_simd::forgiving_decode_to_vec(text.as_bytes()).map_err(|_| Error::str("not base64"))?;
    Ok(Value::text(&String::from_utf8_lossy(&bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_prelude_is_read() {
        let defs = jaq_core::load::parse(PRELUDE, |parser| parser.defs()).expect("the prelude is jq");
        assert_eq!(defs.len(), PRELUDE.matches("\ndef ").count());
    }
}
