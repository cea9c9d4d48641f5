//! A WebAssembly file as a row of sections: an id, a length and a body each. Refuses to look into them, and to judge
//! what does not fit: the rest of such a file is no section, and others refuse it.

/// Bytes before the first section: what the file is, and its version.
pub(super) const HEADER_BYTES: usize = 8;
/// Id of custom sections, in modules and components alike.
pub(super) const CUSTOM: u8 = 0;

/// Ids and bodies of the sections of a module or component.
pub(super) fn sections(bytes: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    let mut rest = bytes.get(HEADER_BYTES..).unwrap_or_default();
    std::iter::from_fn(move || {
        let (&id, tail) = rest.split_first()?;
        let (length, tail) = number(tail)?;
        let (body, after) = tail.split_at_checked(length)?;
        rest = after;
        Some((id, body))
    })
}

/// Names and contents of the custom sections of a module or component.
pub(super) fn custom_sections(bytes: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    sections(bytes).filter(|(id, _)| *id == CUSTOM).filter_map(|(_, body)| custom(body))
}

/// Name and content of a custom section.
pub(super) fn custom(body: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, tail) = number(body)?;
    tail.split_at_checked(length)
}

/// Appends a section.
pub(super) fn append(bytes: &mut Vec<u8>, id: u8, body: &[u8]) {
    bytes.push(id);
    append_number(bytes, body.len());
    bytes.extend_from_slice(body);
}

/// An unsigned LEB128 number of 32 bits, and what follows it.
pub(super) fn number(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let mut value = 0_usize;
    for (at, &byte) in bytes.iter().take(5).enumerate() {
        value |= usize::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return Some((value, &bytes[at + 1..]));
        }
    }
    None
}

/// Appends one.
pub(super) fn append_number(bytes: &mut Vec<u8>, mut value: usize) {
    loop {
        let low = value.to_le_bytes()[0] & 0x7f;
        value >>= 7;
        if value == 0 {
            bytes.push(low);
            return;
        }
        bytes.push(low | 0x80);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back() {
        for value in [0, 1, 127, 128, 300, 16_383, 16_384, u32::MAX as usize] {
            let mut bytes = Vec::new();
            append_number(&mut bytes, value);
            bytes.push(7);
            assert_eq!(number(&bytes), Some((value, &[7][..])));
        }
        assert_eq!(number(&[0x80; 5]), None);
        assert_eq!(number(&[]), None);
    }

    #[test]
    fn a_section_that_is_cut_off_is_none() {
        let mut bytes = b"\0asm\x01\0\0\0".to_vec();
        append(&mut bytes, 3, b"abc");
        append(&mut bytes, CUSTOM, b"\x01nrest");
        assert_eq!(sections(&bytes).collect::<Vec<_>>(), [(3, &b"abc"[..]), (0, &b"\x01nrest"[..])]);
        assert_eq!(custom_sections(&bytes).collect::<Vec<_>>(), [(&b"n"[..], &b"rest"[..])]);
        assert_eq!(sections(&bytes[..bytes.len() - 1]).count(), 1);
        assert_eq!(sections(b"short").count(), 0);
    }
}
