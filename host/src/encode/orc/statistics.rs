//! What is known of the values of a column in a row group, a stripe or a file: how many, and between which bounds.
//!
//! Refuses to guess: where bounds would be wrong or long, there are none.

use std::ops::Range;

use super::message::Message;
use crate::convert::{Type, Values};

/// Texts longer than this are no bounds: an index is small.
const MOST_BOUND_BYTES: usize = 1_024;

const MILLI_NANOS: i64 = 1_000_000;
const SECOND_NANOS: i64 = 1_000_000_000;

/// Values that are there, whether any is missing, and what else is known.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Statistics {
    count: u64,
    has_null: bool,
    known: Known,
}

#[derive(Clone, Debug, Default, PartialEq)]
enum Known {
    /// There is no value.
    #[default]
    None,
    /// There are values and nothing is said of them.
    Unsaid,
    Integers {
        least: i64,
        most: i64,
        /// None when it is too large.
        sum: Option<i64>,
    },
    Floats {
        least: f64,
        most: f64,
        sum: f64,
    },
    Texts {
        /// None when one of them is long.
        bounds: Option<(Vec<u8>, Vec<u8>)>,
        bytes: u64,
    },
    Flags {
        true_count: u64,
    },
    Decimals {
        least: i128,
        most: i128,
        scale: u8,
    },
    Days {
        least: i32,
        most: i32,
    },
    Blobs {
        bytes: u64,
    },
    /// Milliseconds since 1970, rounded down; readers add what may be missing at the upper end.
    Instants {
        least_ms: i64,
        most_ms: i64,
    },
}

impl Statistics {
    /// Of rows without values of their own.
    pub(super) fn rows(count: usize) -> Self {
        Self { count: count as u64, has_null: false, known: Known::None }
    }

    /// Of the values at `range`, where `has_null` says that others are missing.
    pub(super) fn of(kind: &Type, values: &Values, range: Range<usize>, has_null: bool) -> Self {
        let count = range.len() as u64;
        let known = if range.is_empty() { Known::None } else { known(kind, values, range) };
        Self { count, has_null, known }
    }

    /// Adds what is known of others.
    pub(super) fn add(&mut self, other: Self) {
        self.count += other.count;
        self.has_null |= other.has_null;
        self.known = join(std::mem::take(&mut self.known), other.known);
    }

    /// As the format has it.
    pub(super) fn message(&self) -> Message {
        let own = Message::default();
        let message = Message::default().number(1, self.count);
        let message = match &self.known {
            Known::None | Known::Unsaid => message,
            Known::Integers { least, most, sum } => {
                let bounds = own.signed(1, *least).signed(2, *most);
                message.message(2, sum.map_or(bounds.clone(), |sum| bounds.signed(3, sum)))
            }
            Known::Floats { least, most, sum } => {
                message.message(3, own.double(1, *least).double(2, *most).double(3, *sum))
            }
            Known::Texts { bounds, bytes } => {
                let bounded = match bounds {
                    Some((least, most)) => own.bytes(1, least).bytes(2, most),
                    None => own,
                };
                message.message(4, bounded.signed(3, bytes.cast_signed()))
            }
            Known::Flags { true_count } => message.message(5, own.packed(1, [*true_count])),
            Known::Decimals { least, most, scale } => {
                let text = |value| decimal(value, *scale).into_bytes();
                message.message(6, own.bytes(1, &text(*least)).bytes(2, &text(*most)))
            }
            Known::Days { least, most } => {
                message.message(7, own.signed(1, i64::from(*least)).signed(2, i64::from(*most)))
            }
            Known::Blobs { bytes } => message.message(8, own.signed(1, bytes.cast_signed())),
            // Of the writer's time zone, which is UTC, and of UTC.
            Known::Instants { least_ms, most_ms } => {
                let local = own.signed(1, *least_ms).signed(2, *most_ms);
                message.message(9, local.signed(3, *least_ms).signed(4, *most_ms))
            }
        };
        message.number(10, u64::from(self.has_null))
    }
}

/// Of at least one value.
fn known(kind: &Type, values: &Values, range: Range<usize>) -> Known {
    match (values, kind) {
        (Values::Boolean(values), _) => {
            Known::Flags { true_count: values[range].iter().filter(|&&value| value).count() as u64 }
        }
        (Values::Int(values), Type::Date) => {
            let (least, most) = bounds(values[range].iter().copied());
            Known::Days { least, most }
        }
        (Values::Int(values), _) => integers(values[range].iter().copied().map(i64::from)),
        (Values::BigInt(values), Type::Timestamp) => instants(&values[range]),
        (Values::BigInt(values), _) => integers(values[range].iter().copied()),
        (Values::Float(values), _) => floats(values[range].iter().copied().map(f64::from)),
        (Values::Double(values), _) => floats(values[range].iter().copied()),
        (Values::Decimal(values), Type::Decimal { scale, .. }) => {
            let (least, most) = bounds(values[range].iter().copied());
            Known::Decimals { least, most, scale: *scale }
        }
        (Values::Bytes(texts), Type::Binary) => Known::Blobs { bytes: texts.bytes(range) },
        (Values::Bytes(texts), _) => {
            let (least, most) = bounds(range.clone().map(|at| texts.get(at)));
            let is_short = least.len().max(most.len()) <= MOST_BOUND_BYTES;
            Known::Texts { bounds: is_short.then(|| (least.to_vec(), most.to_vec())), bytes: texts.bytes(range) }
        }
        _ => Known::Unsaid,
    }
}

