//! What becomes of whole records.

use hydrant_plugin::testing::{Fate, run_plugin};

use super::*;

fn fate(settings: &[(&str, &str)], record: impl AsRef<[u8]>) -> Fate {
    run_plugin::<ParseLog>(&Context::new("", settings), &[record]).unwrap().remove(0)
}

fn parsed(record: &str) -> String {
    let text = fate(&[], record).text().concat();
    text.strip_suffix('\n').unwrap_or(&text).to_owned()
}

fn reason(settings: &[(&str, &str)], record: &str) -> String {
    match fate(settings, record) {
        Fate::Kept | Fate::Dropped | Fate::Replaced(_) => panic!("{record} did not fail"),
        failed => format!("{failed:?}"),
    }
}

#[test]
fn access_logs_become_json() {
    let table = [
        (
            r#"127.0.0.1 - frank [10/Oct/2000:13:55:36 -0700] "GET /apache_pb.gif HTTP/1.0" 200 2326"#,
            r#"{"format":"common","time":"2000-10-10T20:55:36Z","client":"127.0.0.1","user":"frank","method":"GET","path":"/apache_pb.gif","protocol":"HTTP/1.0","status":200,"bytes":2326}"#,
        ),
        (
            r#"2001:db8::1 - - [21/Nov/2026:08:26:00 +0100] "POST /a?b=c d HTTP/1.1" 304 - "https://example.com/" "curl/8.5 \"x\" \xc3\xa9" 0.012"#,
            r#"{"format":"combined","time":"2026-11-21T07:26:00Z","client":"2001:db8::1","method":"POST","path":"/a?b=c d","protocol":"HTTP/1.1","status":304,"referer":"https://example.com/","agent":"curl/8.5 \"x\" é","extra":"0.012"}"#,
        ),
        (
            r#"shop.example.com:443 10.0.0.1 - joe doe [21/Nov/2026:08:26:00 +0000] "-" 408 0 "-" "-""#,
            r#"{"format":"combined","time":"2026-11-21T08:26:00Z","host":"shop.example.com:443","client":"10.0.0.1","user":"joe doe","status":408,"bytes":0}"#,
        ),
        (
            r#"10.0.0.1 id - [21/Nov/2026:08:26:00 +0000] "\x16\x03\x01\x00" 400 157 "-""#,
            "{\"format\":\"common\",\"time\":\"2026-11-21T08:26:00Z\",\"client\":\"10.0.0.1\",\"ident\":\"id\",\"request\":\"\\u0016\\u0003\\u0001\\u0000\",\"status\":400,\"bytes\":157,\"extra\":\"\\\"-\\\"\"}",
        ),
    ];
    for (line, expected) in table {
        assert_eq!(parsed(line), expected, "{line}");
    }
}

