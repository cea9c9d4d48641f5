//! Protocol buffers, writing only: numbers, bytes and messages within messages.
//!
//! Refuses to read.

/// A message being written.
#[derive(Clone, Debug, Default)]
pub(super) struct Message(Vec<u8>);

impl Message {
    /// Field `tag` as a number.
    pub(super) fn number(mut self, tag: u32, value: u64) -> Self {
        varint(u64::from(tag << 3), &mut self.0);
        varint(value, &mut self.0);
        self
    }

    /// Field `tag` as a number with a sign.
    pub(super) fn signed(self, tag: u32, value: i64) -> Self {
        self.number(tag, zigzag(value))
    }

    /// Field `tag` as a floating number.
    pub(super) fn double(mut self, tag: u32, value: f64) -> Self {
        varint(u64::from(tag << 3 | 1), &mut self.0);
        self.0.extend_from_slice(&value.to_le_bytes());
        self
    }

    /// Field `tag` as bytes, text, or another message.
    pub(super) fn bytes(mut self, tag: u32, bytes: &[u8]) -> Self {
        varint(u64::from(tag << 3 | 2), &mut self.0);
        varint(bytes.len() as u64, &mut self.0);
        self.0.extend_from_slice(bytes);
        self
    }

    /// Field `tag` as another message.
    pub(super) fn message(self, tag: u32, message: Self) -> Self {
        self.bytes(tag, &message.0)
    }

    /// All fields of this one, then those of the other.
    pub(super) fn followed_by(mut self, other: Self) -> Self {
        self.0.extend_from_slice(&other.0);
        self
    }

    /// Field `tag` as numbers in one run.
    pub(super) fn packed(self, tag: u32, values: impl IntoIterator<Item = u64>) -> Self {
        let mut run = Vec::new();
        for value in values {
            varint(value, &mut run);
        }
        if run.is_empty() { self } else { self.bytes(tag, &run) }
    }

    /// The message.
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

/// Small numbers where they are large ones with a sign: 0, -1, 1, -2, …
pub(super) fn zigzag(value: i64) -> u64 {
    (value << 1 ^ value >> 63).cast_unsigned()
}

/// Seven bits a byte, least first.
pub(super) fn varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push((value & 0x7F) as u8 | 0x80);
        value >>= 7;
    }
    out.push((value & 0x7F) as u8);
}

/// The same of 128 bits.
pub(super) fn varint_wide(mut value: u128, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push((value & 0x7F) as u8 | 0x80);
        value >>= 7;
    }
    out.push((value & 0x7F) as u8);
}
