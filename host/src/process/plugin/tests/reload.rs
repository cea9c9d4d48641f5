//! Row P8: a file that is replaced rules from the next batch; a broken one leaves the old one running and says why.

use tokio::sync::watch;

use super::super::PublishError;
use super::*;
use crate::process::ChainError;

/// Waits for the next switch that the watcher makes by itself.
fn switched(changed: &mut watch::Receiver<u64>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    // So long only so that a broken watcher fails instead of hanging; a working one takes a tenth of a second.
    let limit = Duration::from_secs(60);
    runtime.block_on(async { tokio::time::timeout(limit, changed.changed()).await }).expect("a switch").unwrap();
}

fn renamed_into_place(rig: &Rig, name: &str, guest_name: &str) {
    let beside = rig.folder.path().join("beside");
    fs::copy(guest(guest_name), &beside).unwrap();
    fs::rename(beside, rig.settings.plugin_dir.join(name).with_extension("wasm")).unwrap();
}

#[test]
fn a_file_renamed_into_place_or_rewritten_there_is_noticed() {
    let rig = Rig::new();
    let host = rig.start();
    let mut changed = host.changed();
    let mut digests = Vec::new();
    let mut noticed = |step: &dyn Fn()| {
        step();
        switched(&mut changed);
        digests.push(host.current("p").unwrap().digest);
    };
    noticed(&|| rig.install("p", "bench"));
    noticed(&|| renamed_into_place(&rig, "p", "orders"));
    noticed(&|| rig.install("p", "hostile"));
    noticed(&|| renamed_into_place(&rig, "p", "bench"));
    assert_eq!(digests[0], digests[3]);
    assert!(digests[0] != digests[1] && digests[1] != digests[2] && digests[2] != digests[3]);
}

