//! Reads the answers to bulk requests that the server carried out, item by item. HTTP 200 says nothing about a
//! document; an answer that does not fit its request says nothing at all. Refuses to repeat values of documents.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::Value;

use super::bulk::{Action, Item, Naming};
use crate::deliver::{Postponed, Receipt, Refused};

/// Longest message of a server that is kept, in characters: type and reason fit, a whole document does not.
const LONGEST_MESSAGE: usize = 300;

/// Where reasons begin to repeat values of the document.
const QUOTES: [&str; 3] = [" Preview of field's value", " The prefix of the first immense term", "For input string"];

/// Why an answer says nothing about its request, which hence has an unknown outcome.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unreadable {
    #[error("it is not the JSON of a bulk answer")]
    Shape,
    #[error("it has {found} items for {sent} documents")]
    Count { found: usize, sent: usize },
    #[error("its item {at} is about another document")]
    Order { at: usize },
}

#[derive(Deserialize)]
struct Answer<'a> {
    // Required, because an answer without it is something else's; what counts are the items.
    #[serde(rename = "errors")]
    _errors: bool,
    #[serde(borrow)]
    items: Vec<Entry<'a>>,
}

/// One member, named like the action.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Entry<'a> {
    #[serde(borrow)]
    Index(Outcome<'a>),
    #[serde(borrow)]
    Create(Outcome<'a>),
    #[serde(borrow)]
    Update(Outcome<'a>),
    #[serde(borrow)]
    Delete(Outcome<'a>),
}

#[derive(Deserialize)]
struct Outcome<'a> {
    #[serde(rename = "_id", borrow, default)]
    id: Option<Text<'a>>,
    status: u16,
    /// An object with `type` and `reason`; very old servers write a text.
    #[serde(default)]
    error: Option<Value>,
}

/// A text that is copied only when it holds escapes.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// What became of one document.
#[derive(Debug, PartialEq, Eq)]
enum Fate {
    Done,
    /// Something with this id was there before, and it may be this very document.
    Taken,
    Again,
    Refused,
}

/// Reads the answer to a request. What was not stored is added to `receipt`; what is returned are the items whose id
/// is taken, perhaps by an earlier attempt of theirs. `id` tells an item's id, as far as the server does not choose it.
///
/// # Errors
/// When the answer does not fit the request: then nothing was added, and nothing is known.
pub(super) fn read<'a>(
    body: &[u8],
    items: &[Item],
    id: impl Fn(&Item) -> Option<Cow<'a, str>>,
    receipt: &mut Receipt,
) -> Result<Vec<(Item, String)>, Unreadable> {
    let answer: Answer<'_> = serde_json::from_slice(body).map_err(|_| Unreadable::Shape)?;
    if answer.items.len() != items.len() {
        return Err(Unreadable::Count { found: answer.items.len(), sent: items.len() });
    }
    let mut read = Receipt::default();
    let mut taken = Vec::new();
    for (at, (item, entry)) in items.iter().zip(answer.items).enumerate() {
        let (action, outcome) = entry.into_parts();
        let fits = action == item.action.as_str()
            && match (id(item), &outcome.id) {
                (Some(sent), Some(Text(answered))) => sent == *answered,
                (Some(_), None) => false,
                (None, _) => true,
            };
        if !fits {
            return Err(Unreadable::Order { at });
        }
        match fate(item, &outcome) {
            Fate::Done => {}
            Fate::Taken => taken.push((*item, message(outcome.error.as_ref()))),
            Fate::Again => {
                let (code, message) = (code(outcome.status), message(outcome.error.as_ref()));
                read.again.push(Postponed { at: item.at, code, message: message.into() });
            }
            Fate::Refused => {
                let (code, message) = (code(outcome.status), message(outcome.error.as_ref()));
                read.refused.push(Refused { at: item.at, code, message });
            }
        }
    }
    receipt.again.append(&mut read.again);
    receipt.refused.append(&mut read.refused);
    Ok(taken)
}

impl<'a> Entry<'a> {
    fn into_parts(self) -> (&'static str, Outcome<'a>) {
        match self {
            Self::Index(outcome) => ("index", outcome),
            Self::Create(outcome) => ("create", outcome),
            Self::Update(outcome) => ("update", outcome),
            Self::Delete(outcome) => ("delete", outcome),
        }
    }
}

/// The table of items. What only time or an operator repairs is sent again; what is wrong with the document is not.
fn fate(item: &Item, outcome: &Outcome<'_>) -> Fate {
    match (outcome.status, item.action, item.naming) {
        (200..=299, ..) if outcome.error.is_none() => Fate::Done,
        // Nothing to take away, and no index missing: somebody did it before, most likely this record.
        (404, Action::Delete, _) if outcome.error.is_none() => Fate::Done,
        // Nobody else uses our ids.
        (409, Action::Create, Naming::Ours) => Fate::Done,
        (409, Action::Create, _) => Fate::Taken,
        // Somebody else wrote the document at the same time.
        (409, ..) => Fate::Again,
        // A blocked index and a missing permission are the operator's, not the document's.
        (401 | 403 | 408 | 429, ..) => Fate::Again,
        (400..=499, ..) => Fate::Refused,
        _ => Fate::Again,
    }
}

/// HTTP status as Firehose's error output writes it.
pub(super) fn code(status: u16) -> Cow<'static, str> {
    Cow::Borrowed(match status {
        400 => "400",
        403 => "403",
        404 => "404",
        409 => "409",
        413 => "413",
        429 => "429",
        500 => "500",
        503 => "503",
        other => return Cow::Owned(other.to_string()),
    })
}

/// `type: reason` of an error, without what it quotes of the document.
pub(super) fn message(error: Option<&Value>) -> String {
    let Some(error) = error else { return "the server gave no reason".to_owned() };
    let text = |name: &str| error.get(name).and_then(Value::as_str);
    let said = match (error.as_str(), text("type"), text("reason")) {
        (Some(said), ..) => said.to_owned(),
        (None, Some(kind), Some(reason)) => format!("{kind}: {reason}"),
        (None, Some(said), None) | (None, None, Some(said)) => said.to_owned(),
        (None, None, None) => "the server gave no reason".to_owned(),
    };
    let end = QUOTES.iter().filter_map(|quote| said.find(quote)).min().unwrap_or(said.len());
    said.get(..end).unwrap_or_default().chars().filter(|letter| !letter.is_control()).take(LONGEST_MESSAGE).collect()
}
