//! What a plugin declares: limits of its own, which only become lower, and capabilities, which the operator grants.

use std::collections::BTreeSet;

use serde_json::json;

use super::super::component::as_component;
use super::super::{Capability, Needs, Plugin, PublishError, inspect};
use super::*;
use crate::process::ChainError;

fn needs(text: &Value) -> Needs {
    serde_json::from_value(text.clone()).unwrap()
}

/// A guest of this repository that declares something.
fn declaring(name: &str, text: &Value) -> Vec<u8> {
    needs(text).declared_in(fs::read(guest(name)).unwrap())
}

/// A guest that answers with its environment, as a core module of WASI preview 1.
fn environment() -> Vec<u8> {
    wat::parse_str(include_str!("environment.wat")).unwrap()
}

fn wants_environment() -> Vec<u8> {
    needs(&json!({"capabilities": ["environment"]})).declared_in(environment())
}

fn granted(rig: &mut Rig, name: &str) {
    rig.settings.grants.insert(name.to_owned(), BTreeSet::from([Capability::Environment]));
}

fn answers(host: &PluginHost, name: &str) -> Vec<String> {
    texts(&chain(host, vec![plugin(name)]).apply(batch(&["first", "second"])))
}

#[test]
fn an_environment_is_what_is_declared_and_granted() {
    let mut rig = Rig::new();
    // More than a page of memory, and not only of one byte a letter.
    let long = "ü".repeat(40_000);
    rig.configure("p", &[("COLOUR", "blue"), ("EMPTY", ""), ("LONG", &long)]);
    granted(&mut rig, "p");
    rig.write("p", &wants_environment());
    let host = rig.start();
    assert_eq!(host.problems(), []);
    let expected = format!("COLOUR=blue\0EMPTY=\0LONG={long}\0");
    assert_eq!(answers(&host, "p"), [expected.as_str(), "second"]);

    // Granted and not declared: nothing, and the version is called as it was without the grant.
    rig.write("p", &environment());
    host.rescan();
    assert_eq!(answers(&host, "p"), ["", "second"]);
    let version = host.current("p");
    rig.settings.grants.clear();
    assert_eq!(rig.start().current("p"), version);
}

#[test]
fn without_settings_an_environment_is_empty_and_another_version_all_the_same() {
    let mut rig = Rig::new();
    granted(&mut rig, "p");
    rig.write("p", &wants_environment());
    let host = rig.start();
    assert_eq!(answers(&host, "p"), ["", "second"]);
    assert_ne!(host.current("p").unwrap().digest, host.releases("p")[0].component);
}

