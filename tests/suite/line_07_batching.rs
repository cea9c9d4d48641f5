//! Line 7: what is cut when, and what it is called, seen in S3. Formats byte for byte and the prefix language are
//! tested beside their code.

use std::fs;
use std::time::Duration;

use hydrant_tests::checker::{files_below, read_bucket};
use hydrant_tests::host::{Host, Setup};
use hydrant_tests::wait::until;
use serde_json::{Value, json};

const LIMIT: Duration = Duration::from_secs(60);
const MIB: usize = 1 << 20;

async fn keys_after_drain(mut host: Host) -> Vec<String> {
    assert_eq!(host.terminate().await.code(), Some(0), "{}", host.log_tail());
    read_bucket(&host.bucket()).map(|object| object.key).collect()
}

/// Line 7: a full buffer is cut long before its age; sizes count before compression; the rest comes with the drain.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_buffer_is_cut_by_size_and_the_rest_by_the_drain() {
    let mut host = Host::start(Setup::default()).await;
    let client = host.client();
    let hints = json!({"SizeInMBs": 1, "IntervalInSeconds": 900});
    client.create_stream("sizes", json!({"CompressionFormat": "GZIP", "BufferingHints": hints})).await;
    let record = "x".repeat(MIB / 8 - 1) + "\n";
    for _ in 0..20 {
        client.put("sizes", &[record.as_bytes()]).await;
    }
    let two = until("two full objects", LIMIT, async || (files_below(&host.bucket()).len() >= 2).then_some(()));
    two.await.unwrap_or_else(|error| panic!("{error}; the log ends:\n{}", host.log_tail()));
    assert_eq!(host.terminate().await.code(), Some(0), "{}", host.log_tail());
    let sizes: Vec<usize> = read_bucket(&host.bucket()).map(|object| object.body.len()).collect();
    assert_eq!(sizes.iter().sum::<usize>(), 20 * record.len());
    assert_eq!(sizes.iter().filter(|&&size| size >= MIB).count(), 2, "{sizes:?}");
}

/// Line 7: an interval of 0 delivers at once, without a drain.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_interval_of_zero_delivers_at_once() {
    let host = Host::start(Setup::default()).await;
    let client = host.client();
    client.create_stream("now", json!({"BufferingHints": {"SizeInMBs": 64, "IntervalInSeconds": 0}})).await;
    client.put("now", &[b"one\n"]).await;
    let object = until("the object", LIMIT, async || read_bucket(&host.bucket()).next()).await;
    assert_eq!(object.unwrap_or_else(|error| panic!("{error}")).body, b"one\n");
}

/// Line 7: every compression has its extension and its first bytes; FileExtension replaces the extension.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn compressions_have_their_extension_and_form() {
    let table: [(&str, &str, &[u8]); 5] = [
        ("UNCOMPRESSED", "", b"line"),
        ("GZIP", ".gz", &[0x1f, 0x8b]),
        ("ZIP", ".zip", b"PK\x03\x04"),
        ("Snappy", ".snappy", &[0x82, b'S', b'N', b'A', b'P', b'P', b'Y', 0]),
        ("HADOOP_SNAPPY", ".snappy", &[0, 0]),
    ];
    let mut host = Host::start(Setup::default()).await;
    let client = host.client();
    for (at, (format, _, _)) in table.iter().enumerate() {
        let name = format!("format{at}");
        client.create_stream(&name, json!({"CompressionFormat": format, "Prefix": format!("{name}/")})).await;
        client.put(&name, &[b"line\n".as_slice()]).await;
    }
    client.create_stream("own", json!({"CompressionFormat": "GZIP", "FileExtension": ".log", "Prefix": "own/"})).await;
    client.put("own", &[b"line\n"]).await;
    assert_eq!(host.terminate().await.code(), Some(0), "{}", host.log_tail());
    for (at, (format, extension, magic)) in table.iter().enumerate() {
        let files = files_below(&host.bucket());
        let file = files.iter().find(|file| file.to_string_lossy().contains(&format!("/format{at}-1-")));
        let file = file.unwrap_or_else(|| panic!("no object for {format} among {files:?}"));
        let name = file.file_name().expect("a name").to_string_lossy().into_owned();
        assert!(name.ends_with(extension) && (!extension.is_empty() || !name.contains('.')), "{format}: {name}");
        assert!(fs::read(file).expect("an object").starts_with(magic), "{format}: {name}");
    }
    let files = files_below(&host.bucket());
    assert!(
        files
            .iter()
            .any(|file| file.to_string_lossy().contains("/own-1-") && file.extension().is_some_and(|end| end == "log"))
    );
}

/// Line 7: prefixes without and with expressions, and the name
/// `STREAM-VERSION-yyyy-MM-dd-HH-mm-ss-UUID`, in the stream's own time zone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_follow_the_prefix_language() {
    let host = Host::start(Setup::default()).await;
    let client = host.client();
    client.create_stream("bare", json!({})).await;
    client.create_stream("plain", json!({"Prefix": "legacy"})).await;
    let prefix = "p/!{timestamp:'year='yyyy}/!{firehose:random-string}/";
    let error = "e/!{firehose:error-output-type}/";
    client
        .create_stream("rich", json!({"Prefix": prefix, "ErrorOutputPrefix": error, "CustomTimeZone": "Asia/Tokyo"}))
        .await;
    for name in ["bare", "plain", "rich"] {
        client.put(name, &[b"line\n"]).await;
    }
    let keys = keys_after_drain(host).await;
    let find = |part: &str| keys.iter().find(|key| key.contains(part)).unwrap_or_else(|| panic!("{part} in {keys:?}"));
    let shape = |key: &str| -> String {
        key.chars().map(|letter| if letter.is_ascii_digit() { '9' } else { letter }).collect()
    };
    assert!(shape(find("bare-1-")).starts_with("9999/99/99/99/bare-9-9999-99-99-99-99-99-"), "{keys:?}");
    assert!(shape(find("plain-1-")).starts_with("legacy9999/99/99/99/plain-9-9999-99-99-99-99-99-"), "{keys:?}");
    let rich: Vec<&str> = find("rich-1-").split('/').collect();
    assert_eq!((rich.len(), rich[0], rich[2].len()), (4, "p", 11), "{keys:?}");
    assert!(shape(rich[1]) == "year=9999" && rich[2].bytes().all(|byte| byte.is_ascii_alphanumeric()), "{keys:?}");
    // Nine hours ahead of UTC, up to a second boundary between two keys.
    let hour = |key: &str| key.rsplit('/').next().and_then(|name| name.split('-').nth(5)?.parse::<u32>().ok());
    let (utc, tokyo) = (hour(find("bare-1-")).expect("an hour"), hour(find("rich-1-")).expect("an hour"));
    assert!([(utc + 9) % 24, (utc + 10) % 24].contains(&tokyo), "{keys:?}");
}

/// Line 7: AppendDelimiterToRecord ends each record with a newline.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_delimiter_is_appended_to_each_record() {
    let mut host = Host::start(Setup::default()).await;
    let client = host.client();
    let processing: Value = json!({"Enabled": true, "Processors": [{"Type": "AppendDelimiterToRecord"}]});
    client.create_stream("lines", json!({"ProcessingConfiguration": processing})).await;
    client.put("lines", &[b"one", b"", b"two"]).await;
    assert_eq!(host.terminate().await.code(), Some(0), "{}", host.log_tail());
    let bodies: Vec<Vec<u8>> = read_bucket(&host.bucket()).map(|object| object.body).collect();
    assert_eq!(bodies, [b"one\n\ntwo\n".to_vec()]);
}
