//! Run lengths: of bytes, of bits, and of integers in the first form, whose runs may climb by a fixed step.
//!
//! Refuses nothing; the worst case is one byte more per 128 values.

use super::column::{Encoded, Within, by_group};
use super::message::{varint, zigzag};

/// Values in a run at least.
const LEAST_RUN: usize = 3;
/// Values in a run at most: what a byte says beyond the least.
const MOST_RUN: usize = 127 + LEAST_RUN;
/// Values in a stretch without runs at most.
const MOST_LITERALS: usize = 128;

/// Flags, eight to a byte, first one highest.
pub(super) fn bits(flags: &[bool], cuts: &[usize]) -> Encoded {
    let packed: Vec<u8> = flags
        .chunks(8)
        .map(|chunk| chunk.iter().enumerate().fold(0, |byte, (at, &flag)| byte | u8::from(flag) << (7 - at)))
        .collect();
    let of_bytes: Vec<usize> = cuts.iter().map(|cut| cut / 8).collect();
    let bits = cuts.iter().map(|cut| cut.to_le_bytes()[0] % 8).collect();
    Encoded { within: Within::Bits(bits), ..bytes(&packed, &of_bytes) }
}

/// Bytes.
pub(super) fn bytes(values: &[u8], cuts: &[usize]) -> Encoded {
    let step = |first, second| if first == second { Some(0) } else { None };
    in_runs(values, cuts, |values, out| encode(values, step, |value, out| out.push(value), None, out))
}

/// Numbers with a sign.
pub(super) fn signed(values: &[i64], cuts: &[usize]) -> Encoded {
    let put = |value, out: &mut Vec<u8>| varint(zigzag(value), out);
    in_runs(values, cuts, |values, out| encode(values, step, put, Some(()), out))
}

/// Numbers without one.
pub(super) fn unsigned(values: &[i64], cuts: &[usize]) -> Encoded {
    let put = |value: i64, out: &mut Vec<u8>| varint(value.cast_unsigned(), out);
    in_runs(values, cuts, |values, out| encode(values, step, put, Some(()), out))
}

fn in_runs<T>(values: &[T], cuts: &[usize], encode: impl FnMut(&[T], &mut Vec<u8>)) -> Encoded {
    Encoded { within: Within::Runs, ..by_group(values, cuts, encode) }
}

/// How far the second is from the first, when a byte can say it.
fn step(first: i64, second: i64) -> Option<i8> {
    second.checked_sub(first).and_then(|step| i8::try_from(step).ok())
}

/// Cuts values into runs and literals. A run of integers has a byte for its step; one of bytes has none.
fn encode<T: Copy>(
    values: &[T],
    step: impl Fn(T, T) -> Option<i8>,
    put: impl Fn(T, &mut Vec<u8>),
    has_step: Option<()>,
    out: &mut Vec<u8>,
) {
    let mut literals = 0;
    let mut at = 0;
    while at < values.len() {
        let (length, by) = run(&values[at..], &step);
        if length < LEAST_RUN {
            literals += 1;
            at += 1;
            if literals == MOST_LITERALS {
                flush(&values[at - literals..at], &put, out);
                literals = 0;
            }
            continue;
        }
        flush(&values[at - literals..at], &put, out);
        literals = 0;
        // Between 0 and 127, as lengths are.
        out.push(u8::try_from(length - LEAST_RUN).unwrap_or(0));
        if has_step.is_some() {
            out.push(by.cast_unsigned());
        }
        put(values[at], out);
        at += length;
    }
    flush(&values[at - literals..at], &put, out);
}

/// Length and step of the run at the beginning.
fn run<T: Copy>(values: &[T], step: &impl Fn(T, T) -> Option<i8>) -> (usize, i8) {
    let Some(by) = values.get(1).and_then(|&second| step(values[0], second)) else { return (1, 0) };
    let pairs = values.windows(2).take(MOST_RUN - 1);
    (1 + pairs.take_while(|pair| step(pair[0], pair[1]) == Some(by)).count(), by)
}

fn flush<T: Copy>(literals: &[T], put: &impl Fn(T, &mut Vec<u8>), out: &mut Vec<u8>) {
    if literals.is_empty() {
        return;
    }
    // Minus the count; 128 is its own opposite in a byte.
    out.push(u8::try_from(literals.len()).unwrap_or(0).wrapping_neg());
    for &value in literals {
        put(value, out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of the format's specification.
    #[test]
    fn runs_are_those_of_the_specification() {
        assert_eq!(bytes(&[0; 100], &[0]).bytes, [0x61, 0x00]);
        assert_eq!(bytes(&[0x44, 0x45], &[0]).bytes, [0xFE, 0x44, 0x45]);
        assert_eq!(bits(&[true, false, false, false, false, false, false, false], &[0]).bytes, [0xFF, 0x80]);
        assert_eq!(unsigned(&[7; 100], &[0]).bytes, [0x61, 0x00, 0x07]);
        let falling: Vec<i64> = (1..=100).rev().collect();
        assert_eq!(unsigned(&falling, &[0]).bytes, [0x61, 0xFF, 0x64]);
        assert_eq!(unsigned(&[2, 3, 6, 7, 11], &[0]).bytes, [0xFB, 0x02, 0x03, 0x06, 0x07, 0x0B]);
    }

    #[test]
    fn runs_and_literals_have_their_longest() {
        assert_eq!(bytes(&[5; 131], &[0]).bytes, [0x7F, 5, 0xFF, 5]);
        let mixed: Vec<u8> = (0..=255).map(|value: u8| value.wrapping_mul(77)).collect();
        let encoded = bytes(&mixed, &[0]).bytes;
        assert_eq!((encoded[0], encoded[129], encoded.len()), (0x80, 0x80, 258));
        assert_eq!(signed(&[i64::MIN, i64::MAX, i64::MIN], &[0]).bytes[0], 0xFD);
        assert_eq!(signed(&[], &[0]).bytes, [0_u8; 0]);
    }

    /// No run crosses the beginning of a row group, and a flag's place is its byte's and its bit's.
    #[test]
    fn a_row_group_begins_with_a_run() {
        let encoded = unsigned(&[7; 100], &[0, 40, 40, 100]);
        assert_eq!(encoded.bytes, [37, 0, 7, 57, 0, 7]);
        assert_eq!(encoded.starts, [0, 3, 3, 6]);
        let positions: Vec<u64> = encoded.within.positions(1).collect();
        assert_eq!(positions, [0]);
        let flags = bits(&[true; 20], &[0, 9, 16, 20]);
        assert_eq!(flags.bytes, [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xF0]);
        assert_eq!(flags.starts, [0, 2, 4, 4]);
        assert_eq!(flags.within, Within::Bits(vec![0, 1, 0, 4]));
    }
}