/// Whatever way a version comes, it does not rule without its grant, and the one before it does.
#[test]
fn a_capability_that_is_not_granted_keeps_a_version_from_ruling() {
    let rig = Rig::new();
    rig.write("p", &environment());
    rig.write("q", &wants_environment());
    let host = rig.start();
    let before = host.current("p").unwrap();
    let line = r#"the configuration's line is: [plugins.grants] q = ["environment"]"#;
    assert_eq!(host.current("q"), None);
    let problem = host.problems().remove(0);
    assert!(problem.what.contains(line) && problem.remedy.contains("add that line"), "{problem}");

    let asked = super::super::Asked::read([("shadow", "100")]).unwrap().unwrap();
    for refused in [host.publish("p", &wants_environment()), host.put_beside("p", &wants_environment(), asked)] {
        let error = refused.unwrap_err();
        assert!(matches!(error, PublishError::Load(_)), "{error}");
        assert!(error.to_string().contains(r#"[plugins.grants] p = ["environment"]"#), "{error}");
    }
    rig.write("p", &wants_environment());
    host.rescan();
    assert!(host.problems().iter().any(|problem| problem.what.contains("the version before it still rules")));
    assert_eq!(host.current("p"), Some(before));
    assert_eq!(host.candidate("p"), None);
}

/// A batch is processed as it was, also after its plugin's grant was withdrawn.
#[test]
fn what_ran_with_a_capability_is_replayed_with_it() {
    let mut rig = Rig::new();
    rig.configure("p", &[("COLOUR", "blue")]);
    granted(&mut rig, "p");
    rig.write("p", &wants_environment());
    let version = rig.start().current("p").unwrap();
    rig.settings.grants.clear();
    rig.settings.plugin_settings.clear();
    let host = rig.start();
    assert_eq!(host.current("p"), None);
    assert_eq!(host.problems().len(), 1);
    let again = Chain::new(&definition(vec![plugin("p")]), &epoch(vec![version]), &host).unwrap();
    assert_eq!(texts(&again.apply(batch(&["first"]))), ["COLOUR=blue\0"]);
}

/// Rows P2 and P3: a plugin is stopped at its own limit where that is lower, and at the operator's where it is not.
#[test]
fn a_plugin_is_stopped_at_its_own_limits_and_never_lifts_a_ceiling() {
    let mut rig = Rig::new();
    rig.settings.double_run = None;
    // So long because the trial of a version must end within it on a busy machine, too.
    let low = json!({"limits": {"memory_bytes": 32 << 20, "deadline_milliseconds": 1_000}});
    let little = json!({"limits": {"output_bytes": 1_000_000}});
    let high = json!({"limits": {"memory_bytes": 1_u64 << 40, "output_bytes": 1_u64 << 40, "log_bytes": 1_u64 << 40}});
    for (name, does, declares) in [
        ("spins", "spin", &low),
        ("hoards", "hoard", &low),
        ("floods", "flood-output", &little),
        ("hoards-more", "hoard", &high),
    ] {
        rig.configure(name, &[("do", does), ("when", "poison")]);
        rig.write(name, &declaring("hostile", declares));
    }
    let host = rig.start();
    assert_eq!(host.problems(), []);
    for (name, words) in [
        ("spins", "took longer than its 1000 ms"),
        ("hoards", "needed more than its 33554432 bytes of memory"),
        ("floods", "answered with more than 1000256 bytes"),
        ("hoards-more", "needed more than its 100663296 bytes of memory"),
    ] {
        let made = chain(&host, vec![plugin(name)]).apply(batch(&["poison"]));
        let rejected = rejections(&made);
        assert!(rejected.len() == 1 && rejected[0].2.contains(words), "{name}: {rejected:?}");
    }
}

/// Its author's desk grants what it declares, and holds it to the limits that it declares.
#[test]
fn an_author_has_what_the_plugin_declares() {
    let settings = vec![("COLOUR".to_owned(), "blue".to_owned())];
    let alone = Plugin::alone("p", &wants_environment(), tight(), settings.clone(), None).unwrap();
    assert_eq!(alone.capabilities(), &BTreeSet::from([Capability::Environment]));
    assert_eq!(Plugin::alone("p", &environment(), tight(), settings, None).unwrap().capabilities(), &BTreeSet::new());
    let low = declaring("bench", &json!({"limits": {"memory_bytes": 65_536}}));
    let error = Plugin::alone("p", &low, tight(), Vec::new(), None).unwrap_err();
    assert!(error.to_string().contains("needed more than its 65536 bytes"), "{error}");
}

/// A component of a core module says what the module said, and imports an environment only if that is said.
#[test]
fn a_component_says_what_its_core_module_said() {
    let facts = |bytes: &[u8]| inspect(bytes, &tight()).unwrap();
    let module = wants_environment();
    let component = as_component(&module, &tight()).unwrap();
    let (one, two) = (facts(&module), facts(&component));
    assert_eq!((&one.needs, &one.imports), (&two.needs, &two.imports));
    assert!(one.needs.capabilities.contains(&Capability::Environment));
    assert!(one.imports.iter().any(|name| name == "wasi:cli/environment@0.2.0"), "{:?}", one.imports);
    let plain = facts(&environment());
    assert!(!plain.imports.iter().any(|name| name.starts_with("wasi:")), "{:?}", plain.imports);
    assert_eq!(plain.needs, Needs::default());
}

#[test]
fn a_file_that_says_its_needs_wrongly_is_refused() {
    let rig = Rig::new();
    let low = json!({"limits": {"log_bytes": 1}});
    rig.write("p", &needs(&low).declared_in(declaring("bench", &low)));
    let host = rig.start();
    let problem = host.problems().remove(0);
    assert!(problem.what.contains("hydrant:needs") && problem.what.contains("two of them"), "{problem}");
    let unknown = PluginVersion { name: "p".to_owned(), digest: "0".repeat(64) };
    assert!(matches!(host.load(&unknown), Err(ChainError::Missing { .. })), "nothing of it was kept");
}
