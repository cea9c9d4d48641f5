//! Programs: the idioms that partition keys are made with, and what hostile ones get.

use proptest::prelude::*;

use super::super::partition::FAILED;
use super::super::step::tests::records;
use super::*;

/// What a program says of a record, as `key=value` in the order of the program.
fn said(query: &str, record: &str) -> String {
    let made = Query::new(query, None).unwrap_or_else(|error| panic!("{query}: {error}"));
    let (columns, faults) = made.apply(&records(&[record]));
    if let Some((_, fault)) = faults.first() {
        assert_eq!((fault.code, fault.is_repeatable), (FAILED, true));
        return format!("! {}", fault.message);
    }
    let value = |codes: &[u32], dictionary: &[String]| match codes[0] {
        0 => "-".to_owned(),
        code => dictionary[code as usize - 1].clone(),
    };
    let said = columns.iter().map(|column| {
        format!("{}={}", column.name.strip_prefix("$query:").unwrap(), value(&column.codes, &column.dictionary))
    });
    said.collect::<Vec<_>>().join(" ")
}

/// One value that a program makes.
fn made(filter: &str, record: &str) -> String {
    let said = said(&format!("{{v: ({filter})}}"), record);
    said.strip_prefix("v=").map_or(said.clone(), str::to_owned)
}

#[test]
fn values_become_texts() {
    let record = r#"{"s":"a b","i":7,"f":1.5,"w":2.0,"t":true,"n":null,"a":[1],"o":{},"big":1234567890123456789}"#;
    assert_eq!(
        said("{s: .s, i, f: .f, w: .w, t: .t, big: .big}", record),
        "s=a b i=7 f=1.5 w=2 t=true big=1234567890123456789"
    );
    assert_eq!(said("{n: .n}", record), "! partition key n: it is null");
    assert_eq!(said("{x: .x}", record), "! partition key x: it is null");
    assert_eq!(said("{a: .a}", record), "! partition key a: it is neither text nor number nor boolean");
    assert_eq!(said("{o: .o}", record), "! partition key o: it is neither text nor number nor boolean");
    assert_eq!(said("{s: (.s * 400)}", record), "! partition key s: it has more than 1024 bytes");
}

