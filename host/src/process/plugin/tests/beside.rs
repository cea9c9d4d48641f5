//! What runs beside a plugin, or in turn with it: nothing of a shadow is delivered, a canary that breaks a bound is taken
//! back, and a plugin that answers differently to the same records is found.

use super::super::beside::Beside;
use super::super::candidate::Tally;
use super::super::loaded::Work;
use super::super::stamped::stamped;
use super::super::{Asked, Kind, PublishError, Report};
use super::*;
use crate::telemetry::PluginMetrics;

const INFO: &str = r#"{"level":"info"}"#;
const DEBUG: &str = r#"{"level":"debug"}"#;
/// Of a canary that has its share twice.
const PERIOD_MS: u64 = 1_000;

fn bytes(name: &str) -> Vec<u8> {
    fs::read(guest(name)).unwrap()
}

fn asked(text: &str) -> Asked {
    Asked::read(text.split('&').filter_map(|pair| pair.split_once('='))).unwrap().unwrap()
}

fn candidate(host: &PluginHost) -> Report {
    host.candidate("p").unwrap()
}

/// A rig whose plugin p is `bench`, and in which nothing is run twice by chance.
fn rig() -> Rig {
    let mut rig = Rig::new();
    rig.settings.double_run = None;
    rig.settings.canary_period = Duration::from_millis(PERIOD_MS);
    rig.install("p", "bench");
    rig
}

#[test]
fn a_shadow_is_compared_and_changes_nothing() {
    let rig = rig();
    let host = rig.start();
    let ruling = host.current("p").unwrap();
    let records = batch(&[INFO, DEBUG, "no json"]);
    let rules = chain(&host, vec![plugin("p")]);
    let expected = rules.apply(records.clone());
    let page = rig.telemetry.render();

    let version = host.put_beside("p", &stamped("another"), asked("shadow=100")).unwrap();
    assert_eq!(host.current("p"), Some(ruling), "a shadow never rules");
    for _ in 0..3 {
        assert_eq!(rules.apply(records.clone()), expected);
        host.settle("p");
    }
    let report = candidate(&host);
    assert_eq!((report.kind, report.verdict, &report.digest), (Kind::Shadow, "watching", &version.digest));
    assert_eq!(report.differing_records, Some(3), "one of each batch is stamped otherwise");
    for tally in [report.ruling, report.candidate] {
        let Tally { batches, records, failed_records, dropped_records, .. } = tally;
        assert_eq!((batches, records, failed_records, dropped_records), (3, 9, 3, 3));
        assert!(tally.memory_peak_bytes > 0 && !tally.seconds.is_zero());
    }
    // Three calls more than before: those of the version that rules.
    let calls =
        |page: &str| page.lines().find(|line| line.starts_with("hydrant_plugin_calls_total")).unwrap().to_owned();
    assert!(calls(&page).ends_with(" 1") && calls(&rig.telemetry.render()).ends_with(" 4"));
}

/// A share is kept to, a shadow that traps at each record harms nobody, and what is the same is no difference.
#[test]
fn a_shadow_may_do_what_it_likes() {
    let mut rig = rig();
    // The guest `bench` does not ask for settings.
    rig.configure("p", &[("do", "panic"), ("when", "level")]);
    let host = rig.start();
    let rules = chain(&host, vec![plugin("p")]);
    rig.settings.trial_records = 0;
    host.put_beside("p", &bytes("hostile"), asked("shadow=50")).unwrap();
    for _ in 0..4 {
        let made = rules.apply(batch(&[INFO, INFO]));
        assert_eq!((made.outputs.len(), made.rejected.len()), (2, 0));
        host.settle("p");
    }
    let report = candidate(&host);
    assert_eq!(
        (report.candidate.batches, report.candidate.failed_records, report.candidate.faulted_batches),
        (2, 4, 2)
    );
    assert_eq!((report.ruling.batches, report.ruling.failed_records), (2, 0));
    assert_eq!(report.differing_records, Some(4));
    let page = rig.telemetry.render();
    let faults = page.lines().filter(|line| line.starts_with("hydrant_plugin_faults_total"));
    assert!(faults.clone().count() > 0 && faults.clone().all(|line| line.ends_with(" 0")), "{page}");

    // The same component with one more section is another version, and does the same.
    rig.configure("p", &[]);
    let host = rig.start();
    let mut same = bytes("bench");
    same.extend_from_slice(&[0, 2, 1, b'x']);
    host.put_beside("p", &same, asked("shadow=100")).unwrap();
    chain(&host, vec![plugin("p")]).apply(batch(&[INFO, DEBUG, "no json"]));
    host.settle("p");
    assert_eq!((candidate(&host).differing_records, candidate(&host).candidate.records), (Some(0), 3));
}

