//! Segment files: their names and the header block that tells what they are and where the one before ends.
//!
//! Refuses to do I/O and to judge a chain of segments; recovery does.

use super::frame::{Salt, u32_at, u64_at};

/// Bytes before the first frame. A block of its own, so that no later write touches the header's sectors.
pub(super) const BLOCK_BYTES: u64 = 4096;
/// Format version this program writes and reads.
pub(super) const VERSION: u32 = 1;

const BLOCK_LENGTH: usize = 4096;
const MAGIC: [u8; 8] = *b"HydrantJ";
const HEADER_BYTES: usize = 88;
/// The header stands twice, because without it a whole segment could not be read.
const COPIES: [usize; 2] = [0, 2048];

/// What stands at the head of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// Never used again within one journal.
    pub(super) id: u64,
    /// Random: frames of another life of this file do not parse (row D5).
    pub(super) epoch: u64,
    /// The segment before; ids in between never held anything. 0 for the first.
    pub(super) previous: u64,
    /// Where the valid frames of the segment before end.
    pub(super) previous_end: u64,
    /// From here to its end the segment before is doubtful: it was found after a crash, perhaps in memory only, and is
    /// copied into this segment.
    pub(super) doubtful_from: u64,
    /// Epoch of the segment before, in case its own header is damaged.
    pub(super) previous_epoch: u64,
    /// Segment that holds the newest `dropped` note; 0 when there is none.
    pub(super) note_segment: u64,
    /// Number that the next stream gets.
    pub(super) next_stream: u32,
    /// When it was created, milliseconds since 1970.
    pub(super) created_ms: u64,
}

/// What a header block turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Block {
    /// Readable; `copies` of two are intact.
    Valid { header: Header, copies: usize },
    /// Nothing was ever written.
    Empty,
    /// Neither copy is intact.
    Damaged,
    /// Another format version.
    Version(u32),
    /// Not a segment, or the other byte order.
    Foreign,
}

impl Header {
    pub(super) fn salt(&self) -> Salt {
        Salt::new(self.id, self.epoch)
    }

    /// The whole header block.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut copy = Vec::with_capacity(HEADER_BYTES);
        copy.extend_from_slice(&MAGIC);
        copy.extend_from_slice(&VERSION.to_le_bytes());
        copy.extend_from_slice(&self.next_stream.to_le_bytes());
        let numbers = [
            self.id,
            self.epoch,
            self.previous,
            self.previous_end,
            self.previous_epoch,
            self.note_segment,
            self.created_ms,
            self.doubtful_from,
        ];
        for number in numbers {
            copy.extend_from_slice(&number.to_le_bytes());
        }
        copy.extend_from_slice(&crc32c::crc32c(&copy).to_le_bytes());
        copy.resize(HEADER_BYTES, 0);
        let mut block = vec![0; BLOCK_LENGTH];
        for at in COPIES {
            block[at..at + HEADER_BYTES].copy_from_slice(&copy);
        }
        block
    }
}

/// Reads a header block; a short file is read as if zeros followed.
pub(super) fn decode(block: &[u8]) -> Block {
    let copies: Vec<&[u8]> = COPIES.iter().filter_map(|&at| block.get(at..at + HEADER_BYTES)).collect();
    let intact: Vec<&[u8]> = copies.iter().copied().filter(|copy| is_intact(copy)).collect();
    if let Some(copy) = intact.first() {
        let version = u32_at(copy, 8);
        if version != VERSION {
            return Block::Version(version);
        }
        return Block::Valid { header: read(copy), copies: intact.len() };
    }
    if block.iter().all(|&byte| byte == 0) {
        return Block::Empty;
    }
    let [one, two] = copies[..] else { return Block::Damaged };
    let (mut swapped, is_ours) = (MAGIC, one[..8] == MAGIC && two[..8] == MAGIC);
    swapped.reverse();
    let version = u32_at(one, 8);
    if is_ours && version == u32_at(two, 8) && version != VERSION {
        return Block::Version(version);
    }
    if one[..8] == swapped { Block::Foreign } else { Block::Damaged }
}

/// Name of a segment's file.
pub(super) fn file_name(id: u64) -> String {
    format!("{id:020}.seg")
}

/// The segment that a file name means; `None` for other files.
pub(super) fn id_of(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".seg").filter(|digits| digits.len() == 20)?;
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
}

/// True when the block is exactly what [`Header::encode`] writes: a flipped bit anywhere in it is noticed.
pub(super) fn is_pristine(block: &[u8], header: &Header) -> bool {
    block == header.encode()
}

fn is_intact(copy: &[u8]) -> bool {
    let covered = HEADER_BYTES - 8;
    copy[..8] == MAGIC && crc32c::crc32c(&copy[..covered]) == u32_at(copy, covered)
}

fn read(copy: &[u8]) -> Header {
    Header {
        next_stream: u32_at(copy, 12),
        id: u64_at(copy, 16),
        epoch: u64_at(copy, 24),
        previous: u64_at(copy, 32),
        previous_end: u64_at(copy, 40),
        previous_epoch: u64_at(copy, 48),
        note_segment: u64_at(copy, 56),
        created_ms: u64_at(copy, 64),
        doubtful_from: u64_at(copy, 72),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> Header {
        Header {
            id: 3,
            epoch: 0x1234_5678_9abc_def0,
            previous: 2,
            previous_end: 70_000,
            doubtful_from: 69_000,
            previous_epoch: 9,
            note_segment: 1,
            next_stream: 5,
            created_ms: 1_700_000_000_000,
        }
    }

    /// Row D4: the second copy stands in for the first.
    #[test]
    fn every_single_bit_of_the_block_may_flip() {
        let block = header().encode();
        assert_eq!(decode(&block), Block::Valid { header: header(), copies: 2 });
        for bit in 0..block.len() * 8 {
            let mut flipped = block.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(matches!(decode(&flipped), Block::Valid { header: read, .. } if read == header()), "bit {bit}");
            assert!(!is_pristine(&flipped, &header()), "bit {bit}");
        }
    }

    /// Row D13.
    #[test]
    fn foreign_blocks_are_told_apart() {
        assert_eq!(decode(&[]), Block::Empty);
        assert_eq!(decode(&[0; 4096]), Block::Empty);
        assert_eq!(decode(&[7; 4096]), Block::Damaged);
        let mut newer = header().encode();
        newer[8] = 2;
        newer[2048 + 8] = 2;
        assert_eq!(decode(&newer), Block::Version(2), "even when a later version checks its header in another way");
        let mut swapped = header().encode();
        swapped[..8].reverse();
        swapped[2048..2056].reverse();
        assert_eq!(decode(&swapped), Block::Foreign);
    }

    #[test]
    fn names_are_ids() {
        assert_eq!(file_name(42), "00000000000000000042.seg");
        assert_eq!(id_of(&file_name(u64::MAX)), Some(u64::MAX));
        for name in
            ["LOCK", "42.seg", "0000000000000000004x.seg", "00000000000000000042.seg.old", "99999999999999999999.seg"]
        {
            assert_eq!(id_of(name), None, "{name}");
        }
    }
}