#[test]
fn a_record_is_one_document_and_a_query_says_one_object() {
    assert_eq!(said("{a: .a}", "no json"), "! the record is not one JSON document");
    assert_eq!(said("{a: .a}", ""), "! the record is not one JSON document");
    assert_eq!(said("{a: .a}", r#"{"a":1}{"a":2}"#), "! the record is not one JSON document");
    assert_eq!(said("{a: .a}", "{\"a\":1}\n"), "a=1");
    assert_eq!(said(".a", r#"{"a":1}"#), "! the query does not say an object of the record");
    assert_eq!(said("{a: .a[]}", r#"{"a":[1,2]}"#), "! the query says more than one thing of the record");
    assert_eq!(said("{a: .a[]}", r#"{"a":[]}"#), "! the query says nothing of the record");
    assert_eq!(said("{a: (.a | error)}", r#"{"a":"secret"}"#), "! the query fails on the record");
    let deep = "[".repeat(200) + &"]".repeat(200);
    assert_eq!(said("{a: 1}", &deep), "! the record is not one JSON document");
}

/// Firehose's own examples and the idioms that people ask about (reference, section 4.2).
#[test]
fn idioms_of_partition_keys() {
    let event = r#"{"type":{"device":"mobile"},"customer_id":"42","event_timestamp":1565382027,"region":"EU-west-1","ms":1565382027123,
        "iso":"2019-08-09T20:20:27Z","tags":["x","y"],"message":"eyJhIjoiYiJ9","path":"/a/b/c.html","n":"12","nested":"{\"k\":5}"}"#;
    let whole = r#"{customer_id: .customer_id, device: .type.device, year: .event_timestamp|strftime("%Y")}"#;
    assert_eq!(said(whole, event), "customer_id=42 device=mobile year=2019");
    let check = |filter: &str, expected: &str| assert_eq!(made(filter, event), expected, "{filter}");
    check(r#".event_timestamp | strftime("%Y-%m-%d/%H")"#, "2019-08-09/20");
    check(r#".ms / 1000 | strftime("%d")"#, "09");
    check(r#"(.ms / 1000 | floor | todate)[0:10]"#, "2019-08-09");
    check(r#".iso | fromdate"#, "1565382027");
    check(r#".iso | strptime("%Y-%m-%dT%H:%M:%SZ") | mktime"#, "1565382027");
    check(r#".iso | strptime("%Y-%m-%dT%H:%M:%SZ") | strftime("%m")"#, "08");
    check(r#".event_timestamp | gmtime | "\(.[0])-\(.[1] + 1)""#, "2019-8");
    check(".event_timestamp | localtime | mktime", "1565382027");
    check(".iso[0:4]", "2019");
    check(".iso[:-10]", "2019-08-09");
    check(".missing // \"none\"", "none");
    check(".type.missing? // .type.device", "mobile");
    check("if .customer_id == \"42\" then \"a\" elif .n then \"b\" else \"c\" end", "a");
    check(r#""\(.customer_id)/\(.type.device)""#, "42/mobile");
    check(".event_timestamp | tostring", "1565382027");
    check(".n | tonumber + 1", "13");
    check(r#".region | test("^eu-"; "i")"#, "true");
    check(r#".region | test("^eu-")"#, "false");
    check(r#".region | split("-")[1]"#, "west");
    check(r#".region | ascii_downcase | ltrimstr("eu-") | rtrimstr("-1")"#, "west");
    check(".event_timestamp | ltrimstr(\"x\")", "1565382027");
    check(".message | @base64d | fromjson | .a", "b");
    check(".message[:10] | @base64d | .[:6]", "{\"a\":\"");
    check(".nested | fromjson.k", "5");
    check(r#".region | sub("-.*"; "")"#, "EU");
    check(r#".region | gsub("[^A-Za-z]+(?<d>[a-z0-9])"; "_\(.d)")"#, "EU_west_1");
    check(r#".path | capture("/(?<first>[a-z]+)/").first"#, "a");
    check(r#"[.path | scan("[a-z]+")] | join(",")"#, "a,b,c,html");
    check(r#".path | [match("[a-z]"; "g").offset] | tojson"#, "[1,3,5,7,8,9,10]");
    check(".tags | length", "2");
    check(".tags | index(\"y\")", "1");
    check(".tags | contains([\"x\"])", "true");
    check("[.tags[] | select(. != \"x\")] | first", "y");
    check(".tags | map(ascii_upcase) | add", "XY");
    check("keys | length", "11");
    check("has(\"iso\")", "true");
    check("to_entries | map(select(.key == \"n\"))[0].value", "12");
    check("[{name: \"a\", value: 1}, {k: \"b\", v: 2}] | from_entries | tojson", r#"{"a":1,"b":2}"#);
    check("with_entries(.value |= tostring) | .customer_id", "42");
    check("reduce .tags[] as $tag (\"\"; . + $tag)", "xy");
    check("first(range(5; 9))", "5");
    check("[limit(2; repeat(\"a\"))] | join(\"\")", "aa");
    check(". as {customer_id: $id} | $id", "42");
    check("try error(\"x\") catch .", "x");
    check(".customer_id | @uri \"c/\\(.)\"", "c/42");
    check("[.customer_id, 1, null, \"a\\\"b\"] | @csv", r#""42",1,,"a""b""#);
    check("[1, \"a\\tb\"] | @tsv", "1\ta\\tb");
    check(".type | @json", r#"{"device":"mobile"}"#);
    check(".type | type", "object");
    check("7 % 3, empty", "1");
    check("10 / 4", "2.5");
    check("10 / 5", "2");
    check("\"a,b\" / \",\" | last", "b");
    check("[1, 2] - [2] | tojson", "[1]");
    check("{a: {b: 1}} * {a: {c: 2}} | tojson", r#"{"a":{"b":1,"c":2}}"#);
    check("[3, 1, 2] | sort | tojson", "[1,2,3]");
    check("[{a: 2}, {a: 1}] | min_by(.a).a", "1");
    check("[nan] | sort | tojson", "[null]");
    check("[.[]?] | length", "11");
    check("1e1000 | tostring", "1.7976931348623157e+308");
    check("nan | isnan", "true");
    check("pow(2; 10), empty", "1024");
    check(".type | .device |= ascii_upcase | .device", "MOBILE");
    check("del(.type) | has(\"type\")", "false");
    check("[paths] | length > 11", "true");
    check("[.tags, .tags] | flatten | length", "4");
    check("[[1, 2], [3]] | transpose | tojson", "[[1,3],[2,null]]");
    check("null | .[0] = 1 | tojson", "[1]");
    check("\"aXbxc\" | ascii_downcase | indices(\"x\") | tojson", "[1,3]");
    check("\"é€\" | .[1:]", "€");
    check("\"\" | split(\",\") | length", "0");
    check("\"abc\" | explode | implode", "abc");
    check("infinite | isinfinite", "true");
    check("([1, 2] | .[1:] = [5, 6]) | tojson", "[1,5,6]");
}

#[test]
fn times_beyond_the_calendar_fail() {
    for filter in [".t | strftime(\"%Y\")", ".t | todate", ".t | gmtime | mktime", ".t | localtime | mktime"] {
        assert_eq!(made(filter, r#"{"t":1565382027123000}"#), "! the query fails on the record", "{filter}");
        assert_eq!(made(filter, r#"{"t":-99999999999999}"#), "! the query fails on the record", "{filter}");
    }
}

/// Nothing that depends on where or when a program is run, or reaches out of it.
#[test]
fn what_reaches_out_does_not_exist() {
    for name in [
        "now",
        "env",
        "$ENV",
        "input",
        "inputs",
        "debug",
        "stderr",
        "halt",
        "halt_error",
        "input_filename",
        "debug(\"x\")",
    ] {
        let error = check_query(&format!("{{a: {name}}}")).unwrap_err();
        assert!(error.starts_with("the query uses what does not exist"), "{name}: {error}");
    }
    assert!(check_query("import \"a\" as a; {a: 1}").is_err());
    assert!(check_query("include \"/etc/passwd\"; {a: 1}").is_err());
}

#[test]
fn what_is_wrong_is_said() {
    let error = |query: &str| check_query(query).unwrap_err();
    assert_eq!(error(""), "the query is empty");
    assert_eq!(error(" \n"), "the query is empty");
    assert_eq!(error(&format!("{{a: \"{}\"}}", "x".repeat(5120))), "the query has 5127 bytes, more than 5120");
    assert_eq!(error(&"[".repeat(65)), "the query nests more than 64 brackets");
    assert_eq!(error("{a: foo}"), "the query uses what does not exist: filter foo/0");
    assert_eq!(error("{a: $x, b: test(1; 2; 3)}"), "the query uses what does not exist: variable $x, filter test/3");
    assert!(error("{a: }").starts_with("the query is not jq near `"), "{}", error("{a: }"));
    assert!(error("{a: .b").starts_with("the query is not jq near `"), "{}", error("{a: .b"));
}

#[test]
fn a_definition_that_takes_filters_does_not_call_itself() {
    for query in [
        "def f(g): f(g | . + 1); f(1)",
        "def f($n; g): if $n == 0 then g else f($n - 1; g) end; f(1; 1)",
        "def f(g): def h: 1 + f(g); h; {a: f(1)}",
        "def f(g): \"\\(f(g))\"; 1",
        "def f(g): reduce f(g) as [$x] (f(1); .); 1",
        "def f(g): . as {(f(g)): $x} | 1; 1",
        "def f(g): .[f(g):]; 1",
        "def f(g): if . then {a: [-f(g)]} else 1 end; 1",
        "def f(g): try 1 catch f(g); 1",
        "{a: (def f(g): label $l | f(g); 1)}",
        "{(def f(g): f(g)?; \"a\"): 1}",
    ] {
        assert!(check_query(query).unwrap_err().contains("definition of f calls itself"), "{query}");
    }
    for query in
        ["def f(g): def f: f; f; f(1)", "def f($n): f($n); f(1)", "def f(g): g; def h(g): f(g); h(1)", "def f: f; f"]
    {
        assert_eq!(check_query(query), Ok(Vec::new()), "{query}");
    }
}

#[test]
fn keys_are_known_where_they_stand_in_the_program() {
    let keys = |query: &str| check_query(query).unwrap().join(" ");
    assert_eq!(keys("{a: .b, \"c d\": 1, e, \"f\\n\": 2}"), "a c d e f\n");
    assert_eq!(keys(". as $x | {$x, y: 1}"), "x y");
    assert_eq!(keys("def f: 1; .a | {z: f}"), "z");
    assert_eq!(keys("{(.a): 1, b: 2}"), "");
    assert_eq!(keys("if .a then {a: 1} else {b: 2} end"), "");
    assert_eq!(keys("{}"), "");
}

#[test]
fn wanted_keys_are_kept_and_no_others() {
    let query = Query::new("{(.name): 1, k: .v}", Some(vec!["k".into(), "x".into()])).unwrap();
    let (columns, faults) =
        query.apply(&records(&[r#"{"name":"x","v":1}"#, r#"{"name":"y","v":2}"#, r#"{"name":"x"}"#]));
    assert_eq!(columns.iter().map(|column| column.name.as_str()).collect::<Vec<_>>(), ["$query:k", "$query:x"]);
    assert_eq!(columns.iter().map(|column| column.codes.clone()).collect::<Vec<_>>(), [[1, 2, 0], [1, 0, 0]]);
    assert_eq!(faults.iter().map(|(at, _)| *at).collect::<Vec<_>>(), [2]);
}

/// Programs that never end, or take all memory or stack there is. Each costs its record and nothing else.
#[test]
fn hostile_programs_are_stopped() {
    let (steps, memory) = ("takes more steps than a record of this length may", "takes more than 64 MiB of memory");
    let (text, nests, stack) =
        ("makes a text of more than 1 MiB", "nests arrays or objects more than 256 deep", "calls itself too often");
    for (filter, expected) in [
        ("def f: f; f", steps),
        ("def f: 1 + f; f", "?"),
        ("last(range(1e18))", steps),
        ("[range(1e18)]", steps),
        ("[repeat(1)]", steps),
        ("first(range(1e18) | select(. < 0))", steps),
        ("reduce range(1e18) as $i (0; .)", steps),
        ("last(limit(1e18; repeat(1)))", steps),
        ("isempty(range(1e18) | empty)", steps),
        ("until(false; .)", steps),
        ("[while(true; .)]", steps),
        ("recurse(.) | empty", steps),
        ("range(0; 1; 0) | empty", steps),
        ("reduce range(1000) as $i (\"x\"; . + .)", "?"),
        ("reduce range(1000) as $i (\"x\"; \"\\(.)\\(.)\")", "?"),
        ("reduce range(1000) as $i ([1]; . + .)", "?"),
        ("reduce range(1000) as $i (1; [., .]) | tojson", "?"),
        ("reduce range(200) as $i (1; [., .]) | tojson", steps),
        ("reduce range(200) as $i (1; [., .]) | . == (. | map(.))", steps),
        ("reduce range(200) as $i (1; [., .]) | flatten", steps),
        ("reduce range(200) as $i (1; {a: ., b: .}) | [..] | length", steps),
        ("reduce range(1000) as $i (1; [.])", nests),
        ("\"x\" * 1e18", text),
        ("\"x\" * 2000000", text),
        ("null | .[1e12] = 1", memory),
        ("[[\"x\", \"x\"] | combinations(40)]", steps),
        ("\"a\" * 100000 | [match(\"a\"; \"g\")]", steps),
        ("(\"a\" * 1000000) | test(\"((a{1,50}){1,50}){1,50}\")", "?"),
        ("[(\"a\" * 500000) | explode | implode | explode]", "?"),
        ("label $f | repeat(1) | if . == 2 then ., break $f else empty end", steps),
    ] {
        let said = made(filter, "{}");
        let prefix = "! the query ";
        let known = [steps, memory, text, nests, stack, "fails on the record"];
        let problem = said.strip_prefix(prefix).unwrap_or_else(|| panic!("{filter}: {said}"));
        assert!(if expected == "?" { known.contains(&problem) } else { problem == expected }, "{filter}: {said}");
    }
    // A record of some length has the steps to go far down, and forgets as much again.
    let record = format!("[{}1]", "1,".repeat(1 << 16));
    assert_eq!(made("def f: 1 + f; f", &record), format!("! the query {stack}"));
    assert_eq!(made("def f: [f]; f", &record), format!("! the query {stack}"));
    for filter in [
        "reduce range(1e9) as $i (0; . + 1) | [.]",
        "def f: def g: f; g; f",
        "null | path(def f: .[0] | f; f)",
        "path(def f: f; f)",
        "null | def f: (.[0] |= f); f",
        "first(def f: f | ., .; f)",
        "def f: try error(\"x\") catch f; f",
        "def f: (. as $x | f) // 1; f",
        "def f: (try f) | .; f",
        "def f: label $l | f; f",
        "def f: reduce 1 as $x (0; f); f",
        "def f: foreach f as $x (0; .); f",
        "def f: first(f); f",
        "def f: [limit(1; f)]; f",
        "def f($n; $m): f($n + 1; [$m]); f(0; 0)",
        "def f($n; $m): f($n + 1; $m); f(0; 0)",
        "def f: . as $x | [.] | f; f",
        "def f: . as $x | . as $y | f; f",
        "def h(g): g; def f: h(f); f",
        "def h(g): g | .; def f: h(f | .); f",
        "def h(g): def i: g, i; i; last(h(1))",
        "def f: ., f; last(f)",
        "def f: f, .; f",
        "last(recurse([.]))",
        "last(repeat([.]))",
        "[..] | map(tojson) | add",
    ] {
        let said = made(filter, &record);
        assert!([stack, steps, nests, memory].iter().any(|limit| said.ends_with(limit)), "{filter}: {said}");
    }
    let huge = format!("[{}1]", "1,".repeat(3 << 20));
    assert_eq!(made("length", &huge), format!("! the query {memory}"));
    assert_eq!(made("length", &record), "65537");
}

/// Programs that are hard to read.
#[test]
fn programs_of_the_largest_size_are_compiled_or_refused() {
    let most = 5000;
    let repeated = |part: &str, last: &str| part.repeat((most - last.len()) / part.len()) + last;
    for query in [
        repeated(".|", "."),
        repeated("-", "1"),
        repeated("try ", "1"),
        repeated(". as $x|", "."),
        repeated("def f: ", "1"),
        repeated("reduce 1 as $x (1;", "1"),
        repeated("if ", "1"),
        repeated("1+", "1"),
        repeated(".a", ".a"),
        repeated("1,", "1"),
        repeated("1//", "1"),
        repeated("\"\\(", "1"),
        repeated("label $x|", "1"),
        repeated("def f: 1; ", "f"),
        "(".repeat(64) + "1" + &")".repeat(64),
        "[".repeat(64) + &"]".repeat(64),
        repeated("..", "."),
        repeated("?", "?"),
    ] {
        // What counts is that it ends.
        let made = Query::new(&query, None);
        if let Ok(query) = made {
            assert_eq!(query.apply(&records(&["{}"])).0.len(), 0);
        }
    }
}

/// The thread ends and what it remembers with it: what a record costs does not depend on what was run before.
#[test]
fn what_was_run_before_does_not_matter() {
    let query = Query::new("{v: (.t | test(\"^a{1,40}$\"))}", None).unwrap();
    let batch = records(&[r#"{"t":"a"}"#, r#"{"t":1}"#, r#"{"t":"b"}"#]);
    let (columns, faults) = query.apply(&batch);
    for at in 0..3 {
        let (alone, fault) = query.apply(&batch.slice(at..at + 1));
        let value = |codes: &[u32], at: usize, dictionary: &[String]| {
            (codes[at] as usize).checked_sub(1).map(|code| dictionary[code].clone())
        };
        assert_eq!(
            value(&columns[0].codes, at, &columns[0].dictionary),
            value(&alone[0].codes, 0, &alone[0].dictionary)
        );
        assert_eq!(faults.iter().any(|(fault, _)| *fault as usize == at), !fault.is_empty());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_program_over_any_record_ends(
        words in prop::collection::vec(prop::sample::select(vec![
            ".", ".a", "..", "[", "]", "{", "}", "(", ")", "|", ",", "+", "-", "*", "/", "%", "//", "==", "<", "and", "not",
            "1", "\"a\"", "null", "range(9)", "repeat(.)", "reduce .[] as $x (0; . + $x)", "recurse", "test(\"a\")", "split(\"a\")",
            "if . then 1 else 2 end", "def f: f; f", "try", "?", "$x", "as $x |", "=", "|=", "sort", "group_by(.)", "tojson",
            "fromjson", "limit(3; .)", "first", "last(.[])", "until(. > 9; . + 1)", "{v: .}", "[.[]?]", "paths", "implode", "explode",
            "walk(.)", "strftime(\"%Y\")", "min_by(.)", "to_entries", "from_entries", "combinations", "ascii_downcase", ".[0:2]", "del(.a)",
        ]), 1..12),
        record in "[{}\\[\\]:,\"a1 .e-]{0,30}",
    ) {
        if let Ok(query) = Query::new(&format!("{{v: ({})}}", words.join(" ")), None) {
            let (columns, faults) = query.apply(&records(&[record.as_str(), r#"{"a":[1,"a",{"b":null}]}"#, "[3,1,2]"]));
            prop_assert!(columns.len() == 1 && faults.len() <= 3);
            prop_assert!(faults.iter().all(|(_, fault)| fault.is_repeatable));
        }
    }
}
