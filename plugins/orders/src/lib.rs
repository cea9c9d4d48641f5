//! Cleans the orders of an online shop: trims texts, computes totals, drops heartbeats and test articles, partitions by
//! country.
//!
//! In: `{"date":"2026-11-21T08:26:00Z","order":"536365","stock_code":" 85123a ","quantity":6,"price":2.55,
//! "customer":"17850","country":"United Kingdom"}`. Out: the same, clean, with `total`. Fails what is no such order,
//! saying why.

use std::borrow::Cow;

use hydrant_plugin::{Outcome, Record};
use serde::{Deserialize, Serialize};

#[derive(Deserialize)]
struct Raw<'a> {
    /// Absent in orders; monitoring sends `"heartbeat"` down the same stream.
    #[serde(borrow, default)]
    kind: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    date: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    order: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    stock_code: Option<Cow<'a, str>>,
    #[serde(default)]
    quantity: Option<i64>,
    #[serde(default)]
    price: Option<f64>,
    #[serde(borrow, default)]
    customer: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    country: Option<Cow<'a, str>>,
}

#[derive(Serialize)]
struct Clean<'a> {
    date: &'a str,
    order: &'a str,
    stock_code: Cow<'a, str>,
    quantity: i64,
    price: f64,
    total: f64,
    /// Guests buy without an account.
    #[serde(skip_serializing_if = "Option::is_none")]
    customer: Option<&'a str>,
    country: &'a str,
}

/// Why an order is none.
#[derive(Debug)]
pub enum Malformed {
    /// The record is no JSON object of the right types.
    Json(serde_json::Error),
    /// A member is missing or blank.
    Missing(&'static str),
    /// A member holds what no order has.
    Wrong(&'static str),
}

impl std::fmt::Display for Malformed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Json(error) => write!(f, "no order: {error}"),
            Self::Missing(member) => write!(f, "no order: {member} is missing"),
            Self::Wrong(rule) => write!(f, "no order: {rule}"),
        }
    }
}

impl From<serde_json::Error> for Malformed {
    fn from(error: serde_json::Error) -> Self {
        Self::Json(error)
    }
}

/// One record.
///
/// # Errors
/// Why it is no order.
pub fn transform(mut record: Record<'_>) -> Result<Outcome, Malformed> {
    let raw: Raw<'_> = serde_json::from_slice(record.data())?;
    if raw.kind.as_deref() == Some("heartbeat") {
        return Ok(Outcome::Drop);
    }
    let stock_code = upper_case(text(raw.stock_code.as_deref(), "stock_code")?);
    if stock_code.starts_with("TEST") {
        return Ok(Outcome::Drop);
    }
    let quantity = raw.quantity.ok_or(Malformed::Missing("quantity"))?;
    let price = raw.price.ok_or(Malformed::Missing("price"))?;
    if quantity == 0 || quantity.unsigned_abs() > MOST_PIECES {
        return Err(Malformed::Wrong("quantity is 0 or beyond a million"));
    }
    if !(0.0..=HIGHEST_PRICE).contains(&price) {
        return Err(Malformed::Wrong("price is negative or beyond a million"));
    }
    let country = text(raw.country.as_deref(), "country")?;
    let clean = Clean {
        date: text(raw.date.as_deref(), "date")?,
        order: text(raw.order.as_deref(), "order")?,
        stock_code,
        quantity,
        price,
        total: cents(quantity as f64 * price),
        customer: raw.customer.as_deref().map(str::trim).filter(|customer| !customer.is_empty()),
        country,
    };
    serde_json::to_writer(record.output(), &clean)?;
    record.set("country", country);
    Ok(Outcome::Replace)
}

hydrant_plugin::plugin!(transform);

fn text<'a>(member: Option<&'a str>, name: &'static str) -> Result<&'a str, Malformed> {
    member.map(str::trim).filter(|text| !text.is_empty()).ok_or(Malformed::Missing(name))
}

fn upper_case(code: &str) -> Cow<'_, str> {
    if code.bytes().any(|byte| byte.is_ascii_lowercase()) {
        Cow::Owned(code.to_ascii_uppercase())
    } else {
        Cow::Borrowed(code)
    }
}

fn cents(amount: f64) -> f64 {
    (amount * 100.0).round() / 100.0
}

/// Returns are negative; a wholesaler's largest order is some 80,000 pieces.
const MOST_PIECES: u64 = 1_000_000;
const HIGHEST_PRICE: f64 = 1_000_000.0;

#[cfg(test)]
mod tests {
    use hydrant_plugin::testing::{Fate, run};

    use super::*;

    fn fate(record: &str) -> Fate {
        run(transform, &[record]).remove(0)
    }

    fn reason(record: &str) -> String {
        match fate(record) {
            Fate::Failed(reason) => reason,
            other => panic!("{record} became {other:?}"),
        }
    }

    #[test]
    fn an_order_is_cleaned_and_totalled() {
        let fate = fate(
            r#"{"date":"2026-11-21T08:26:00Z","order":" 536365","stock_code":" 85123a ","quantity":6,"price":2.55,"customer":" 17850 ","country":"United Kingdom","extra":1}"#,
        );
        let clean = r#"{"date":"2026-11-21T08:26:00Z","order":"536365","stock_code":"85123A","quantity":6,"price":2.55,"total":15.3,"customer":"17850","country":"United Kingdom"}"#;
        assert_eq!(fate.text(), [clean]);
        let Fate::Replaced(records) = fate else { panic!("replaced") };
        assert_eq!(records[0].columns.get("country").map(String::as_str), Some("United Kingdom"));
    }

    #[test]
    fn a_guest_has_no_customer_and_a_return_a_negative_total() {
        let fate = fate(
            r#"{"date":"2026-11-21T08:26:00Z","order":"C1","stock_code":"D","quantity":-2,"price":0.1,"customer":"","country":"Île-de-France"}"#,
        );
        let clean = r#"{"date":"2026-11-21T08:26:00Z","order":"C1","stock_code":"D","quantity":-2,"price":0.1,"total":-0.2,"country":"Île-de-France"}"#;
        assert_eq!(fate.text(), [clean]);
    }

    #[test]
    fn heartbeats_and_test_articles_are_dropped() {
        assert_eq!(fate(r#"{"kind":"heartbeat"}"#), Fate::Dropped);
        assert_eq!(fate(r#"{"stock_code":"test001","quantity":1}"#), Fate::Dropped);
    }

    #[test]
    fn what_is_no_order_fails_with_a_reason() {
        assert!(reason("not json").starts_with("no order: expected"));
        assert!(reason("").starts_with("no order: EOF"));
        assert_eq!(reason(r#"{"level":"info"}"#), "no order: stock_code is missing");
        assert_eq!(reason(r#"{"stock_code":"A","quantity":1,"price":1}"#), "no order: country is missing");
        assert!(reason(r#"{"stock_code":"A","quantity":"six"}"#).contains("invalid type"));
        let wrong = |quantity: &str, price: &str| {
            reason(&format!(
                r#"{{"date":"d","order":"o","stock_code":"A","quantity":{quantity},"price":{price},"country":"c"}}"#
            ))
        };
        assert!(wrong("0", "1").contains("quantity is 0"));
        assert!(wrong("1", "-1").contains("price is negative"));
    }
}