#[test]
fn a_candidate_ends_by_hand_by_another_and_by_a_publication() {
    let rig = rig();
    let host = rig.start();
    let ruling = host.current("p").unwrap();
    assert!(matches!(host.put_beside("q", &bytes("bench"), asked("shadow=1")), Err(PublishError::Unknown(_))));
    assert!(matches!(host.put_beside("p", &bytes("bench"), asked("shadow=1")), Err(PublishError::Rules(_))));
    assert!(host.put_beside("p", b"no plugin", asked("shadow=1")).is_err());
    assert_eq!(host.end_candidate("p"), None);

    let shadow = host.put_beside("p", &stamped("another"), asked("shadow=1")).unwrap();
    assert_eq!(host.end_candidate("p"), Some(shadow));
    assert_eq!((candidate(&host).verdict, host.end_candidate("p")), ("ended", None));

    // Nothing that is on trial or was is in the folder; a look at it changes nothing.
    host.put_beside("p", &stamped("another"), asked("shadow=1")).unwrap();
    host.rescan();
    assert_eq!((host.current("p"), candidate(&host).verdict), (Some(ruling), "watching"));
    host.publish("p", &bytes("orders")).unwrap();
    assert_eq!(host.candidate("p"), None);

    let canary = host.put_beside("p", &stamped("another"), asked("canary=10")).unwrap();
    assert_eq!(host.publish("p", &stamped("another")).unwrap(), canary);
    assert_eq!((candidate(&host).verdict, host.current("p")), ("promoted", Some(canary.clone())));

    // What rules survives a restart, a candidate does not, and its copy is kept as long as it is one.
    let shadow = host.put_beside("p", &bytes("bench"), asked("shadow=1")).unwrap();
    let next = host.put_beside("p", &stamped("a third"), asked("shadow=1")).unwrap();
    host.retain(&Default::default()).unwrap();
    assert!(host.load(&next).is_ok() && host.load(&shadow).is_ok(), "a candidate and a release");
    drop(host);
    let host = rig.start();
    assert_eq!((host.current("p"), host.candidate("p")), (Some(canary), None));
    host.retain(&Default::default()).unwrap();
    assert!(host.load(&next).is_err(), "nothing needs it any more");
}

/// Gives the turn to the canary or takes it, as the clock would.
fn turn_to(rig: &Rig, host: &PluginHost, canary: &PluginVersion, its: bool) {
    for _ in 0..100 {
        host.take_turns();
        if (host.current("p").as_ref() == Some(canary)) == its {
            return;
        }
        rig.clock.set(crate::runtime::Clock::now_ms(&*rig.clock) + PERIOD_MS / 10);
    }
    panic!("the turn never changed");
}

#[test]
fn a_canary_that_breaks_a_bound_is_taken_back_at_once() {
    let rig = rig();
    let host = rig.start();
    let ruling = host.current("p").unwrap();
    let canary = host.put_beside("p", &bytes("orders"), asked("canary=50&after=10&most-failures=20")).unwrap();
    assert_eq!(host.current("p"), Some(ruling.clone()), "what rules comes first");
    let records = batch(&[INFO, INFO, INFO, INFO, "no json"]);
    for _ in 0..2 {
        turn_to(&rig, &host, &canary, true);
        // No log record is an order.
        assert_eq!(chain(&host, vec![plugin("p")]).apply(records.clone()).rejected.len(), 5);
        turn_to(&rig, &host, &canary, false);
        assert_eq!(candidate(&host).verdict, "watching", "the ruling version has had too little yet");
        assert_eq!(host.current("p"), Some(ruling.clone()));
    }
    turn_to(&rig, &host, &canary, true);
    let rules = Chain::new(&definition(vec![plugin("p")]), &epoch(vec![ruling.clone()]), &host).unwrap();
    let mut changed = host.changed();
    changed.mark_unchanged();
    rules.apply(records.clone());
    assert!(!changed.has_changed().unwrap());
    rules.apply(records.clone());
    // In the middle of its turn.
    assert!(changed.has_changed().unwrap());
    assert_eq!(host.current("p"), Some(ruling.clone()));
    host.take_turns();
    assert_eq!(host.current("p"), Some(ruling));
    let report = candidate(&host);
    assert_eq!((report.verdict, report.digest), ("rolled-back", canary.digest));
    assert!(report.reason.unwrap().starts_with("100.0 of 100 records failed and 20.0 with the ruling version"));
    assert_eq!((report.ruling.records, report.candidate.records), (10, 10));
    assert!(rig.telemetry.render().contains("hydrant_plugin_canary_rollbacks_total{plugin=\"p\"} 1"));
}