/// The least and the most of some values; there is one.
fn bounds<T: Ord + Copy + Default>(mut values: impl Iterator<Item = T>) -> (T, T) {
    let first = values.next().unwrap_or_default();
    values.fold((first, first), |(least, most), value| (least.min(value), most.max(value)))
}

fn integers(values: impl Iterator<Item = i64> + Clone) -> Known {
    let (least, most) = bounds(values.clone());
    let mut values = values;
    let sum = values.try_fold(0_i64, i64::checked_add);
    Known::Integers { least, most, sum }
}

/// Without bounds where one of them is no number.
fn floats(values: impl Iterator<Item = f64> + Clone) -> Known {
    if values.clone().any(f64::is_nan) {
        return Known::Unsaid;
    }
    let (least, most, sum) = values.fold((f64::INFINITY, f64::NEG_INFINITY, 0.0), |(least, most, sum), value| {
        (value.min(least), value.max(most), sum + value)
    });
    Known::Floats { least, most, sum }
}

/// Without bounds where a reader may see another second than was written: see `stripe`.
fn instants(values: &[i64]) -> Known {
    if values.iter().any(|value| (-SECOND_NANOS + 1..0).contains(value)) {
        return Known::Unsaid;
    }
    let (least, most) = bounds(values.iter().copied());
    Known::Instants { least_ms: least.div_euclid(MILLI_NANOS), most_ms: most.div_euclid(MILLI_NANOS) }
}

fn join(one: Known, other: Known) -> Known {
    use Known::{Blobs, Days, Decimals, Flags, Floats, Instants, Integers, None as Nothing, Texts, Unsaid};
    match (one, other) {
        (Nothing, known) | (known, Nothing) => known,
        (Integers { least: a, most: b, sum: c }, Integers { least, most, sum }) => {
            let sum = c.zip(sum).and_then(|(one, other)| one.checked_add(other));
            Integers { least: a.min(least), most: b.max(most), sum }
        }
        (Floats { least: a, most: b, sum: c }, Floats { least, most, sum }) => {
            Floats { least: a.min(least), most: b.max(most), sum: c + sum }
        }
        (Texts { bounds: a, bytes: b }, Texts { bounds, bytes }) => {
            let bounds = a.zip(bounds).map(|((a, b), (least, most))| (a.min(least), b.max(most)));
            Texts { bounds, bytes: b + bytes }
        }
        (Flags { true_count: a }, Flags { true_count }) => Flags { true_count: a + true_count },
        (Decimals { least: a, most: b, scale }, Decimals { least, most, .. }) => {
            Decimals { least: a.min(least), most: b.max(most), scale }
        }
        (Days { least: a, most: b }, Days { least, most }) => Days { least: a.min(least), most: b.max(most) },
        (Blobs { bytes: a }, Blobs { bytes }) => Blobs { bytes: a + bytes },
        (Instants { least_ms: a, most_ms: b }, Instants { least_ms, most_ms }) => {
            Instants { least_ms: a.min(least_ms), most_ms: b.max(most_ms) }
        }
        _ => Unsaid,
    }
}

/// A decimal with its point.
fn decimal(value: i128, scale: u8) -> String {
    let digits = format!("{:0>width$}", value.unsigned_abs(), width = usize::from(scale) + 1);
    let (whole, fraction) = digits.split_at(digits.len() - usize::from(scale));
    let sign = if value < 0 { "-" } else { "" };
    if fraction.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_have_their_point() {
        let texts =
            [(0, 0), (0, 2), (-5, 2), (123_456, 2), (7, 0), (-100, 2)].map(|(value, scale)| decimal(value, scale));
        assert_eq!(texts, ["0", "0.00", "-0.05", "1234.56", "7", "-1.00"]);
    }

    #[test]
    fn what_cannot_be_bounded_is_not() {
        let statistics =
            |values: &[f64]| Statistics::of(&Type::Double, &Values::Double(values.to_vec()), 0..values.len(), false);
        let mut all = statistics(&[1.0, -2.0]);
        assert_eq!(all.known, Known::Floats { least: -2.0, most: 1.0, sum: -1.0 });
        all.add(statistics(&[]));
        all.add(statistics(&[f64::NAN]));
        all.add(statistics(&[3.0]));
        assert_eq!((all.count, all.known), (4, Known::Unsaid));
        let large = Values::BigInt(vec![i64::MAX, 1]);
        let sum = Statistics::of(&Type::BigInt, &large, 0..2, true);
        assert_eq!(sum.known, Known::Integers { least: 1, most: i64::MAX, sum: None });
        let odd = Statistics::of(&Type::Timestamp, &Values::BigInt(vec![5, -5]), 0..2, false);
        assert_eq!(odd.known, Known::Unsaid);
    }
}