#[test]
fn syslog_becomes_json() {
    let table = [
        (
            "<34>1 2003-10-11T22:14:15.003Z mymachine.example.com su - ID47 - \u{feff}'su root' failed",
            r#"{"format":"rfc5424","time":"2003-10-11T22:14:15.003Z","facility":"auth","severity":"crit","host":"mymachine.example.com","app":"su","message_id":"ID47","message":"'su root' failed"}"#,
        ),
        (
            r#"<165>1 2003-08-24T05:14:15.000003-07:00 192.0.2.1 myproc 8710 - [a@1 x="1" y="q\"\]\\\n" x="2"][b] text"#,
            r#"{"format":"rfc5424","time":"2003-08-24T12:14:15.000003Z","facility":"local4","severity":"notice","host":"192.0.2.1","app":"myproc","process":"8710","data":{"a@1":{"x":["1","2"],"y":"q\"]\\\\n"},"b":{}},"message":"text"}"#,
        ),
        ("<0>1 - - - - - -", r#"{"format":"rfc5424","facility":"kern","severity":"emerg","message":""}"#),
        (
            "<34>Oct 11 2003 22:14:15 mymachine su: 'su root' failed on /dev/pts/8",
            r#"{"format":"rfc3164","time":"2003-10-11T22:14:15Z","facility":"auth","severity":"crit","host":"mymachine","app":"su","message":"'su root' failed on /dev/pts/8"}"#,
        ),
        (
            "<86>2026-11-21T08:26:00+01:00 web-1 sshd[4711]: Accepted publickey",
            r#"{"format":"rfc3164","time":"2026-11-21T07:26:00Z","facility":"authpriv","severity":"info","host":"web-1","app":"sshd","process":"4711","message":"Accepted publickey"}"#,
        ),
        (
            "Jan  2 03:04:05 fe80::1 kernel: [12.5] eth0: up",
            r#"{"format":"rfc3164","time":"1970-01-02T03:04:05Z","host":"fe80::1","app":"kernel","message":"[12.5] eth0: up"}"#,
        ),
        (
            "<13>Jan  2 03:04:05 cron[7]: started",
            r#"{"format":"rfc3164","time":"1970-01-02T03:04:05Z","facility":"user","severity":"notice","app":"cron","process":"7","message":"started"}"#,
        ),
        (
            "<13>Jan  2 03:04:05 box no tag here",
            r#"{"format":"rfc3164","time":"1970-01-02T03:04:05Z","facility":"user","severity":"notice","host":"box","message":"no tag here"}"#,
        ),
    ];
    for (line, expected) in table {
        assert_eq!(parsed(line), expected, "{line}");
    }
    let latin = fate(&[], b"<13>Jan  2 03:04:05 box app: caf\xe9");
    assert!(latin.text().concat().contains("caf\u{fffd}"), "{latin:?}");
}

#[test]
fn each_line_is_a_record() {
    let record = "\r\n<0>1 - - - - - - a\r\n\n<1>1 - - - - - - b";
    let texts = fate(&[], record).text();
    assert_eq!(texts.len(), 2);
    assert!(texts[0].ends_with("\"a\"}\n") && texts[1].ends_with("\"b\"}\n"), "{texts:?}");
    assert_eq!(fate(&[], "\n\r\n"), Fate::Dropped);
    assert_eq!(fate(&[], ""), Fate::Dropped);
    let many = "<0>1 - - - - - - a\n".repeat(LINES + 1);
    assert!(reason(&[], &many).contains("more than 10000 lines"));
}

#[test]
fn what_does_not_fit_fails_or_is_kept() {
    let access = r#"1.2.3.4 - - [21/Nov/2026:08:26:00 +0000] "GET / HTTP/1.1" 200 5"#;
    let table = [
        ("auto", "hello world", "neither syslog nor an access log line: no time in brackets"),
        ("auto", "<200>1 - - - - - -", "no syslog line: the priority is none"),
        ("auto", "<13>hello", "no syslog line: no time"),
        ("auto", "<13>1 - - - - - [a", "no syslog line: the structured data is none"),
        ("auto", r#"1.2.3.4 - - [21/Nov/2026:08:26:00 +0000] "GET / HTTP/1.1 200 5"#, "no request in quotes"),
        ("auto", r#"1.2.3.4 - - [21/Foo/2026:08:26:00 +0000] "GET / HTTP/1.1" 200 5"#, "the time is none"),
        ("combined", access, "no access log line: no referer and agent in quotes"),
        ("syslog", access, "no syslog line: no time"),
        ("common", r#"1.2.3.4 - - [21/Nov/2026:08:26:00 +0000] "GET / HTTP/1.1" 200 5 x"#, "more follows"),
        ("common", "<13>1 - - - - - -", "no access log line: no time in brackets"),
    ];
    for (format, record, expected) in table {
        let reason = reason(&[("format", format)], record);
        assert!(reason.contains(expected) && !reason.contains("line 1:"), "{record}: {reason}");
    }
    assert!(reason(&[], &format!("{access}\noops\n")).contains("line 2: neither"));
    let keep = [("unparsable", "keep")];
    assert_eq!(fate(&keep, "oops"), Fate::Kept);
    assert_eq!(fate(&keep, format!("{access}\noops\n")).text()[1], "oops\n");
}

#[test]
fn settings_are_checked() {
    let refused =
        |name: &str, value: &str| run_plugin::<ParseLog>(&Context::new("", &[(name, value)]), &[""; 0]).unwrap_err();
    assert!(refused("formats", "auto").starts_with("formats: no such setting; there are format, "));
    assert_eq!(refused("format", "w3c"), "format: auto, combined, common or syslog, not \"w3c\"");
    assert_eq!(refused("unparsable", "drop"), "unparsable: fail or keep, not \"drop\"");
    assert_eq!(refused("utc-offset", "CET"), "utc-offset: Z or an offset such as +01:00, not \"CET\"");
    let shifted = fate(&[("utc-offset", "+01:00")], "<13>Jan  2 03:04:05 box app: x");
    assert!(shifted.text()[0].contains("1970-01-02T02:04:05Z"), "{shifted:?}");
}
