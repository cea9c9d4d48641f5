//! What a plugin says that it needs, in a section of its own file: capabilities, and limits below the operator's.
//!
//! The section is custom, is called [`SECTION`], lies in the component itself (not in a module inside) and holds JSON.
//! A capability takes effect when the operator grants it as well; a limit can only become lower. Refuses what it does not
//! understand: a need that is overlooked would be missed when records are there.

use std::collections::BTreeSet;
use std::num::NonZeroU64;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::component::LoadError;
use super::sections;
use super::settings::Limits;

/// What a plugin says that it needs. By default, nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Needs {
    /// What it must have beside its records.
    #[serde(default)]
    pub capabilities: BTreeSet<Capability>,
    /// Bounds that it sets itself.
    #[serde(default)]
    pub limits: OwnLimits,
}

/// Something that plugins do not have unless the operator grants it.
///
/// Clocks, chance, files and the network are none: a replay after a crash must give the same answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Capability {
    /// The plugin's settings are its WASI environment, too.
    Environment,
}

impl Capability {
    /// Its name in sections and configurations.
    pub fn name(self) -> &'static str {
        match self {
            Self::Environment => "environment",
        }
    }
}

/// Limits that a plugin sets itself; each takes effect where it is below the operator's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OwnLimits {
    /// As [`Limits::memory_bytes`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<NonZeroU64>,
    /// As [`Limits::deadline`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline_milliseconds: Option<NonZeroU64>,
    /// As [`Limits::output_bytes`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_bytes: Option<NonZeroU64>,
    /// As [`Limits::log_bytes`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_bytes: Option<NonZeroU64>,
}

impl Needs {
    /// What the section in this file says; nothing where there is none. A file that is no WebAssembly has none.
    ///
    /// # Errors
    /// There are two, it is too long, or it says what no host understands.
    pub(super) fn of(bytes: &[u8]) -> Result<Self, LoadError> {
        let Some(text) = section(bytes)? else { return Ok(Self::default()) };
        serde_json::from_slice(text).map_err(|error| LoadError::Needs(error.to_string()))
    }

    /// Limits under these ceilings.
    pub fn lower(&self, ceilings: &Limits) -> Limits {
        let OwnLimits { memory_bytes, deadline_milliseconds, output_bytes, log_bytes } = self.limits;
        let lower = |own: Option<NonZeroU64>, ceiling: usize| {
            own.map_or(ceiling, |own| usize::try_from(own.get()).unwrap_or(usize::MAX).min(ceiling))
        };
        let deadline = deadline_milliseconds.map(|own| Duration::from_millis(own.get()));
        Limits {
            memory_bytes: lower(memory_bytes, ceilings.memory_bytes),
            deadline: deadline.map_or(ceilings.deadline, |own| own.min(ceilings.deadline)),
            output_bytes: lower(output_bytes, ceilings.output_bytes),
            log_bytes: lower(log_bytes, ceilings.log_bytes),
            ..ceilings.clone()
        }
    }

    /// The file with these needs in a section at its end.
    pub fn declared_in(&self, mut bytes: Vec<u8>) -> Vec<u8> {
        // Numbers and names only: nothing here can fail.
        append(&mut bytes, &serde_json::to_vec(self).unwrap_or_default());
        bytes
    }
}

/// Writes `text` into a section at the end of a module or component.
pub(super) fn append(bytes: &mut Vec<u8>, text: &[u8]) {
    let mut body = Vec::with_capacity(text.len() + SECTION.len() + 5);
    sections::append_number(&mut body, SECTION.len());
    body.extend_from_slice(SECTION.as_bytes());
    body.extend_from_slice(text);
    sections::append(bytes, sections::CUSTOM, &body);
}

/// The text of the section in a module or component, if it has one.
///
/// # Errors
/// There are two, or it is too long.
pub(super) fn section(bytes: &[u8]) -> Result<Option<&[u8]>, LoadError> {
    let mut found = None;
    for (_, text) in sections::custom_sections(bytes).filter(|(name, _)| *name == SECTION.as_bytes()) {
        if found.replace(text).is_some() {
            return Err(LoadError::Needs("there are two of them".to_owned()));
        }
        if text.len() > SECTION_BYTES {
            let what = format!("it has {} bytes, more than the allowed {SECTION_BYTES}", text.len());
            return Err(LoadError::Needs(what));
        }
    }
    Ok(found)
}

