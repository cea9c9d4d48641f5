//! Answers of puts, written straight into one buffer.
//!
//! A record id is fixed-width text: stream, place in the stream, and a number of this run of the host. Opaque to callers;
//! short, because some producers mis-parse very large answers.

use crate::record::{Sequence, StreamId};
use crate::runtime::Random;

/// Makes record ids that are unique among all runs of all hosts, as far as 64 random bits reach, and strictly
/// unique within a run.
#[derive(Clone, Copy, Debug)]
pub(in crate::api) struct RecordIds {
    run: u64,
}

const DIGITS: &[u8; 16] = b"0123456789abcdef";
const ID_BYTES: usize = 8 + 16 + 16;

impl RecordIds {
    pub(in crate::api) fn new(random: &Random) -> Self {
        Self { run: random.next_u64() }
    }

    fn id(&self, stream: StreamId, sequence: Sequence) -> [u8; ID_BYTES] {
        let mut id = [0; ID_BYTES];
        write_hex(&mut id[..8], u64::from(stream.0));
        write_hex(&mut id[8..24], sequence);
        write_hex(&mut id[24..], self.run);
        id
    }
}

/// Writes the low digits of `value`, as many as fit.
fn write_hex(digits: &mut [u8], mut value: u64) {
    for digit in digits.iter_mut().rev() {
        *digit = DIGITS[(value & 15) as usize];
        value >>= 4;
    }
}

/// Answer of PutRecord.
pub(in crate::api) fn record_answer(ids: &RecordIds, stream: StreamId, sequence: Sequence) -> Vec<u8> {
    let mut answer = Vec::with_capacity(ID_BYTES + 40);
    answer.extend_from_slice(b"{\"RecordId\":\"");
    answer.extend_from_slice(&ids.id(stream, sequence));
    answer.extend_from_slice(b"\",\"Encrypted\":false}");
    answer
}

/// Answer of PutRecordBatch: all records were stored, from `first` on.
pub(in crate::api) fn batch_answer(ids: &RecordIds, stream: StreamId, first: Sequence, count: usize) -> Vec<u8> {
    // Fluent Bit looks for exactly this beginning, without a blank.
    const HEAD: &[u8] = b"{\"FailedPutCount\":0,\"Encrypted\":false,\"RequestResponses\":[";
    const ENTRY_HEAD: &[u8] = b"{\"RecordId\":\"";
    const ENTRY_TAIL: &[u8] = b"\"},";
    let mut answer = Vec::with_capacity(HEAD.len() + count * (ENTRY_HEAD.len() + ID_BYTES + ENTRY_TAIL.len()) + 2);
    answer.extend_from_slice(HEAD);
    let mut id = ids.id(stream, first);
    for sequence in first..first + count as u64 {
        write_hex(&mut id[8..24], sequence);
        answer.extend_from_slice(ENTRY_HEAD);
        answer.extend_from_slice(&id);
        answer.extend_from_slice(ENTRY_TAIL);
    }
    if count > 0 {
        answer.pop();
    }
    answer.extend_from_slice(b"]}");
    answer
}
