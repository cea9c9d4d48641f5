//! Which programs are plain, and that each of their answers is the interpreter's.

use proptest::prelude::*;

use super::super::super::step::tests::records;
use super::super::Query;
use super::*;

#[test]
fn only_programs_that_look_at_members_are_plain() {
    let member = |name: &str, path: &[&str], slice| Member {
        name: name.to_owned(),
        path: path.iter().map(|&one| one.to_owned()).collect(),
        slice,
    };
    let check = |query: &str, members: Vec<Member>| assert_eq!(Plain::of(query), Some(Plain { members }), "{query}");
    check("{country: .country}", vec![member("country", &["country"], None)]);
    check(" { a , \"b c\" : .x.\"y\\n\" } # why", vec![member("a", &["a"], None), member("b c", &["x", "y\n"], None)]);
    check(
        "{d: .ts[0:10], e: (.[\"t\"][:-3]), f: .t[2:]}",
        vec![
            member("d", &["ts"], Some((Some(0), Some(10)))),
            member("e", &["t"], Some((None, Some(-3)))),
            member("f", &["t"], Some((Some(2), None))),
        ],
    );
    for query in [
        "{}",
        ".",
        ".a",
        "{a: .}",
        "{a: .a?}",
        "{a: .a[0]}",
        "{a: .a[]}",
        "{a: .a[1:2].b}",
        "{a: .a[.b:]}",
        "{a: 1}",
        "{a: .a[0.5:2]}",
        "{(.a): .b}",
        "{a: .a | .b}",
        "{a: .a // 1}",
        "{\"\\(.a)\": .b}",
        "{a: ..}",
        "{@text \"a\": .b}",
        "{a: .a} | .",
        "{a: .a[99999999999:]}",
        "{a: .a.a.a.a.a.a.a.a.a}",
    ] {
        assert_eq!(Plain::of(query), None, "{query}");
    }
    let wide: Vec<String> = (0..=MOST_MEMBERS).map(|at| format!("k{at}: .a")).collect();
    assert_eq!(Plain::of(&format!("{{{}}}", wide.join(","))), None);
    assert!(Plain::of(&format!("{{{}}}", wide[1..].join(","))).is_some());
}

/// What both ways say of these records.
fn same(query: &str, keys: Option<&[&str]>, texts: &[impl AsRef<[u8]>]) -> Result<(), TestCaseError> {
    let keys = || keys.map(|keys| keys.iter().map(|&key| key.to_owned()).collect::<Vec<_>>());
    prop_assert!(Plain::of(query).is_some(), "{query}");
    let (fast, slow) = (Query::new(query, keys()).unwrap(), Query::interpreted(query, keys()).unwrap());
    let texts = records(texts);
    prop_assert_eq!(fast.apply(&texts), slow.apply(&texts), "{}", query);
    Ok(())
}

const PROGRAMS: [&str; 9] = [
    "{a}",
    "{a: .a}",
    "{a: .a, b: .a.b}",
    "{x: .a.b.c, y: .b, z: .c.a}",
    "{a: .a[0:2]}",
    "{a: .a[1:], b: .b[:-1], c: .c[-2:1]}",
    "{a: .a.b[-1:3], b: .a}",
    "{a: .a, a: .b}",
    "{\"a\": .\"b\", b: .[\"c\"]}",
];

