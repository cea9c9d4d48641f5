//! Orders of an online shop, the same for every run: mostly good, some heartbeats and test articles, a few malformed.
//! Refuses chance that cannot be repeated.

use fastrand::Rng;
use jiff::Timestamp;

/// What becomes of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderKind {
    /// The plugin keeps it.
    Good,
    /// A till's heartbeat or the shop's own test article; the plugin drops it.
    Noise,
    /// The plugin cannot read it.
    Malformed,
}

/// One line of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// What becomes of it.
    pub kind: OrderKind,
    /// JSON without a newline; or not quite JSON.
    pub text: String,
}

/// An endless day in the shop.
#[derive(Debug)]
pub struct Orders {
    random: Rng,
    /// Seconds since 1970.
    second: i64,
    id: u64,
    lines_left: u32,
    is_return: bool,
    customer: String,
    country: &'static str,
}

/// Of 1,000 lines, so many are heartbeats of tills.
const HEARTBEATS_PER_MILLE: u32 = 20;
/// Of 1,000 lines, so many order the shop's own test articles.
const TESTS_PER_MILLE: u32 = 30;
/// Of 1,000 lines, so many are malformed.
const MALFORMED_PER_MILLE: u32 = 10;
/// One order in so many is a return: its id begins with C, its quantities are negative.
const RETURNS_ONE_IN: u32 = 50;
/// One order in so many is a guest's, who has no customer number.
const GUESTS_ONE_IN: u32 = 10;
/// One stock code in so many was typed by hand.
const TYPED_ONE_IN: u32 = 20;
/// 2026-11-02T08:00:00Z, a Monday morning.
const OPENING: i64 = 1_793_606_400;

/// Stock code and price in pence.
const GOODS: [(&str, u32); 24] = [
    ("85123A", 255),
    ("71053", 339),
    ("84406B", 275),
    ("84029G", 339),
    ("84029E", 339),
    ("22752", 765),
    ("21730", 425),
    ("22633", 185),
    ("22632", 185),
    ("84879", 169),
    ("22745", 210),
    ("22748", 210),
    ("22749", 375),
    ("22310", 165),
    ("84969", 425),
    ("22623", 495),
    ("22622", 995),
    ("21754", 595),
    ("21755", 595),
    ("21777", 795),
    ("48187", 795),
    ("22960", 425),
    ("22913", 495),
    ("10002", 85),
];

/// Country and its share of 100 orders.
const COUNTRIES: [(&str, u32); 9] = [
    ("United Kingdom", 81),
    ("Germany", 5),
    ("France", 4),
    ("EIRE", 3),
    ("Spain", 2),
    ("Netherlands", 2),
    ("Belgium", 1),
    ("Switzerland", 1),
    ("Côte d'Ivoire", 1),
];

impl Orders {
    /// The same orders for the same seed.
    pub fn new(seed: u64) -> Self {
        let random = Rng::with_seed(seed);
        let customer = String::new();
        Self { random, second: OPENING, id: 536_364, lines_left: 0, is_return: false, customer, country: "" }
    }

    /// Somebody else fills a basket.
    fn turn(&mut self) {
        self.id += 1;
        self.second += self.random.i64(0..3);
        self.lines_left = self.random.u32(1..=12);
        self.is_return = self.random.u32(0..RETURNS_ONE_IN) == 0;
        self.customer = match self.random.u32(0..GUESTS_ONE_IN) {
            0 => String::new(),
            _ => self.random.u32(12_346..=18_287).to_string(),
        };
        let mut ticket = self.random.u32(0..100);
        for (country, share) in COUNTRIES {
            self.country = country;
            if ticket < share {
                break;
            }
            ticket -= share;
        }
    }

    fn date(&self) -> Timestamp {
        Timestamp::from_second(self.second).unwrap_or_default()
    }

    fn line(&mut self, stock_code: &str, pence: u32) -> String {
        let (date, price) = (self.date(), f64::from(pence) / 100.0);
        let Self { id, is_return, customer, country, random, .. } = self;
        let (mark, sign) = if *is_return { ("C", "-") } else { ("", "") };
        let quantity = random.u32(1..=24);
        format!(
            r#"{{"date":"{date}","order":"{mark}{id}","stock_code":"{stock_code}","quantity":{sign}{quantity},"price":{price},"customer":"{customer}","country":"{country}"}}"#
        )
    }

