//! One stream before it is compressed: its bytes, and where in them each row group begins.
//!
//! Every row group begins with a run of its own, so a reader that goes there has nothing to skip but bits of a byte.
//! Refuses to know what the bytes mean.

/// Values of a stream as bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Encoded {
    pub(super) bytes: Vec<u8>,
    /// Where the bytes of each row group begin.
    pub(super) starts: Vec<usize>,
    pub(super) within: Within,
}

/// What a place in a stream has beside its byte.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Within {
    /// Nothing.
    #[default]
    Bytes,
    /// Values of its run that come before it: none.
    Runs,
    /// The same, and for each row group the bits of its first byte that come before it.
    Bits(Vec<u8>),
}

impl Within {
    /// What row group `group` has beside its byte.
    pub(super) fn positions(&self, group: usize) -> impl Iterator<Item = u64> + use<> {
        let (run, bits) = match self {
            Self::Bytes => (None, None),
            Self::Runs => (Some(0), None),
            Self::Bits(bits) => (Some(0), bits.get(group).copied().map(u64::from)),
        };
        run.into_iter().chain(bits)
    }
}

/// Encodes what lies between each cut and the next with a beginning of its own. The first cut is 0.
pub(super) fn by_group<T>(values: &[T], cuts: &[usize], mut encode: impl FnMut(&[T], &mut Vec<u8>)) -> Encoded {
    let (mut bytes, mut starts) = (Vec::new(), Vec::with_capacity(cuts.len()));
    for (group, &from) in cuts.iter().enumerate() {
        let to = cuts.get(group + 1).copied().unwrap_or(values.len());
        starts.push(bytes.len());
        encode(&values[from..to], &mut bytes);
    }
    Encoded { bytes, starts, within: Within::Bytes }
}