#[test]
fn odd_records_are_as_in_the_interpreter() {
    let deep = |depth: usize| format!(r#"{{"z":{}{},"a":"x"}}"#, "[".repeat(depth), "]".repeat(depth));
    let mut texts: Vec<Vec<u8>> = [
        "",
        " ",
        "null",
        "true",
        "1",
        "\"a\"",
        "[]",
        "{}",
        "{\"a\":1}x",
        "{\"a\":1} {\"a\":2}",
        "\u{feff}{}",
        r#"{"a":1,"a":2}"#,
        r#"{"a":{"b":1},"a":{}}"#,
        r#"{"a":{"b":1},"a":null}"#,
        r#"{"a":{"b":1,"b":"x"},"b":[]}"#,
        r#"{"a":{"b":1},"a":"x"}"#,
        r#"{"a":"x","a":{"b":1}}"#,
        r#"{"\u0061":"é\u00e9","b":"\ud83d\ude00xyz"}"#,
        r#"{"a":"\ud83d"}"#,
        r#"{"z":"\ud83d","a":1}"#,
        r#"{"z":"\ude00","a":1}"#,
        r#"{"\ud83d":1,"a":1}"#,
        r#"{"a":1e999}"#,
        r#"{"z":1e999,"a":1}"#,
        r#"{"z":-1e999,"a":1}"#,
        r#"{"z":1e-999,"a":1e-999}"#,
        r#"{"a":-0}"#,
        r#"{"a":-0.0}"#,
        r#"{"a":1.0}"#,
        r#"{"a":1.50}"#,
        r#"{"a":1e2}"#,
        r#"{"a":0}"#,
        r#"{"a":18446744073709551615}"#,
        r#"{"a":9223372036854775808}"#,
        r#"{"a":123456789012345678}"#,
        r#"{"a":1234567890123456789}"#,
        r#"{"a":01}"#,
        r#"{"a":"a\u0000b"}"#,
        "{\"a\":\"a\u{1}b\"}",
        "{\"a\":\"a\tb\"}",
        r#"{"a":"","b":""}"#,
        r#"{"a":true,"b":false}"#,
    ]
    .iter()
    .map(|text| text.as_bytes().to_vec())
    .collect();
    texts.extend([126, 127, 128, 200].map(|depth| deep(depth).into_bytes()));
    texts.extend([deep(300).into_bytes(), b"{\"a\":\"\xff\"}".to_vec(), b"{\"z\":\"\xc3\",\"a\":1}".to_vec()]);
    texts.push(format!(r#"{{"a":{},"b":1}}"#, "9".repeat(400)).into_bytes());
    texts.push(format!(r#"{{"z":{},"a":1}}"#, "9".repeat(400)).into_bytes());
    texts.extend([1024, 1025].map(|length| format!(r#"{{"a":"{}"}}"#, "x".repeat(length)).into_bytes()));
    for query in PROGRAMS {
        same(query, None, &texts).unwrap();
        same(query, Some(&["b", "a", "missing"]), &texts).unwrap();
    }
}

/// The bound is reached: the interpreter is asked, among records that it is not asked for.
#[test]
fn long_records_are_for_the_interpreter() {
    let long = |filler: usize| format!(r#"{{"a":"x","filler":"{}"}}"#, "y".repeat(filler));
    let plain = Plain::of("{a}").unwrap();
    assert!(plain.takes(long(MOST_BYTES - 21).as_bytes()) && !plain.takes(long(MOST_BYTES - 20).as_bytes()));
    same("{a: .a}", None, &[long(1), long(MOST_BYTES), long(2)]).unwrap();
}

/// JSON and nearly JSON: names and numbers that repeat, escapes, white space.
fn json() -> impl Strategy<Value = String> {
    let name = || prop::sample::select(vec!["a", "b", "c", "d", "\\u0061", "é", ""]);
    let leaf = prop_oneof![
        prop::sample::select(vec![
            "null",
            "true",
            "false",
            "0",
            "-0",
            "-1",
            "1.5",
            "1e3",
            "1E-7",
            "1e400",
            "12345678901234567890",
            "00",
            "nul",
            r#""""#,
            r#""x""#,
            r#""héllo""#,
            r#""\n\t\"\\""#,
            r#""\ud83d\ude00é""#,
            r#""\ud83d""#,
            r#""\u12""#,
        ])
        .prop_map(str::to_owned),
        any::<i64>().prop_map(|number| number.to_string()),
        any::<f64>().prop_map(|number| serde_json::to_string(&number).unwrap()),
        ".{0,12}".prop_map(|text| serde_json::to_string(&text).unwrap()),
    ];
    let space = || prop::sample::select(vec!["", "", "", " ", "\n\t"]);
    leaf.prop_recursive(5, 40, 6, move |inner| {
        let member = (space(), name(), space(), inner.clone(), space());
        let object = prop::collection::vec(member, 0..6).prop_map(|members| {
            let member = |(a, name, b, value, c)| format!("{a}\"{name}\"{b}:{value}{c}");
            format!("{{{}}}", members.into_iter().map(member).collect::<Vec<_>>().join(","))
        });
        let array = prop::collection::vec(inner, 0..4).prop_map(|items| format!("[{}]", items.join(", ")));
        prop_oneof![4 => object, 1 => array]
    })
}

proptest! {
    #[test]
    fn answers_are_the_interpreters(texts in prop::collection::vec(json(), 1..4), at in 0..PROGRAMS.len(), some: bool) {
        let keys: &[&str] = &["b", "x", "a"];
        same(PROGRAMS[at], some.then_some(keys), &texts)?;
    }

    #[test]
    fn damaged_records_fail_as_in_the_interpreter(
        text in json(), at in 0..PROGRAMS.len(), place: prop::sample::Index, byte: u8
    ) {
        let mut bytes = text.into_bytes();
        let place = place.index(bytes.len());
        bytes[place] = byte;
        same(PROGRAMS[at], None, &[bytes])?;
    }
}
