//! Run lengths: of bytes, of bits, and of integers in the first form, whose runs may climb by a fixed step.
//!
//! Refuses nothing; the worst case is one byte more per 128 values.

use super::message::varint;

/// Values in a run at least.
const LEAST_RUN: usize = 3;
/// Values in a run at most: what a byte says beyond the least.
const MOST_RUN: usize = 127 + LEAST_RUN;
/// Values in a stretch without runs at most.
const MOST_LITERALS: usize = 128;

/// Flags, eight to a byte, first one highest.
pub(super) fn bits(flags: &[bool]) -> Vec<u8> {
    let packed: Vec<u8> = flags
        .chunks(8)
        .map(|chunk| chunk.iter().enumerate().fold(0, |byte, (at, &flag)| byte | u8::from(flag) << (7 - at)))
        .collect();
    bytes(&packed)
}

/// Bytes.
pub(super) fn bytes(values: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    encode(
        values,
        |first, second| if first == second { Some(0) } else { None },
        |value, out| out.push(value),
        None,
        &mut out,
    );
    out
}

/// Numbers with a sign.
pub(super) fn signed(values: &[i64]) -> Vec<u8> {
    let mut out = Vec::new();
    encode(values, step, |value, out| varint(zigzag(value), out), Some(()), &mut out);
    out
}

/// Numbers without one.
pub(super) fn unsigned(values: &[i64]) -> Vec<u8> {
    let mut out = Vec::new();
    encode(values, step, |value, out| varint(value.cast_unsigned(), out), Some(()), &mut out);
    out
}

/// Small numbers where they are large ones with a sign: 0, -1, 1, -2, …
pub(super) fn zigzag(value: i64) -> u64 {
    (value << 1 ^ value >> 63).cast_unsigned()
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
        assert_eq!(bytes(&[0; 100]), [0x61, 0x00]);
        assert_eq!(bytes(&[0x44, 0x45]), [0xFE, 0x44, 0x45]);
        assert_eq!(bits(&[true, false, false, false, false, false, false, false]), [0xFF, 0x80]);
        assert_eq!(unsigned(&[7; 100]), [0x61, 0x00, 0x07]);
        let falling: Vec<i64> = (1..=100).rev().collect();
        assert_eq!(unsigned(&falling), [0x61, 0xFF, 0x64]);
        assert_eq!(unsigned(&[2, 3, 6, 7, 11]), [0xFB, 0x02, 0x03, 0x06, 0x07, 0x0B]);
    }

    #[test]
    fn runs_and_literals_have_their_longest() {
        assert_eq!(bytes(&[5; 131]), [0x7F, 5, 0xFF, 5]);
        let mixed: Vec<u8> = (0..=255).map(|value: u8| value.wrapping_mul(77)).collect();
        let encoded = bytes(&mixed);
        assert_eq!((encoded[0], encoded[129], encoded.len()), (0x80, 0x80, 258));
        assert_eq!(signed(&[i64::MIN, i64::MAX, i64::MIN])[0], 0xFD);
        assert_eq!(signed(&[]), [0_u8; 0]);
    }
}
