//! What stands in place of what was found. Refuses to hash without a key: digests of card numbers and addresses can be
//! looked up.

use hmac::{Hmac, KeyInit, Mac};
use hydrant_plugin::Output;
use sha2::Sha256;

use crate::{Found, What};

/// What is done with one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Keep,
    Mask,
    Hash,
}

/// How each kind is hidden.
pub(crate) struct Hide {
    ways: [Way; 4],
    /// HMAC-SHA-256 with the salt as its key, ready to be used.
    keyed: Option<Hmac<Sha256>>,
}

impl std::fmt::Debug for Hide {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hide").field("ways", &self.ways).finish_non_exhaustive() // the key is a secret
    }
}

impl Hide {
    pub(crate) fn new(ways: [Way; 4], salt: &str) -> Self {
        Self { ways, keyed: Hmac::new_from_slice(salt.as_bytes()).ok() }
    }

    /// What stands for a plain form, the same for every way to write it; nothing if the kind is masked.
    pub(crate) fn hash(&self, what: What, plain: &[u8]) -> Option<u64> {
        if self.ways[what as usize] != Way::Hash {
            return None;
        }
        let mut keyed = self.keyed.clone()?;
        match what {
            What::Email => keyed.update(&plain.to_ascii_lowercase()),
            What::Card | What::Phone => keyed.update(&only(plain, u8::is_ascii_digit)),
            What::Iban => keyed.update(&only(plain, u8::is_ascii_alphanumeric).to_ascii_uppercase()),
        }
        keyed.finalize().into_bytes().first_chunk().map(|bytes| u64::from_be_bytes(*bytes))
    }

    pub(crate) fn write(&self, found: &Found, output: &mut Output) {
        output.push(b"[");
        output.push(found.what.name().as_bytes());
        if let Some(hash) = found.hash {
            output.push(b":");
            let mut digits = [0; 16];
            for (at, digit) in digits.iter_mut().enumerate() {
                *digit = b"0123456789abcdef"[(hash >> (60 - 4 * at) & 15) as usize];
            }
            output.push(&digits);
        }
        output.push(b"]");
    }
}

impl What {
    pub(crate) const ALL: [Self; 4] = [Self::Email, Self::Card, Self::Iban, Self::Phone];

    /// The name of its setting, and what stands in its place.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Card => "card",
            Self::Iban => "iban",
            Self::Phone => "phone",
        }
    }
}

fn only(plain: &[u8], is_wanted: fn(&u8) -> bool) -> Vec<u8> {
    plain.iter().copied().filter(is_wanted).collect()
}