#[test]
fn a_broken_file_leaves_the_old_version_running_until_it_is_mended() {
    let rig = Rig::new();
    rig.install("p", "bench");
    let host = rig.start();
    let old = host.current("p").unwrap();
    let whole = fs::read(guest("orders")).unwrap();
    for broken in [&whole[..whole.len() / 3], b"not even that", b""] {
        rig.write("p", broken);
        host.rescan();
        assert_eq!(host.current("p").as_ref(), Some(&old));
        let problems = host.problems();
        assert!(problems.len() == 1 && problems[0].what.contains("the version before it still rules"), "{problems:?}");
        let made = chain(&host, vec![plugin("p")]).apply(batch(&[r#"{"level":"debug"}"#]));
        assert_eq!(made.dropped_count, 1);
    }
    rig.write("p", &whole);
    host.rescan();
    assert_eq!(host.problems(), []);
    assert_ne!(host.current("p"), Some(old));
}

/// A new version whose configuration fails does not take over.
#[test]
fn a_version_that_refuses_its_settings_does_not_rule() {
    let mut rig = Rig::new();
    rig.configure("p", &[("do", "configure-error")]);
    rig.install("p", "bench");
    let host = rig.start();
    let old = host.current("p");
    rig.install("p", "hostile");
    host.rescan();
    assert_eq!(host.current("p"), old);
    assert!(host.problems()[0].what.contains("colour"), "{:?}", host.problems());
}

/// A batch is processed by the version of its epoch, however often the file changed since, also after a restart.
#[test]
fn an_old_version_stays_at_hand() {
    let rig = Rig::new();
    rig.install("p", "bench");
    let host = rig.start();
    let old = host.current("p").unwrap();
    let records = batch(&[r#"{"level":"debug"}"#, r#"{"level":"info"}"#]);
    let before = chain(&host, vec![plugin("p")]);
    let answer = before.apply(records.clone());
    rig.install("p", "orders");
    host.rescan();
    let ruling = host.current("p").unwrap();
    assert_ne!(ruling, old);
    assert!(host.at_hand(&ruling).is_some() && host.at_hand(&old).is_none(), "what rules waits for no disk");
    assert_eq!(before.apply(records.clone()), answer, "a chain keeps its version");
    let again = Chain::new(&definition(vec![plugin("p")]), &epoch(vec![old.clone()]), &host).unwrap();
    assert_eq!(again.apply(records.clone()), answer);
    drop(host);

    fs::remove_file(rig.settings.plugin_dir.join("p.wasm")).unwrap();
    let restarted = rig.start();
    assert_eq!(restarted.current("p"), None);
    let again = Chain::new(&definition(vec![plugin("p")]), &epoch(vec![old.clone()]), &restarted).unwrap();
    assert_eq!(again.apply(records), answer);
}

#[test]
fn a_damaged_copy_is_an_error_and_a_forgotten_one_is_missing() {
    let rig = Rig::new();
    rig.install("p", "bench");
    let old = rig.start().current("p").unwrap();
    rig.install("p", "orders");
    let host = rig.start();
    let load = |host: &PluginHost| Chain::new(&definition(vec![plugin("p")]), &epoch(vec![old.clone()]), host);
    let copy = rig.settings.store_dir.join(&old.digest).with_extension("wasm");
    fs::write(&copy, b"rot").unwrap();
    let error = load(&host).unwrap_err();
    assert!(matches!(error, ChainError::Store { .. }), "{error}");
    host.retain(&[old.digest.clone()].into()).unwrap();
    assert!(copy.exists());
    // A release that can be gone back to, until there were many after it.
    host.retain(&Default::default()).unwrap();
    assert!(copy.exists());
    fs::remove_file(rig.settings.store_dir.join("releases.json")).unwrap();
    let host = rig.start();
    host.retain(&Default::default()).unwrap();
    let error = load(&host).unwrap_err();
    assert!(matches!(error, ChainError::Missing { .. }), "{error}");
    assert!(host.load(&host.current("p").unwrap()).is_ok());
}

/// A copy that the disk refused is made at a later look, although the file did not change.
#[test]
fn a_version_that_could_not_be_stored_is_tried_again() {
    let rig = Rig::new();
    let host = rig.start();
    // A folder where the list of releases is to be written.
    let blocked = rig.settings.store_dir.join("releases.new");
    fs::create_dir(&blocked).unwrap();
    rig.install("p", "bench");
    host.rescan();
    assert_eq!(host.current("p"), None);
    assert!(host.problems()[0].what.contains("no durable copy can be made of it"), "{:?}", host.problems());
    let mut changed = host.changed();
    fs::remove_dir(blocked).unwrap();
    switched(&mut changed);
    // The look that made it rule may not have ended yet; this one waits for it.
    host.rescan();
    assert!(host.current("p").is_some() && host.problems().is_empty());
}

#[test]
fn a_version_is_published_kept_in_the_folder_and_taken_back() {
    let rig = Rig::new();
    rig.install("p", "bench");
    let host = rig.start();
    let [bench, orders] = ["bench", "orders"].map(|name| fs::read(guest(name)).unwrap());
    let first = host.current("p").unwrap();
    let second = host.publish("p", &orders).unwrap();
    assert_eq!(host.current("p").as_ref(), Some(&second));
    let file = rig.settings.plugin_dir.join("p.wasm");
    assert_eq!(fs::read(&file).unwrap(), orders);
    // The watcher sees the file and finds nothing new.
    host.rescan();
    assert_eq!(host.releases("p").iter().map(|release| &*release.by).collect::<Vec<_>>(), ["file", "publish"]);

    assert!(host.publish("p", b"no plugin").unwrap_err().to_string().contains("not WebAssembly"));
    assert!(matches!(host.publish("../p", &bench), Err(PublishError::Name(_))));
    assert_eq!(fs::read(&file).unwrap(), orders);

    assert_eq!(host.roll_back("p", None).unwrap(), first);
    assert_eq!(fs::read(&file).unwrap(), bench);
    assert_eq!(host.roll_back("p", Some(&second.digest[..10])).unwrap(), second);
    assert!(matches!(host.roll_back("p", Some("0000")), Err(PublishError::NoRelease(_))));
    assert!(matches!(host.roll_back("q", None), Err(PublishError::Unknown(_))));
    drop(host);
    let host = rig.start();
    assert_eq!(host.current("p"), Some(second));
    assert_eq!(host.releases("p").len(), 4);
}

/// What a stream brought lately is what the next version has to deal with.
#[test]
fn a_version_that_traps_on_recent_records_does_not_rule() {
    let mut rig = Rig::new();
    rig.configure("p", &[("do", "panic"), ("when", "poison")]);
    rig.install("p", "orders");
    let host = rig.start();
    let old = host.current("p").unwrap();
    chain(&host, vec![plugin("p")]).apply(batch(&["fine", "poison"]));
    let hostile = fs::read(guest("hostile")).unwrap();
    let refused = host.publish("p", &hostile).unwrap_err();
    let told = refused.to_string();
    assert!(told.contains("with recent records of stream orders") && told.contains("trapped"), "{told}");
    assert_eq!(host.current("p"), Some(old));
    rig.settings.trial_records = 0;
    drop(host);
    let host = rig.start();
    chain(&host, vec![plugin("p")]).apply(batch(&["fine", "poison"]));
    host.publish("p", &hostile).unwrap();
}

/// A replay needs the settings as they were, not as they are.
#[test]
fn other_settings_are_another_version_and_the_old_one_still_loads() {
    let mut rig = Rig::new();
    rig.configure("p", &[("do", "split")]);
    rig.install("p", "hostile");
    let before = rig.start().current("p").unwrap();
    rig.configure("p", &[("do", "fail")]);
    let host = rig.start();
    let after = host.current("p").unwrap();
    assert_ne!(before, after);
    host.retain(&[before.digest.clone()].into()).unwrap();
    let run = |version: &PluginVersion| {
        let epoch = epoch(vec![version.clone()]);
        Chain::new(&definition(vec![plugin("p")]), &epoch, &host).unwrap().apply(batch(&["a"]))
    };
    assert_eq!(run(&before).outputs.len(), 2);
    assert_eq!(run(&after).rejected.len(), 1);
}

/// A plugin whose file is deleted goes on: streams name it.
#[test]
fn a_deleted_file_changes_nothing_until_a_restart() {
    let rig = Rig::new();
    rig.install("p", "bench");
    rig.write("noise", b"noise");
    let host = rig.start();
    assert_eq!(host.problems().len(), 1);
    for name in ["p.wasm", "noise.wasm"] {
        fs::remove_file(rig.settings.plugin_dir.join(name)).unwrap();
    }
    host.rescan();
    assert!(host.current("p").is_some());
    assert_eq!(host.problems(), []);
}
