//! What is a plugin file and what is not: each refusal names the file, what is wrong and what to do.

use super::*;
use crate::process::ChainError;

/// Replaces text in a module by text of the same length, in imports, exports and the world it carries.
fn patched(name: &str, from: &[u8], to: &[u8]) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let mut bytes = fs::read(guest(name)).unwrap();
    let places: Vec<usize> = (0..bytes.len() - from.len()).filter(|&at| bytes[at..].starts_with(from)).collect();
    assert!(!places.is_empty());
    for at in places {
        bytes[at..at + to.len()].copy_from_slice(to);
    }
    bytes
}

fn refused(bytes: &[u8], what: &str, remedy: &str) {
    let rig = Rig::new();
    rig.write("bad", bytes);
    rig.install("good", "bench");
    let host = rig.start();
    let problems = host.problems();
    assert!(problems.len() == 1 && problems[0].file.ends_with("bad.wasm"), "{problems:?}");
    assert!(problems[0].what.contains(what), "{what}: {}", problems[0]);
    assert!(problems[0].remedy.contains(remedy), "{remedy}: {}", problems[0]);
    assert!(host.current("bad").is_none() && host.current("good").is_some());
}

#[test]
fn what_is_no_plugin_is_refused_with_a_remedy() {
    let whole = fs::read(guest("bench")).unwrap();
    refused(b"this is no component", "not WebAssembly", "copy the .wasm file");
    refused(b"", "not WebAssembly", "copy the .wasm file");
    refused(b"\0asm\x01\0\0\0", "without the world hydrant:transform/plugin", "hydrant_plugin::plugin!");
    refused(b"\0asm\x0d\0\x01\0", "does not export hydrant:transform/transform@1.0.0", "plugin!");
    refused(&whole[..whole.len() / 2], "", "");
    refused(&whole[..whole.len() - 1], "", "");
    refused(&patched("bench", b"transform/log@1", b"transform/lag@1"), "imports hydrant:transform/lag@1.0.0", "remove");
    refused(&patched("bench", b"@1.0.0", b"@2.0.0"), "was built for hydrant:transform/", "SDK of this host");
    refused(&patched("bench", b"transform/transform@", b"transform/trunsform@"), "does not export", "plugin!");
}

#[test]
fn a_file_over_the_size_limit_is_refused_before_it_is_read_whole() {
    let mut rig = Rig::new();
    rig.settings.limits.component_bytes = 1_000;
    rig.install("bench", "bench");
    let problems = rig.start().problems();
    assert!(problems[0].what.contains("bytes, more than the allowed 1000"), "{problems:?}");
}

/// Row P3: a guest that begins with more memory than it may have is not even tried on records.
#[test]
fn a_guest_that_begins_too_large_fails_its_trial() {
    let mut rig = Rig::new();
    rig.settings.limits.memory_bytes = 64 << 10;
    rig.install("bench", "bench");
    let problems = rig.start().problems();
    assert!(problems[0].what.contains("failed its trial: needed more than its 65536 bytes"), "{problems:?}");
}

#[test]
fn a_name_that_is_none_is_refused() {
    let rig = Rig::new();
    rig.install("bench", "bench");
    rig.install("two words", "bench");
    rig.install(&"x".repeat(65), "bench");
    rig.install(".hidden", "bench");
    let host = rig.start();
    assert_eq!(host.list().len(), 1);
    let problems = host.problems();
    assert!(
        problems.len() == 2 && problems.iter().all(|problem| problem.what.contains("no plugin name")),
        "{problems:?}"
    );
}

/// What a folder holds beyond the limit is refused by name, and is not read.
#[test]
fn a_folder_of_too_many_files_is_read_in_part() {
    let rig = Rig::new();
    for at in 0..1_001 {
        rig.write(&format!("noise-{at:04}"), b"noise");
    }
    let problems = rig.start().problems();
    assert_eq!(problems.len(), 1_001);
    assert!(problems[999].what.contains("not WebAssembly"), "{}", problems[999]);
    assert!(problems[1_000].what.contains("more than 1000 plugins"), "{}", problems[1_000]);
}

/// A component made beforehand is as good as the module that cargo makes.
#[test]
fn a_component_and_a_core_module_are_both_taken() {
    let module = fs::read(guest("bench")).unwrap();
    let component = wit_component::ComponentEncoder::default().module(&module).unwrap().encode().unwrap();
    let rig = Rig::new();
    rig.write("component", &component);
    rig.write("module", &module);
    let host = rig.start();
    let records = batch(&[r#"{"level":"info"}"#, r#"{"level":"debug"}"#]);
    let [one, two] = ["component", "module"].map(|name| chain(&host, vec![plugin(name)]).apply(records.clone()));
    assert_eq!((&one.outputs, one.dropped_count), (&two.outputs, two.dropped_count));
    assert_eq!(one.outputs.len(), 1);
}

#[test]
fn a_chain_wants_exactly_the_plugins_of_its_definition() {
    let rig = Rig::new();
    rig.install("bench", "bench");
    let host = rig.start();
    let bench = host.current("bench").unwrap();
    let chain = |plugins: Vec<PluginVersion>| Chain::new(&definition(vec![plugin("bench")]), &epoch(plugins), &host);
    assert!(matches!(chain(vec![]), Err(ChainError::Epoch(1))));
    assert!(matches!(chain(vec![bench.clone(), bench.clone()]), Err(ChainError::Epoch(1))));
    let other = PluginVersion { name: "other".to_owned(), digest: bench.digest.clone() };
    assert!(matches!(chain(vec![other]), Err(ChainError::Epoch(1))));
    let unknown = PluginVersion { name: "bench".to_owned(), digest: "0".repeat(64) };
    let error = chain(vec![unknown]).unwrap_err();
    assert!(matches!(&error, ChainError::Missing { name, .. } if name == "bench"), "{error}");
    assert!(chain(vec![bench]).is_ok());
}
