//! What becomes of whole readings.

use hydrant_plugin::testing::{Delivered, Fate, run_plugin};

use super::*;

const SETTINGS: [(&str, &str); 7] = [
    ("range.temperature", "10..90"),
    ("target.temperature", "70"),
    ("sigma.temperature", "2"),
    ("step.temperature", "5"),
    ("unit.temperature", "C"),
    ("range.line.pressure", "-1e2..+1e2"),
    ("stuck", "temperature, vibration"),
];

fn fate(settings: &[(&str, &str)], record: &str) -> Fate {
    run_plugin::<SensorQuality>(&Context::new("", settings), &[record]).unwrap().remove(0)
}

fn delivered(record: &str) -> Delivered {
    match fate(&SETTINGS, record) {
        Fate::Replaced(mut records) => records.remove(0),
        other => panic!("{record} became {other:?}"),
    }
}

/// Score, flags, defect.
fn judged(members: &str) -> (String, String, bool) {
    let record = delivered(&format!("{{\"machine\":\"m\",\"sensor\":{members}}}"));
    let object = Object::parse(&record.data).unwrap();
    let quality = object.get("quality").unwrap().as_object().unwrap();
    let flags = quality.get("flags").unwrap().as_array().unwrap();
    let flags: Vec<_> = flags.map(|flag| flag.as_str().unwrap().into_owned()).collect();
    let is_defect = object.get("defect").unwrap().as_bool().unwrap();
    assert_eq!(record.columns["defect"], is_defect.to_string());
    let score = String::from_utf8(quality.get("score").unwrap().raw().to_vec()).unwrap();
    (score, flags.join(","), is_defect)
}

#[test]
fn a_reading_keeps_its_members_and_gets_two() {
    let record = "{\"machine\":\"press-4\", \"sensor\":\"temperature\",\"value\":71.50,\"unit\":\"C\",\"ts\":1}\n";
    let delivered = delivered(record);
    let expected = "{\"machine\":\"press-4\", \"sensor\":\"temperature\",\"value\":71.50,\"unit\":\"C\",\"ts\":1,\"quality\":{\"score\":0.059,\"flags\":[]},\"defect\":false}\n";
    assert_eq!(String::from_utf8_lossy(&delivered.data), expected);
    let columns: Vec<_> = delivered.columns.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(columns, [("defect", "false"), ("machine", "press-4")]);
}

#[test]
fn the_oddest_thing_about_a_reading_is_its_score() {
    let table = [
        (r#""temperature","value":70,"unit":"C","ts":1"#, "0", "", false),
        (r#""temperature","value":76,"unit":"C","ts":1"#, "0.5", "off-target", true),
        (r#""temperature","value":64.1,"unit":"C","ts":1"#, "0.492", "", false),
        (r#""temperature","value":95,"unit":"C","ts":1"#, "1", "out-of-range,off-target", true),
        (r#""temperature","value":70,"unit":"C","ts":1,"previous":60"#, "0.8", "jump", true),
        (r#""temperature","value":70,"unit":"C","ts":1,"previous":70.0"#, "0.5", "stuck", true),
        (r#""temperature","value":70,"unit":"C","ts":1,"previous":null"#, "0", "", false),
        (r#""temperature","value":70,"unit":"F","ts":1"#, "1", "unit", true),
        (r#""temperature","value":70,"ts":1"#, "1", "unit", true),
        (r#""temperature","value":70,"unit":"C""#, "0.25", "no-time", false),
        (r#""temperature","unit":"C","ts":1"#, "1", "missing", true),
        (r#""temperature","value":null,"ts":"x""#, "1", "missing", true),
        (r#""temperature","value":"NaN","ts":1"#, "1", "not-a-number", true),
        (r#""temperature","value":1e999,"ts":1"#, "1", "not-a-number", true),
        (r#""temperature","value":true"#, "1", "no-time,not-a-number", true),
        (
            r#""temperature","value":1e300,"unit":"C","ts":1,"previous":-1e300"#,
            "1",
            "out-of-range,off-target,jump",
            true,
        ),
        (r#""line.pressure","value":-100,"ts":1"#, "0", "", false),
        (r#""line.pressure","value":-100.001,"ts":1"#, "1", "out-of-range", true),
        (r#""vibration","value":3,"previous":3,"ts":1"#, "0.5", "stuck", true),
        (r#""humidity","value":3,"previous":3,"ts":1"#, "0", "unchecked", false),
    ];
    for (members, score, flags, is_defect) in table {
        assert_eq!(judged(members), (score.to_owned(), flags.to_owned(), is_defect), "{members}");
    }
}

#[test]
fn the_threshold_is_the_operators() {
    let record = r#"{"machine":"m","sensor":"s","value":1,"ts":1,"previous":3}"#;
    let defect = |threshold: &str| {
        let text = fate(&[("step.s", "4"), ("threshold", threshold)], record).text().concat();
        text.contains("\"score\":0.2,") && text.contains("\"defect\":true")
    };
    assert!(defect("0.2") && !defect("0.21"));
}

#[test]
fn what_is_no_reading_fails() {
    let table = [
        ("x", "invalid JSON at byte 0"),
        (r#"{"value":NaN}"#, "invalid JSON at byte 9"),
        ("[]", "no JSON object"),
        (r#"{"sensor":"s"}"#, "machine is no text"),
        (r#"{"machine":"","sensor":"s"}"#, "machine is no text"),
        (r#"{"machine":"m","sensor":7}"#, "sensor is no text"),
    ];
    for (record, expected) in table {
        let failed = format!("{:?}", fate(&[], record));
        assert!(failed.starts_with("Failed") && failed.contains(expected), "{record}: {failed}");
    }
}

#[test]
fn settings_are_checked() {
    let refused = |name: &str, value: &str| {
        run_plugin::<SensorQuality>(&Context::new("", &[(name, value)]), &[""; 0]).unwrap_err()
    };
    for name in ["limit.x", "range", "range.", "x"] {
        assert!(refused(name, "1").starts_with(&format!("{name}: no such setting; there are range.SENSOR")), "{name}");
    }
    assert_eq!(refused("range.x", "1-2"), "range.x: a range such as 10..90, not \"1-2\"");
    assert_eq!(refused("range.x", "2..1"), "range.x: the first limit must be below the second, not \"2..1\"");
    assert_eq!(refused("range.x", "1..b"), "range.x: \"b\" is no number");
    assert_eq!(refused("step.x", "0"), "step.x: a number above 0, not \"0\"");
    assert_eq!(refused("target.x", "1"), "target.x and sigma.x are set together or not at all");
    assert_eq!(refused("sigma.x", "1"), "target.x and sigma.x are set together or not at all");
    assert!(refused("threshold", "0").starts_with("threshold: a number above 0 and up to 1"));
    assert!(refused("threshold", "NaN").starts_with("threshold: \"NaN\" is no number"));
    assert!(refused("stuck", "a,,b").starts_with("stuck: names of sensors"));
}
