//! Lines, stages, compressions and listings, as this host and Amazon's service write them.

use std::io::{Read, Write};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::time::Instant;

use super::*;
use crate::deliver::{DeliveryError, Look, Stored, Verdict};
use crate::record::{Course, ErrorOutput};

fn parsed(line: &str) -> Failure {
    Failure::parse(line.as_bytes()).unwrap_or_else(|error| panic!("{line}: {error}"))
}

/// A captured line of the service.
const REAL: &str = r#"{"rawData":"eyJhIjoxfQ==","errorCode":"Lambda.ProcessingFailedStatus","errorMessage":"ProcessingFailed status set for record","attemptsMade":1,"arrivalTimestamp":1789014240448,"attemptEndingTimestamp":1789014301529,"lambdaARN":"arn:aws:lambda:us-west-2:123456789012:function:f"}"#;

#[test]
fn lines_of_the_real_service_are_understood() {
    let real = parsed(REAL);
    assert_eq!((real.code.as_str(), &real.data[..]), ("Lambda.ProcessingFailedStatus", &br#"{"a":1}"#[..]));
    assert_eq!(
        (real.attempts, real.arrived_ms, real.ended_ms),
        (Some(1), Some(1_789_014_240_448), Some(1_789_014_301_529))
    );
    assert_eq!(real.lambda_arn.as_deref(), Some("arn:aws:lambda:us-west-2:123456789012:function:f"));
    // Documents print numbers as text, and the ARN in another case.
    let printed = parsed(
        r#"{"attemptsMade":"4","arrivalTimestamp":"1547208020000","errorCode":"Lambda.FunctionError","errorMessage":"m","attemptEndingTimestamp":"2019-01-11T12:00:20Z","rawData":"YQ==","lambdaArn":"arn:aws:lambda:us-east-1:1:function:g"}"#,
    );
    assert_eq!((printed.attempts, printed.arrived_ms), (Some(4), Some(1_547_208_020_000)));
    assert_eq!((printed.ended_ms, printed.lambda_arn.is_some()), (Some(1_547_208_020_000), true));
    let converted = parsed(
        r#"{"attemptsMade":1,"arrivalTimestamp":1,"lastErrorCode":"DataFormatConversion.ParseError","lastErrorMessage":"Encountered malformed JSON","attemptEndingTimestamp":2,"rawData":"eA==","sequenceNumber":null,"subSequenceNumber":null,"dataCatalogTable":{"catalogId":null,"databaseName":"d","tableName":"t"}}"#,
    );
    assert_eq!((converted.code.as_str(), &converted.data[..]), ("DataFormatConversion.ParseError", &b"x"[..]));
    let document = parsed(
        r#"{"attemptsMade":8,"arrivalTimestamp":1494735722000,"errorCode":400,"errorMessage":"mapper_parsing_exception","attemptEndingTimestamp":1494736000000,"esDocumentId":"49573.0","esIndexName":"logs-2017-05-14","esTypeName":"log","rawData":"e30="}"#,
    );
    assert_eq!((document.code.as_str(), document.document_id.as_deref()), ("400", Some("49573.0")));
    assert_eq!(document.index.as_deref(), Some("logs-2017-05-14"));
    let serverless = parsed(r#"{"errorCode":"403","osDocumentId":"i","osIndexName":"x","rawData":""}"#);
    assert_eq!((serverless.document_id.as_deref(), serverless.index.as_deref()), (Some("i"), Some("x")));
    let splunk = parsed(
        r#"{"attemptsMade":0,"arrivalTimestamp":1506035354675,"errorCode":"Splunk.AckTimeout","errorMessage":"no ack","attemptEndingTimestamp":13626284715507,"rawData":"MiAy","EventId":"495.0"}"#,
    );
    assert_eq!((splunk.code.as_str(), &splunk.data[..]), ("Splunk.AckTimeout", &b"2 2"[..]));
}

#[test]
fn what_holds_no_record_is_no_failure() {
    for (line, wrong) in [
        ("", Unreadable::Json),
        ("[]", Unreadable::Json),
        (r#"{"rawData":"YQ==""#, Unreadable::Json),
        (r#"{"errorCode":"c"}"#, Unreadable::Data),
        (r#"{"rawData":7}"#, Unreadable::Data),
        (r#"{"rawData":"%%%"}"#, Unreadable::Data),
    ] {
        assert_eq!(Failure::parse(line.as_bytes()), Err(wrong), "{line}");
    }
}

#[test]
fn a_failure_survives_its_own_json() {
    let failure = Failure { plugin_name: Some("p".into()), data: Bytes::from_static(&[0, 255, 10]), ..parsed(REAL) };
    let text = serde_json::to_string(&failure).unwrap();
    assert_eq!(serde_json::from_str::<Failure>(&text).unwrap(), failure);
}

#[test]
fn keys_name_their_stage() {
    let check = |key: &str| stage_of(key).map(Stage::as_str);
    assert_eq!(check("errors/processing-failed/2026/11/21/10/orders-1-x"), Some("processing-failed"));
    assert_eq!(check("type=splunk-failed/y=2026/orders-1-x"), Some("splunk-failed"));
    assert_eq!(check("splunk-failed-logs/processing-failed/2026/x"), Some("processing-failed"));
    assert_eq!(check("iceberg-failed/2025/11/19/22/name"), Some("iceberg-failed"));
    assert_eq!(check("p/errors/manifests/2026/11/21/10/orders"), Some("errors/manifests"));
    assert_eq!(check("2026/11/21/10/orders-1-x.gz"), None);
    for output in [ErrorOutput::ProcessingFailed, ErrorOutput::FormatConversionFailed] {
        assert_eq!(stage_of(output.as_str()).and_then(Stage::course), Some(Course::Process));
    }
    for output in [ErrorOutput::OpenSearchFailed, ErrorOutput::HttpEndpointFailed] {
        let stage = stage_of(output.as_str()).unwrap();
        assert_eq!((stage.course(), stage.is_kin(output)), (Some(Course::Deliver), true));
    }
    assert_eq!((MANIFESTS.course(), Stage::named("iceberg-failed").unwrap().course()), (None, None));
    assert!(Stage::named("elasticsearch-failed").unwrap().is_kin(ErrorOutput::OpenSearchFailed));
    assert!(!Stage::named("splunk-failed").unwrap().is_kin(ErrorOutput::OpenSearchFailed));
}

#[test]
fn listings_begin_where_failures_lie() {
    let failed = Stage::named("processing-failed").unwrap();
    assert_eq!(prefixes("errors/", "data/", &[failed]), ["errors/processing-failed/"]);
    assert_eq!(prefixes("", "data/", &[failed]), ["data/processing-failed/"]);
    assert_eq!(prefixes("e/!{firehose:error-output-type}/", "d/", &[failed]), ["e/"]);
    let all = prefixes("", "", &[]);
    assert!(all.len() == Stage::ALL.len() && all.is_sorted() && all.contains(&"errors/manifests/".to_owned()));
}

#[test]
fn a_filter_takes_what_is_meant() {
    let object = Stored { key: "k".into(), etag: "e".into(), bytes: 1, modified_ms: 5_000_000 };
    let failure =
        Failure { plugin_name: Some("clean".into()), plugin_digest: Some("0123456789abcdef".into()), ..parsed(REAL) };
    let check = |filter: &Filter, failure: &Failure| filter.takes(failure, &object);
    let none = Filter::default();
    let at = failure.ended_ms.unwrap();
    assert!(check(&none, &failure));
    assert!(check(&Filter { since_ms: Some(at), until_ms: Some(at + 1), ..none.clone() }, &failure));
    assert!(!check(&Filter { since_ms: Some(at + 1), ..none.clone() }, &failure));
    assert!(!check(&Filter { until_ms: Some(at), ..none.clone() }, &failure));
    assert!(!check(&Filter { codes: vec!["other".into()], ..none.clone() }, &failure));
    assert!(check(&Filter { codes: vec!["other".into(), failure.code.clone()], ..none.clone() }, &failure));
    for (plugin, is_by) in [("clean", true), ("01234567", true), ("clean@0123", true), ("0123", false), ("f", false)] {
        assert_eq!(check(&Filter { plugin: Some(plugin.into()), ..none.clone() }, &failure), is_by, "{plugin}");
    }
    assert!(check(&Filter { plugin: Some("f".into()), ..none.clone() }, &parsed(REAL)));
    let undated = Failure { arrived_ms: None, ended_ms: None, ..failure };
    assert!(check(&Filter { since_ms: Some(5_000_000), ..none.clone() }, &undated));
    let early = Filter { since_ms: Some(object.modified_ms + 7_200_000), ..none.clone() };
    let failed = Stage::named("processing-failed").unwrap();
    assert!(!early.may_hold(&object, failed) && none.may_hold(&object, failed));
    assert!(!Filter { stages: vec!["splunk-failed".into()], ..none.clone() }.may_hold(&object, failed));
    assert_eq!(Filter { stages: vec!["bogus".into()], ..none }.stages(), Err("bogus".to_owned()));
}

fn inflated(bytes: Vec<u8>, most: u64) -> std::io::Result<Vec<u8>> {
    let mut out = Vec::new();
    inflate::open(std::io::Cursor::new(bytes), most)?.read_to_end(&mut out)?;
    Ok(out)
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zipped(bytes: &[u8], method: zip::CompressionMethod) -> Vec<u8> {
    let options = zip::write::SimpleFileOptions::default().compression_method(method);
    let mut writer = zip::write::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    writer.start_file("some-name", options).unwrap();
    writer.write_all(bytes).unwrap();
    writer.finish().unwrap().into_inner()
}

fn snappy(bytes: &[u8], is_hadoop: bool) -> Vec<u8> {
    let mut out =
        if is_hadoop { Vec::new() } else { vec![0x82, b'S', b'N', b'A', b'P', b'P', b'Y', 0, 0, 0, 0, 1, 0, 0, 0, 1] };
    for block in bytes.chunks(1_000) {
        let packed = snap::raw::Encoder::new().compress_vec(block).unwrap();
        if is_hadoop {
            out.extend(u32::try_from(block.len()).unwrap().to_be_bytes());
        }
        out.extend(u32::try_from(packed.len()).unwrap().to_be_bytes());
        out.extend(packed);
    }
    out
}

/// Row A3, for what is read back: no compression makes more than it may, and what is cut is an error, not an end.
#[test]
fn every_compression_is_read_and_bounded() {
    let text: Vec<u8> = (0..40_000_u32).flat_map(|at| format!("{{\"a\":{}}}\n", at % 977).into_bytes()).collect();
    let forms = [
        ("plain", text.clone()),
        ("gzip", gzip(&text)),
        ("two members", [gzip(&text[..7]), gzip(&text[7..])].concat()),
        ("zstd", zstd::bulk::compress(&text, 3).unwrap()),
        ("zip", zipped(&text, zip::CompressionMethod::Deflated)),
        ("stored zip", zipped(&text, zip::CompressionMethod::Stored)),
        ("snappy", snappy(&text, false)),
        ("hadoop", snappy(&text, true)),
    ];
    for (form, bytes) in forms {
        assert!(inflated(bytes.clone(), text.len() as u64).unwrap() == text, "{form}");
        assert!(inflated(bytes.clone(), text.len() as u64 - 1).is_err(), "{form} beyond its bound");
        if !form.contains("plain") && !form.contains("zip") {
            assert!(inflated(bytes[..bytes.len() - 3].to_vec(), u64::MAX).is_err(), "{form} cut");
        }
    }
    assert_eq!(inflated(Vec::new(), 1).unwrap(), b"");
    let mut huge = u32::MAX.to_be_bytes().to_vec();
    huge[0] = 0;
    assert_eq!(
        inflated([huge, vec![0xff; 20]].concat(), u64::MAX).unwrap_err().kind(),
        std::io::ErrorKind::InvalidData
    );
}

/// Objects in memory.
#[derive(Debug, Default)]
struct Shelf(Vec<(Stored, Bytes)>);

impl Shelf {
    fn with(mut self, key: &str, body: &[u8]) -> Self {
        let stored = Stored { key: key.into(), etag: "t".into(), bytes: body.len() as u64, modified_ms: 9 };
        self.0.push((stored, Bytes::copy_from_slice(body)));
        self.0.sort_by(|one, other| one.0.key.cmp(&other.0.key));
        self
    }
}

#[async_trait]
impl Look for Shelf {
    async fn objects(&self, _: &str, prefix: &str, after: Option<&str>) -> Result<Vec<Stored>, DeliveryError> {
        let objects = self.0.iter().map(|(stored, _)| stored.clone());
        let wanted = |stored: &Stored| stored.key.starts_with(prefix) && after.is_none_or(|after| *stored.key > *after);
        Ok(objects.filter(wanted).take(2).collect())
    }

    async fn piece(&self, _: &str, object: &Stored, from: u64, most: u64) -> Result<Bytes, DeliveryError> {
        let gone = DeliveryError { verdict: Verdict::Retry(None), code: "S3.Gone", text: "gone".into(), source: None };
        let (_, body) = self.0.iter().find(|(stored, _)| stored.key == object.key).ok_or(gone)?;
        let from = usize::try_from(from).unwrap();
        Ok(body.slice(from..body.len().min(from + usize::try_from(most).unwrap())))
    }
}

async fn lines_of(shelf: Shelf, from: u32) -> Result<Vec<Line>, ReadError> {
    let (look, object) = (Arc::new(shelf), Stored { key: "k".into(), etag: "t".into(), bytes: 0, modified_ms: 9 });
    let object = look.0.first().map_or(object, |(stored, _)| stored.clone());
    let mut reading = Reading::start(look, "b", &object, from);
    let mut all = Vec::new();
    while let Some(part) = reading.next().await? {
        assert!(part.len() <= PART_LINES);
        all.extend(part);
    }
    Ok(all)
}

#[tokio::test]
async fn lines_are_counted_whatever_they_hold() {
    let body = format!("{REAL}\n\nnonsense\n{REAL}");
    let lines = lines_of(Shelf::default().with("k", &gzip(body.as_bytes())), 0).await.unwrap();
    let read: Vec<_> = lines.iter().map(|line| (line.at, line.failure.is_ok())).collect();
    assert_eq!(read, [(0, true), (2, false), (3, true)]);
    let lines = lines_of(Shelf::default().with("k", body.as_bytes()), 3).await.unwrap();
    assert_eq!(lines.iter().map(|line| line.at).collect::<Vec<_>>(), [3]);
    assert!(lines_of(Shelf::default().with("k", b""), 0).await.unwrap().is_empty());
}

/// Parts have their bound, and an object of several pieces is read whole.
#[tokio::test]
async fn a_large_object_comes_in_parts() {
    let body = format!("{REAL}\n").repeat(20_000);
    assert!(body.len() > 5 << 20);
    let lines = lines_of(Shelf::default().with("k", body.as_bytes()), 0).await.unwrap();
    assert_eq!(lines.len(), 20_000);
    assert!(lines.iter().enumerate().all(|(nth, line)| line.at as usize == nth && line.failure.is_ok()));
}

/// Row A3: a line without an end takes no more memory than a line may.
#[tokio::test]
async fn a_line_without_an_end_is_passed_over() {
    let long = zstd::bulk::compress(&vec![b'x'; (24 << 20) + 1], 1).unwrap();
    let rest = zstd::bulk::compress(format!("\n{REAL}\n").as_bytes(), 1).unwrap();
    let lines = lines_of(Shelf::default().with("k", &[long, rest].concat()), 0).await.unwrap();
    assert!(matches!(lines[0].failure, Err(Unreadable::Long(_))));
    assert_eq!((lines.len(), lines[1].at, lines[1].failure.is_ok()), (2, 1, true));
}

#[tokio::test]
async fn what_cannot_be_read_is_told_apart() {
    let cut = gzip(format!("{REAL}\n").repeat(50).as_bytes());
    let damaged = lines_of(Shelf::default().with("k", &cut[..cut.len() - 4]), 0).await;
    assert!(matches!(damaged, Err(ReadError::Damaged { .. })), "{damaged:?}");
    let missing = Stored { key: "gone".into(), etag: "t".into(), bytes: 3, modified_ms: 9 };
    let mut reading = Reading::start(Arc::new(Shelf::default()), "b", &missing, 0);
    assert!(matches!(reading.next().await, Err(ReadError::Fetch(text)) if text == "gone"));
}

#[tokio::test]
async fn listings_go_on_after_a_key() {
    let mut shelf = Shelf::default().with("data/1", b"");
    for key in ["e/processing-failed/1", "e/processing-failed/2", "e/processing-failed/3", "e/splunk-failed/1", "e/x/1"]
    {
        shelf = shelf.with(key, b"");
    }
    let look: Arc<dyn Look> = Arc::new(shelf);
    let keys = async |after: Option<&str>, filter: Filter| {
        let beginnings = prefixes("e/", "", &filter.stages().unwrap());
        let mut objects = Objects::new(Arc::clone(&look), "b", beginnings, filter, after.map(str::to_owned));
        let mut keys = Vec::new();
        while let Next::Object(object, _) = objects.next(Instant::now() + Duration::from_secs(60)).await.unwrap() {
            assert_eq!(objects.after(), Some(object.key.as_str()));
            keys.push(object.key);
        }
        keys
    };
    let all = ["e/processing-failed/1", "e/processing-failed/2", "e/processing-failed/3", "e/splunk-failed/1"];
    assert_eq!(keys(None, Filter::default()).await, all);
    for (nth, after) in all.iter().enumerate() {
        assert_eq!(keys(Some(after), Filter::default()).await, all[nth + 1..]);
    }
    let splunk = Filter { stages: vec!["splunk-failed".into()], ..Filter::default() };
    assert_eq!(keys(None, splunk).await, all[3..]);
    let (mut after, mut steps) = (None, 0);
    while steps < 20 {
        let beginnings = prefixes("e/", "", &[]);
        let mut objects = Objects::new(Arc::clone(&look), "b", beginnings, Filter::default(), after);
        let next = objects.next(Instant::now() + Duration::from_secs(60)).await.unwrap();
        (after, steps) = (objects.after().map(str::to_owned), steps + 1);
        if next == Next::End {
            break;
        }
    }
    assert_eq!(steps, all.len() + 1);
    let mut late = Objects::new(Arc::clone(&look), "b", vec!["e/".into()], Filter::default(), None);
    assert_eq!(late.next(Instant::now()).await.unwrap(), Next::Later);
}
