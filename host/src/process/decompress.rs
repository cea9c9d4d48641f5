//! `Decompression`: each record is a gzip stream, of one member or several.
//!
//! Bounded in bytes and in ratio, so that a small record cannot become a large batch. Refuses to guess: a record that is no
//! gzip, is cut short, or has anything behind its last member, fails.

use std::io::Read;

use flate2::read::MultiGzDecoder;

use super::step::{BATCH_BYTES, Fault, Outputs, Stepped, each};
use crate::record::{ErrorOutput, Records};

/// Most bytes of one record after decompression: what CloudWatch Logs sends is below 1 MiB compressed and some ten times
/// that when it is not, and a record is held in memory whole.
pub(super) const RECORD_BYTES: usize = 16 << 20;
/// Most bytes for each compressed byte. Deflate can do 1,032; real logs stay below 100.
pub(super) const RATIO: usize = 1000;

/// Not a gzip stream.
const INVALID: &str = "Decompression.InvalidFormat";
/// More than a record may be.
const TOO_LARGE: &str = "Decompression.SizeLimitExceeded";

/// Each record without its compression.
pub(super) fn apply(records: &Records) -> Stepped {
    each(records, BATCH_BYTES, |record, outputs| inflate(record, outputs, RECORD_BYTES, RATIO))
}

fn inflate(record: &[u8], outputs: &mut Outputs, most_bytes: usize, ratio: usize) -> Result<(), Fault> {
    if record.is_empty() {
        return Err(fault(INVALID, "the record is empty".to_owned()));
    }
    let most = most_bytes.min(record.len().saturating_mul(ratio));
    let mut members = MultiGzDecoder::new(record).take(most as u64 + 1);
    let start = outputs.payload().len();
    members
        .read_to_end(outputs.payload())
        .map_err(|error| fault(INVALID, format!("the record is no gzip: {error}")))?;
    if outputs.payload().len() - start > most {
        return Err(fault(TOO_LARGE, format!("the record has more than {most} bytes when decompressed")));
    }
    outputs.close();
    Ok(())
}

fn fault(code: &'static str, message: String) -> Fault {
    Fault { output: ErrorOutput::DecompressionFailed, ..Fault::failed(code, message) }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use proptest::prelude::*;

    use super::super::step::tests::records;
    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn codes(made: &Stepped) -> Vec<(u32, &'static str)> {
        made.faults.iter().map(|(at, fault)| (*at, fault.code)).collect()
    }

    #[test]
    fn members_in_a_row_are_one_record() {
        let two = [gzip(b"one "), gzip(b"two")].concat();
        let made = apply(&records(&[gzip(b"a"), two, gzip(b"")]));
        assert_eq!(made.records.iter().collect::<Vec<_>>(), [&b"a"[..], b"one two", b""]);
        assert!(made.faults.is_empty());
    }

    #[test]
    fn what_is_no_gzip_fails() {
        let whole = gzip(b"a record of some length");
        let mut wrong_sum = whole.clone();
        let sum = wrong_sum.len() - 5;
        wrong_sum[sum] ^= 1;
        let garbage = [whole.as_slice(), b"!"].concat();
        let cut = whole[..whole.len() - 1].to_vec();
        let made = apply(&records(&[b"plain".to_vec(), Vec::new(), garbage, cut, wrong_sum, whole]));
        assert_eq!(codes(&made), [(0, INVALID), (1, INVALID), (2, INVALID), (3, INVALID), (4, INVALID)]);
        assert!(made.faults.iter().all(|(_, fault)| fault.output == ErrorOutput::DecompressionFailed));
        assert_eq!(made.records.iter().collect::<Vec<_>>(), [b"a record of some length"]);
    }

    /// A3: a bomb is stopped at its record's bound, and what is around it is not touched.
    #[test]
    fn a_bomb_is_stopped() {
        let long = |bytes: usize| (0..bytes).map(|at| (at >> 6).to_le_bytes()[0]).collect::<Vec<_>>();
        let (bomb, fits) = (gzip(&long(RECORD_BYTES + 1)), gzip(&long(RECORD_BYTES)));
        assert!(bomb.len() * RATIO > RECORD_BYTES);
        let made = apply(&records(&[gzip(b"a"), bomb, fits]));
        assert_eq!((codes(&made), made.records.len()), (vec![(1, TOO_LARGE)], 2));
        assert_eq!(made.records.record(1).len(), RECORD_BYTES);
    }

    /// A3: a record that grows beyond the ratio fails long before it is large.
    #[test]
    fn a_ratio_is_a_bound_too() {
        let made = |ratio| {
            each(&records(&[gzip(&[0; 10_000])]), BATCH_BYTES, |record, outputs| {
                inflate(record, outputs, RECORD_BYTES, ratio)
            })
        };
        assert_eq!(codes(&made(100)), [(0, TOO_LARGE)]);
        assert_eq!(codes(&made(RATIO)), []);
    }

    proptest! {
        #[test]
        fn garbage_fails_and_harms_nothing(garbage in prop::collection::vec(any::<u8>(), 0..200), at in 0_usize..60, bit in 0_u8..8) {
            let mut damaged = gzip(b"some record that is long enough to be worth a flip");
            let at = at % damaged.len();
            damaged[at] ^= 1 << bit;
            let made = apply(&records(&[garbage, damaged, gzip(b"good")]));
            prop_assert_eq!(made.records.len() + made.faults.len(), 3);
            prop_assert_eq!(made.records.iter().last(), Some(&b"good"[..]));
        }
    }
}
