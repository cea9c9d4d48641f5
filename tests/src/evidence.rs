//! Records that carry their own proof: an id, a checksum over everything that matters, and the fate they ask for.
//!
//! A record is a function of its id alone, so the checker needs no memory of contents: from the id it knows the exact
//! bytes that were put. Refuses randomness.

use serde_json::{Value, json};

/// Place of a record in a producer's work. One lane is one connection that sends one request after the other, so
/// within a lane the order of numbers is the order of arrival.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id {
    /// Stream name.
    pub stream: String,
    /// Connection.
    pub lane: u32,
    /// Counted from 0 in each lane.
    pub number: u64,
}

impl Id {
    /// Reads `STREAM/LANE/NUMBER`.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('/');
        let id = Self {
            stream: parts.next()?.to_owned(),
            lane: parts.next()?.parse().ok()?,
            number: parts.next()?.parse().ok()?,
        };
        parts.next().is_none().then_some(id)
    }
}

impl std::fmt::Display for Id {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}/{}", self.stream, self.lane, self.number)
    }
}

/// What a stream's plugin is told to do with a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Deliver it.
    Deliver,
    /// Drop it on purpose: its level is `debug`.
    Drop,
    /// Send it to the error output: it is no JSON.
    Fail,
}

impl Fate {
    /// The fate that record `number` asks for: one in ten is dropped, one in fifty fails.
    pub fn of(number: u64) -> Self {
        match number % 50 {
            7 => Self::Fail,
            at if at % 10 == 3 => Self::Drop,
            _ => Self::Deliver,
        }
    }
}

/// The bytes of a record, with its newline.
pub fn record(id: &Id) -> Vec<u8> {
    let text = text_of(id);
    let level = level_of(id.number);
    let check = checksum(&id.to_string(), level, &text);
    let line = match Fate::of(id.number) {
        Fate::Fail => format!("broken {id} {check} {text}\n"),
        Fate::Deliver | Fate::Drop => {
            let amount = amount_of(id.number);
            let value = json!({"id": id.to_string(), "level": level, "amount": amount, "check": check, "text": text});
            format!("{value}\n")
        }
    };
    line.into_bytes()
}

/// A few of them, so that partitions can be told apart by it; `debug` asks to be dropped.
pub fn level_of(number: u64) -> &'static str {
    const LEVELS: [&str; 4] = ["info", "notice", "warn", "error"];
    let at = usize::try_from(number / 3 % 4).unwrap_or(0);
    if Fate::of(number) == Fate::Drop { "debug" } else { LEVELS[at] }
}

/// A number, or a word where a record asks to be dropped: what looks at numbers refuses it instead.
fn amount_of(number: u64) -> Value {
    if Fate::of(number) == Fate::Drop { json!("none") } else { json!(number) }
}

/// The id that a delivered line claims, whatever else it holds.
pub fn claimed_id(line: &[u8]) -> Option<Id> {
    if let Some(rest) = line.strip_prefix(b"broken ") {
        let word = rest.split(|&byte| byte == b' ').next()?;
        return Id::parse(std::str::from_utf8(word).ok()?);
    }
    let value: Value = serde_json::from_slice(line).ok()?;
    Id::parse(value.get("id")?.as_str()?)
}

/// True when a line that a plugin may have rewritten still holds the id, level and text that its checksum covers,
/// the amount, and the checksum that was put.
pub fn is_intact(line: &[u8], id: &Id) -> bool {
    let Ok(value) = serde_json::from_slice::<Value>(line) else { return false };
    let member = |name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let check = checksum(&member("id"), &member("level"), &member("text"));
    let amount = value.get("amount") == Some(&amount_of(id.number));
    check == member("check") && member("id") == id.to_string() && member("text") == text_of(id) && amount
}

fn checksum(id: &str, level: &str, text: &str) -> String {
    let sum = crc32c::crc32c(format!("{id}|{level}|{text}").as_bytes());
    format!("{sum:08x}")
}

/// Text of 0 to 400 bytes that differs from record to record, with characters that trip careless code.
fn text_of(id: &Id) -> String {
    const WORDS: [&str; 8] =
        ["invoice", "na\u{ef}ve", "\"quoted\"", "back\\slash", "\u{1F6D2}", "</td>", "0.1e-7", "=;,"];
    let mut rng = fastrand::Rng::with_seed(u64::from(crc32c::crc32c(id.to_string().as_bytes())));
    let count = rng.usize(0..40);
    (0..count).map(|_| WORDS[rng.usize(0..WORDS.len())]).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u64) -> Id {
        Id { stream: "clicks".into(), lane: 2, number }
    }

    #[test]
    fn a_record_names_itself_and_is_one_line() {
        for number in 0..200 {
            let line = record(&id(number));
            assert_eq!(line.iter().filter(|&&byte| byte == b'\n').count(), 1);
            assert_eq!(claimed_id(line.trim_ascii_end()), Some(id(number)));
        }
    }

    #[test]
    fn an_added_member_is_not_damage_and_a_changed_text_is() {
        let mut value: Value = serde_json::from_slice(&record(&id(1))).unwrap();
        value["region"] = json!("eu");
        assert!(is_intact(value.to_string().as_bytes(), &id(1)));
        value["text"] = json!("something else");
        assert!(!is_intact(value.to_string().as_bytes(), &id(1)));
    }

    #[test]
    fn another_records_contents_under_this_id_are_damage() {
        let other = record(&id(2));
        assert!(!is_intact(other.trim_ascii_end(), &id(1)));
    }
}
