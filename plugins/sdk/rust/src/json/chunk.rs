//! Looks at several bytes at once, where the target has vectors. Refuses to know what they mean.

/// Bytes that are looked at together.
pub(super) const CHUNK: usize = 16;

#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
pub(super) use vector::{digits, plain, solid};

#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
pub(super) use scalar::{digits, plain, solid};

#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod vector {
    use std::arch::wasm32::{
        i8x16_bitmask, i8x16_eq, u8x16_ge, u8x16_le, u8x16_lt, u8x16_splat, u8x16_sub, u64x2, v128, v128_or,
    };

    use super::CHUNK;

    /// How many bytes at the start of a chunk a string holds as they are: no quote, backslash or control character.
    #[inline(always)]
    pub(crate) fn plain(chunk: &[u8; CHUNK]) -> usize {
        let bytes = load(chunk);
        let quote = i8x16_eq(bytes, u8x16_splat(b'"'));
        let backslash = i8x16_eq(bytes, u8x16_splat(b'\\'));
        let control = u8x16_lt(bytes, u8x16_splat(0x20));
        before(v128_or(v128_or(quote, backslash), control))
    }

    /// How many digits are at the start of a chunk.
    #[inline(always)]
    pub(crate) fn digits(chunk: &[u8; CHUNK]) -> usize {
        before(u8x16_ge(u8x16_sub(load(chunk), u8x16_splat(b'0')), u8x16_splat(10)))
    }

    /// How many bytes at the start of a chunk are neither blank nor quote.
    #[inline(always)]
    pub(crate) fn solid(chunk: &[u8; CHUNK]) -> usize {
        let bytes = load(chunk);
        before(v128_or(i8x16_eq(bytes, u8x16_splat(b'"')), u8x16_le(bytes, u8x16_splat(b' '))))
    }

    /// The compiler makes one load of it.
    #[inline(always)]
    fn load(chunk: &[u8; CHUNK]) -> v128 {
        let (low, high) = chunk.split_at(CHUNK / 2);
        let half = |bytes: &[u8]| bytes.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
        u64x2(half(low), half(high))
    }

    #[inline(always)]
    fn before(found: v128) -> usize {
        (u32::from(i8x16_bitmask(found)) | 1 << CHUNK).trailing_zeros() as usize
    }
}

#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
mod scalar {
    //! The same byte by byte, for a desk.

    use super::CHUNK;

    pub(crate) fn plain(chunk: &[u8; CHUNK]) -> usize {
        chunk.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20)).unwrap_or(CHUNK)
    }

    pub(crate) fn digits(chunk: &[u8; CHUNK]) -> usize {
        chunk.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(CHUNK)
    }

    pub(crate) fn solid(chunk: &[u8; CHUNK]) -> usize {
        chunk.iter().position(|byte| matches!(byte, b'"' | 0..=b' ')).unwrap_or(CHUNK)
    }
}