    /// A line for a good order.
    fn good(&mut self) -> Option<String> {
        let (stock_code, pence) = self.random.choice(GOODS)?;
        match self.random.u32(0..TYPED_ONE_IN) {
            0 => Some(self.line(&format!(" {} ", stock_code.to_lowercase()), pence)),
            _ => Some(self.line(stock_code, pence)),
        }
    }

    /// The ways in which tills and scripts get it wrong.
    fn spoil(&mut self, line: &str) -> String {
        match self.random.u32(0..4) {
            // Cut off in the middle of its country.
            0 => line.trim_end_matches(|last: char| !last.is_ascii_alphabetic()).to_owned(),
            1 => line.replacen("\"stock_code\":", "\"sku\":", 1),
            2 => line.replacen("\"quantity\":", "\"quantity\":\"about \",\"n\":", 1),
            _ => format!("till {}: printer out of paper", self.random.u32(1..=40)),
        }
    }
}

impl Iterator for Orders {
    type Item = Order;

    fn next(&mut self) -> Option<Order> {
        if self.lines_left == 0 {
            self.turn();
        }
        self.lines_left -= 1;
        let ticket = self.random.u32(0..1000);
        let (kind, text) = if ticket < HEARTBEATS_PER_MILLE {
            let till = self.random.u32(1..=40);
            (OrderKind::Noise, format!(r#"{{"kind":"heartbeat","date":"{}","till":{till}}}"#, self.date()))
        } else if ticket < HEARTBEATS_PER_MILLE + TESTS_PER_MILLE {
            let stock_code = format!("TEST{:03}", self.random.u32(0..1000));
            (OrderKind::Noise, self.line(&stock_code, 1))
        } else if ticket < HEARTBEATS_PER_MILLE + TESTS_PER_MILLE + MALFORMED_PER_MILLE {
            let line = self.good()?;
            (OrderKind::Malformed, self.spoil(&line))
        } else {
            (OrderKind::Good, self.good()?)
        };
        Some(Order { kind, text })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn every_run_is_the_same() {
        let first: Vec<Order> = Orders::new(1).take(1000).collect();
        assert_eq!(first, Orders::new(1).take(1000).collect::<Vec<_>>());
        assert_ne!(first, Orders::new(2).take(1000).collect::<Vec<_>>());
    }

    #[test]
    fn kinds_are_what_they_say() {
        let mut counts = [0_u32; 3];
        for Order { kind, text } in Orders::new(7).take(20_000) {
            assert!(!text.contains('\n') && !text.is_empty());
            let order: Option<Value> = serde_json::from_str(&text).ok();
            let heartbeat = order.as_ref().is_some_and(|order| order["kind"] == "heartbeat");
            let good = order.filter(|order| order["stock_code"].is_string() && order["quantity"].is_i64());
            match kind {
                OrderKind::Malformed => assert!(good.is_none() && !heartbeat, "{text}"),
                OrderKind::Noise if heartbeat => {}
                kind => {
                    let order = good.unwrap_or_else(|| panic!("not an order: {text}"));
                    let test = order["stock_code"].as_str().is_some_and(|code| code.starts_with("TEST"));
                    assert_eq!(test, kind == OrderKind::Noise, "{text}");
                    assert!(order["price"].is_f64() || order["price"].is_u64(), "{text}");
                    assert!(order["date"].as_str().is_some_and(|date| date.starts_with("2026-11-0")), "{text}");
                    let is_return = order["order"].as_str().is_some_and(|id| id.starts_with('C'));
                    assert_eq!(is_return, order["quantity"].as_i64().is_some_and(i64::is_negative), "{text}");
                }
            }
            counts[kind as usize] += 1;
        }
        assert!((900..1100).contains(&counts[OrderKind::Noise as usize]), "{counts:?}");
        assert!((150..250).contains(&counts[OrderKind::Malformed as usize]), "{counts:?}");
    }

    #[test]
    fn an_order_looks_like_this() {
        let order = Orders::new(1).find(|order| order.kind == OrderKind::Good).expect("an order");
        let order: Value = serde_json::from_str(&order.text).expect("JSON");
        let members: Vec<&String> = order.as_object().expect("an object").keys().collect();
        assert_eq!(members, ["date", "order", "stock_code", "quantity", "price", "customer", "country"]);
        assert!(order["date"].as_str().is_some_and(|date| date.starts_with("2026-11-02T08:00:0")));
    }
}