/// Where a component says what it needs.
const SECTION: &str = "hydrant:needs";
/// Every need at once has some 200 bytes.
const SECTION_BYTES: usize = 4 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY: &[u8] = b"\0asm\x0d\0\x01\0";

    fn needs(text: &str) -> Result<Needs, String> {
        let mut bytes = EMPTY.to_vec();
        append(&mut bytes, text.as_bytes());
        Needs::of(&bytes).map_err(|error| format!("{error}; {}", error.remedy()))
    }

    #[test]
    fn what_is_declared_is_read_again() {
        assert_eq!(Needs::of(EMPTY).unwrap(), Needs::default());
        assert_eq!(Needs::of(b"no WebAssembly").unwrap(), Needs::default());
        assert_eq!(needs("{}").unwrap(), Needs::default());
        let text = r#"{"capabilities":["environment"],"limits":{"memory_bytes":67108864,"deadline_milliseconds":2000,"output_bytes":1048576,"log_bytes":1024}}"#;
        let all = needs(text).unwrap();
        assert_eq!(all.capabilities, BTreeSet::from([Capability::Environment]));
        assert_eq!(serde_json::to_string(&all).unwrap(), text);
        assert_eq!(Needs::of(&all.declared_in(EMPTY.to_vec())).unwrap(), all);
    }

    #[test]
    fn what_no_host_understands_is_refused_and_named() {
        for (text, what) in [
            ("", "EOF"),
            ("[]x", "hydrant:needs"),
            (r#"{"capabilities":["network"]}"#, "unknown variant `network`, expected `environment`"),
            (r#"{"capability":[]}"#, "unknown field `capability`"),
            (r#"{"limits":{"fuel":1}}"#, "unknown field `fuel`"),
            (r#"{"limits":{"memory_bytes":0}}"#, "invalid value: integer `0`"),
            (r#"{"limits":{"log_bytes":-1}}"#, "invalid value: integer `-1`"),
            (r#"{"limits":{},"limits":{}}"#, "duplicate field `limits`"),
        ] {
            let told = needs(text).unwrap_err();
            assert!(told.contains(what) && told.contains("plugin.toml"), "{text}: {told}");
        }
        let padded = |length: usize| format!("{{}}{}", " ".repeat(length - 2));
        assert!(needs(&padded(SECTION_BYTES)).is_ok());
        assert!(needs(&padded(SECTION_BYTES + 1)).unwrap_err().contains("4097 bytes, more than the allowed 4096"));
        let mut twice = EMPTY.to_vec();
        append(&mut twice, b"{}");
        append(&mut twice, b"{}");
        assert!(Needs::of(&twice).unwrap_err().to_string().contains("two of them"));
    }

    #[test]
    fn a_section_inside_another_or_cut_off_is_none() {
        let mut inner = b"\0asm\x01\0\0\0".to_vec();
        append(&mut inner, br#"{"capabilities":["environment"]}"#);
        let mut outer = EMPTY.to_vec();
        sections::append(&mut outer, 1, &inner);
        assert_eq!(Needs::of(&outer).unwrap(), Needs::default());
        assert_eq!(Needs::of(&inner[..inner.len() - 1]).unwrap(), Needs::default());
    }

    /// A plugin may lower its limits and never raise them.
    #[test]
    fn limits_only_become_lower() {
        let ceilings = Limits::default();
        assert_eq!(Needs::default().lower(&ceilings), ceilings);
        let low =
            needs(r#"{"limits":{"memory_bytes":1000,"deadline_milliseconds":2,"output_bytes":3000,"log_bytes":4000}}"#);
        let expected = Limits {
            memory_bytes: 1_000,
            deadline: Duration::from_millis(2),
            output_bytes: 3_000,
            log_bytes: 4_000,
            ..ceilings.clone()
        };
        assert_eq!(low.unwrap().lower(&ceilings), expected);
        let most = u64::MAX;
        let high = needs(&format!(
            r#"{{"limits":{{"memory_bytes":{most},"deadline_milliseconds":{most},"output_bytes":{most},"log_bytes":{most}}}}}"#
        ));
        assert_eq!(high.unwrap().lower(&ceilings), ceilings);
    }
}