#[test]
fn a_canary_that_holds_its_bounds_rules() {
    let rig = rig();
    let host = rig.start();
    // A busy machine must not decide this.
    let wishes = "canary=50&after=2&promote-after=4&most-latency=1000";
    let canary = host.put_beside("p", &stamped("another"), asked(wishes)).unwrap();
    let records = batch(&[INFO, "no json"]);
    chain(&host, vec![plugin("p")]).apply(records.clone());
    turn_to(&rig, &host, &canary, true);
    let turns = chain(&host, vec![plugin("p")]);
    assert!(texts(&turns.apply(records.clone()))[0].contains("another"));
    host.take_turns();
    assert_eq!(candidate(&host).verdict, "watching");
    turns.apply(records.clone());
    host.take_turns();
    assert_eq!(candidate(&host).verdict, "promoted");
    assert_eq!(host.current("p"), Some(canary.clone()));
    assert_eq!(host.releases("p").last().map(|release| release.by.clone()), Some("canary".to_owned()));
    assert_eq!(fs::read(rig.settings.plugin_dir.join("p.wasm")).unwrap(), stamped("another"));
    drop(host);
    assert_eq!(rig.start().current("p"), Some(canary));
}

/// Row P12: plugins are run twice now and then; those of this repository answer alike, also where they trap, and
/// nothing of the second run is counted.
#[test]
fn what_answers_alike_is_found_deterministic() {
    let mut rig = rig();
    rig.settings.double_run = Some(Duration::ZERO);
    rig.configure("h", &[("do", "panic"), ("when", "no json")]);
    rig.install("h", "hostile");
    let host = rig.start();
    for name in ["p", "h"] {
        assert_eq!(host.is_deterministic(name), None);
        let rules = chain(&host, vec![plugin(name)]);
        for _ in 0..5 {
            rules.apply(batch(&[INFO, DEBUG, "no json"]));
            host.settle(name);
        }
        assert_eq!(host.is_deterministic(name), Some(true), "{name}");
    }
    let page = rig.telemetry.render();
    assert!(page.contains("hydrant_plugin_nondeterministic_total{plugin=\"p\"} 0"), "{page}");
    assert!(page.contains("hydrant_plugin_calls_total{plugin=\"p\"} 5"), "{page}");
}

/// Row P12: a second answer that is not the first is counted each time and held against the version. Nothing in the
/// sandbox lets a guest be moody, so another guest gives the first answer here.
#[test]
fn what_answers_differently_is_found_out() {
    let rig = rig();
    let host = rig.start();
    let metrics = PluginMetrics::default();
    let beside = Arc::new(Beside::new(
        Some(Duration::ZERO),
        Arc::default(),
        metrics.clone(),
        tokio::sync::watch::Sender::new(0),
    ));
    let [one, other] = [bytes("bench"), stamped("another")]
        .map(|component| super::super::Plugin::alone("p", &component, tight(), Vec::new(), None).unwrap());
    let records = batch(&[INFO, DEBUG]);
    let work = Work { stream: "s", retries: 0, records: &records.records, arrived_ms: &records.arrived_ms };
    let (first, tally) = other.make(&work);
    for _ in 0..2 {
        beside.after(&one, &work, &first, &tally);
        beside.settle();
    }
    assert_eq!((metrics.nondeterministic.get(), beside.is_deterministic(one.version())), (2, Some(false)));
    // Once is enough, whatever it answers later.
    let (first, tally) = one.make(&work);
    beside.after(&one, &work, &first, &tally);
    beside.settle();
    assert_eq!((metrics.nondeterministic.get(), beside.is_deterministic(one.version())), (2, Some(false)));
    assert_eq!(beside.is_deterministic(&host.current("p").unwrap()), Some(false), "a version is its content");
}
