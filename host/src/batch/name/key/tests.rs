//! Names of objects, and prefixes that are refused.

use proptest::prelude::*;

use super::*;
use crate::definition::{Conversion, Deserializer, KeySource, OrcSettings, ParquetSettings, SchemaSource, testing};
use crate::record::ErrorOutput::ProcessingFailed;

/// 27 August 2018 10:30:00 UTC, the instant of the reference's worked examples.
const WORKED_MS: u64 = 1_535_365_800_000;

const ID: Uuid = Uuid::from_u128(0x0123_4567_89ab_4def_8123_4567_89ab_cdef);

fn destination(prefix: &str, error_output_prefix: &str) -> S3Destination {
    S3Destination { prefix: prefix.to_owned(), error_output_prefix: error_output_prefix.to_owned(), ..testing::s3() }
}

fn key(destination: S3Destination, partition: Partition, instant_ms: u64) -> Result<String, NameError> {
    object_key(&definition(destination), &partition, instant_ms, ID, &Random::seeded(7))
}

fn definition(destination: S3Destination) -> Definition {
    Definition { version: 3, s3: destination, ..testing::definition("orders") }
}

/// The prefix that an object of `partition` gets, by cutting the fixed name off its key.
#[track_caller]
fn check_prefix(prefix: &str, error_output_prefix: &str, partition: Partition, expected: &str) {
    check(&destination(prefix, error_output_prefix), false).unwrap();
    let key = key(destination(prefix, error_output_prefix), partition, WORKED_MS).unwrap();
    let name = "orders-3-2018-08-27-10-30-00-01234567-89ab-4def-8123-456789abcdef";
    assert_eq!(key.strip_suffix(name), Some(expected), "{key}");
}

#[track_caller]
fn check_refused(prefix: &str, error_output_prefix: &str, message: &str) {
    let refused = check(&destination(prefix, error_output_prefix), false).unwrap_err();
    assert_eq!(refused.to_string(), message);
}

const FAILED: Partition = Partition::Error(ProcessingFailed);
const ERRORS: &str = "e/!{firehose:error-output-type}/";

#[test]
fn the_worked_examples_of_the_reference() {
    check_prefix("", "", Partition::Main, "2018/08/27/10/");
    check_prefix("!{timestamp:'year='yyyy}/", ERRORS, Partition::Main, "year=2018/");
    let random =
        key(destination("a/y=!{timestamp:yyyy}/r=!{firehose:random-string}", ERRORS), Partition::Main, WORKED_MS);
    let random = random.unwrap();
    let tail = random.strip_prefix("a/y=2018/r=").unwrap();
    assert!(tail[..11].bytes().all(|byte| byte.is_ascii_alphanumeric()), "{random}");
    assert!(tail[11..].starts_with("orders-3-2018"), "{random}");
}

#[test]
fn rule_1_a_literal_prefix_gets_the_hour_without_a_slash() {
    check_prefix("legacy", "", Partition::Main, "legacy2018/08/27/10/");
    check_prefix("raw/orders/", "", Partition::Main, "raw/orders/2018/08/27/10/");
    check_prefix("what!/{a}", "", Partition::Main, "what!/{a}2018/08/27/10/");
}

#[test]
fn rule_2_a_prefix_with_any_expression_gets_nothing() {
    check_prefix("x/!{timestamp:yyyy-MM}", ERRORS, Partition::Main, "x/2018-08");
    let key = key(destination("!{firehose:random-string}/", ERRORS), Partition::Main, WORKED_MS).unwrap();
    assert_eq!(&key[11..18], "/orders", "{key}");
}

#[test]
fn rule_3_without_an_error_prefix_errors_go_below_the_prefix() {
    check_prefix("", "", FAILED, "processing-failed/2018/08/27/10/");
    check_prefix("raw/", "", FAILED, "raw/processing-failed/2018/08/27/10/");
    check_refused(
        "!{timestamp:yyyy}/",
        "",
        "ErrorOutputPrefix cannot be null or empty when Prefix contains expressions.",
    );
}

#[test]
fn rule_4_error_prefixes() {
    check_prefix("!{timestamp:yyyy}/", "errors/", FAILED, "errors/processing-failed/2018/08/27/10/");
    check_prefix("", "errors-", FAILED, "errors-processing-failed/2018/08/27/10/");
    check_prefix("", "e/!{firehose:error-output-type}/!{timestamp:DDD}/", FAILED, "e/processing-failed/239/");
}

/// Every error type in every form that the reference's rules give error prefixes (4.3, rules 3 and 4).
#[test]
fn every_error_type_has_its_place_in_every_form() {
    use ErrorOutput as Output;
    let types = [
        (ProcessingFailed, "processing-failed"),
        (Output::DecompressionFailed, "decompression-failed"),
        (Output::FormatConversionFailed, "format-conversion-failed"),
        (Output::ActivePartitionExceeded, "activePartitionExceeded"),
        (Output::OpenSearchFailed, "AmazonOpenSearchService-failed"),
        (Output::ElasticsearchFailed, "elasticsearch-failed"),
        (Output::SplunkFailed, "splunk-failed"),
        (Output::HttpEndpointFailed, "http-endpoint-failed"),
    ];
    let forms = [
        ("", "", "TYPE/2018/08/27/10/"),
        ("raw", "", "rawTYPE/2018/08/27/10/"),
        ("raw/", "", "raw/TYPE/2018/08/27/10/"),
        ("raw/", "errors", "errorsTYPE/2018/08/27/10/"),
        ("raw/", "errors/", "errors/TYPE/2018/08/27/10/"),
        ("!{timestamp:yyyy}/", "errors/", "errors/TYPE/2018/08/27/10/"),
        ("raw/", "!{firehose:error-output-type}", "TYPE"),
        ("raw/", "e/!{firehose:error-output-type}/", "e/TYPE/"),
        ("raw/", "e/!{timestamp:yyyy/DDD}/!{firehose:error-output-type}/", "e/2018/239/TYPE/"),
        ("raw/", "!{firehose:error-output-type}/!{firehose:error-output-type}/", "TYPE/TYPE/"),
        ("raw/", "!{timestamp:'day='dd}/!{firehose:error-output-type}/HH/", "day=27/TYPE/HH/"),
    ];
    for (output, name) in types {
        assert_eq!(output.as_str(), name);
        for (prefix, error_output_prefix, expected) in forms {
            check_prefix(prefix, error_output_prefix, Partition::Error(output), &expected.replace("TYPE", name));
        }
        // Rules 1 and 2 of the reference hold for both kinds of prefix: a random string stands where it is written.
        let random = destination("raw/", "!{firehose:random-string}/!{firehose:error-output-type}/");
        let found = key(random, Partition::Error(output), WORKED_MS).unwrap();
        assert!(found[11..].starts_with(&format!("/{name}/orders-3-2018")), "{found}");
    }
    let misplaced = "ErrorOutputPrefix must contain !{firehose:error-output-type} when it contains expressions.";
    check_refused("raw/", "errors/!{timestamp:yyyy}/", misplaced);
    check_refused("raw/", "errors/!{firehose:random-string}/", misplaced);
}

#[test]
fn each_use_of_a_random_string_is_fresh() {
    let prefix = "!{firehose:random-string}/!{firehose:random-string}/";
    let key = key(destination(prefix, ERRORS), Partition::Main, WORKED_MS).unwrap();
    assert_ne!(key[..11], key[12..23], "{key}");
}

#[test]
fn names_are_in_the_custom_time_zone() {
    let mut tokyo = destination("", "");
    tokyo.time_zone = "Asia/Tokyo".to_owned();
    let late_ms = WORKED_MS + 5 * 3_600_000;
    let key = key(tokyo, Partition::Main, late_ms).unwrap();
    assert_eq!(key, format!("2018/08/28/00/orders-3-2018-08-28-00-30-00-{ID}"));
}

#[test]
fn extensions_follow_the_compression_unless_one_is_set() {
    let cases = [
        (Compression::Uncompressed, "", ""),
        (Compression::Gzip, "", ".gz"),
        (Compression::Zip, "", ".zip"),
        (Compression::Snappy, "", ".snappy"),
        (Compression::HadoopSnappy, "", ".snappy"),
        (Compression::Gzip, ".json", ".json"),
        (Compression::Uncompressed, ".csv", ".csv"),
    ];
    for (compression, file_extension, expected) in cases {
        let mut destination = destination("", "");
        destination.compression = compression;
        destination.file_extension = file_extension.to_owned();
        let data = key(destination.clone(), Partition::Main, WORKED_MS).unwrap();
        assert!(data.ends_with(&format!("{ID}{expected}")), "{data}");
        let failed = key(destination, FAILED, WORKED_MS).unwrap();
        assert!(failed.ends_with(&ID.to_string()), "{failed}");
    }
}

#[test]
fn objects_in_columns_have_their_formats_extension() {
    let output = Serializer::Parquet(ParquetSettings::default());
    let orc = Serializer::Orc(OrcSettings::default());
    for (output, file_extension, expected) in
        [(output.clone(), "", ".parquet"), (orc, "", ".orc"), (output, ".pq", ".pq")]
    {
        let mut destination = destination("", "");
        destination.file_extension = file_extension.to_owned();
        let schema = SchemaSource {
            catalog_id: String::new(),
            database: "db".to_owned(),
            table: "t".to_owned(),
            region: String::new(),
            version_id: "LATEST".to_owned(),
        };
        let input = Deserializer::Hive { timestamp_formats: Vec::new() };
        let conversion = Some(Conversion { schema, input, output, resolved: None });
        let definition = Definition { conversion, ..definition(destination) };
        let key = |partition| object_key(&definition, &partition, WORKED_MS, ID, &Random::seeded(7)).unwrap();
        assert!(key(Partition::Main).ends_with(&format!("{ID}{expected}")));
        assert!(key(FAILED).ends_with(&ID.to_string()));
    }
}

#[test]
fn misused_expressions_are_refused() {
    let misuse = "Prefix contains '!{' outside an expression of the form !{namespace:value}.";
    for prefix in ["!{", "a!{b", "!{}", "!{timestamp}", "!{:yyyy}", "!{timestamp:yyyy}/!{"] {
        check_refused(prefix, ERRORS, misuse);
    }
    check_refused("!{Timestamp:yyyy}", ERRORS, "Namespace to the left of colon (Timestamp) is an invalid keyword!");
    check_refused("!{firehose:uuid}", ERRORS, "Prefix contains the unknown expression !{firehose:uuid}.");
    check_refused("", "!{x:y}", "Namespace to the left of colon (x) is an invalid keyword!");
    let pattern = "Prefix contains an invalid timestamp pattern 'yyyy-bb': Unknown pattern letter: b.";
    check_refused("!{timestamp:yyyy-bb}", ERRORS, pattern);
    let quote = "Prefix contains an invalid timestamp pattern ''year=yyyy': \
                 Pattern ends with an incomplete string literal: 'year=yyyy.";
    check_refused("!{timestamp:'year=yyyy}", ERRORS, quote);
}

#[test]
fn error_types_stand_in_error_prefixes_only_and_there_they_must() {
    let in_data = "Prefix must not contain any occurrence of !{firehose:error-output-type}";
    check_refused("!{firehose:error-output-type}/", ERRORS, in_data);
    let missing = "ErrorOutputPrefix must contain !{firehose:error-output-type} when it contains expressions.";
    check_refused("", "errors/!{timestamp:yyyy}/", missing);
    check_refused("", "!{firehose:random-string}/", missing);
}

#[test]
fn partition_keys_need_dynamic_partitioning() {
    let message = "Dynamic Partitioning Namespaces can only be part of a prefix expression when Dynamic Partitioning \
                   is enabled.";
    check_refused("!{partitionKeyFromQuery:customer}/", ERRORS, message);
    check_refused("!{partitionKeyFromLambda:customer}/", ERRORS, message);
}

#[test]
fn prefixes_are_bounded_as_configured_and_as_evaluated() {
    check_refused(&"x".repeat(1025), "", "Prefix must not be longer than 1024 characters.");
    let widest = "Length of evaluated prefix cannot be greater than 512";
    check_refused(&"x".repeat(512 - 13), "", widest);
    // The longest literal prefix leaves room for the error type that rule 3 puts behind it.
    let longest = "x".repeat(512 - "processing-failed/yyyy/MM/dd/HH/".len());
    check_prefix(&longest, "", FAILED, &format!("{longest}processing-failed/2018/08/27/10/"));
    check_refused(&format!("{longest}x"), "", widest);
    check_refused(&"é".repeat(257), "", widest);
    let error = "Length of evaluated ErrorOutputPrefix cannot be greater than 512";
    check_refused("", &format!("{}!{{firehose:error-output-type}}", "x".repeat(490)), error);
    let slipped = key(destination(&"x".repeat(600), ""), Partition::Main, WORKED_MS);
    assert_eq!(slipped, Err(NameError::Long(614)));
}

/// Row X10: no key names another directory, whatever the prefix.
#[test]
fn path_segments_of_dots_are_refused() {
    let message = "Prefix must not contain the path segments '.' or '..'.";
    for prefix in ["../", "a/../b/", "./", "a/./", "!{timestamp:'..'}/"] {
        check_refused(prefix, ERRORS, message);
        assert_eq!(key(destination(prefix, ERRORS), Partition::Main, WORKED_MS), Err(NameError::Dots), "{prefix}");
    }
    check_refused("", "../", "ErrorOutputPrefix must not contain the path segments '.' or '..'.");
    check_prefix("a../.b/...", "", Partition::Main, "a../.b/...2018/08/27/10/");
    check_refused("a\nb", "", "Prefix must not contain control characters.");
}

#[test]
fn time_zones_are_exact_names_of_the_database() {
    for name in ["", "UTC", "Asia/Tokyo", "America/Argentina/Buenos_Aires", "Europe/Berlin"] {
        time_zone(name).unwrap();
    }
    for name in ["asia/tokyo", "Asia/Atlantis", "Tokyo", "/", "Asia/", "../etc/passwd", "posix/UTC"] {
        let refused = time_zone(name).unwrap_err();
        assert_eq!(refused.to_string(), format!("CustomTimeZone '{name}' is not a known time zone."));
    }
    let mut lost = destination("", "");
    lost.time_zone = "Asia/Atlantis".to_owned();
    assert_eq!(check(&lost, false), Err(PrefixError::TimeZone("Asia/Atlantis".to_owned())));
}

#[test]
fn frequent_mistakes_are_reproduced_with_a_warning() {
    let warnings = check(&destination("!{timestamp:YYYY/MM/DD/}", ERRORS), false).unwrap();
    assert_eq!(warnings, [Warning::WeekYear(Place::Data), Warning::DayOfYear(Place::Data)]);
    check_prefix("!{timestamp:YYYY/MM/DD/}", ERRORS, Partition::Main, "2018/08/239/");
    assert_eq!(check(&destination("!{timestamp:YYYY-'W'ww/}", ERRORS), false), Ok(Vec::new()));
}

#[test]
fn an_instant_beyond_the_calendar_still_gets_a_name() {
    let key = key(destination("", ""), Partition::Main, u64::MAX).unwrap();
    assert!(key.starts_with("9999/12/30/"), "{key}");
}

/// Text that is often a prefix, and often almost one.
fn prefix() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        "[a-zA-Z0-9/=_.!{}' é-]{0,12}",
        "!\\{timestamp:[yYMLdDQqwWEecHhKkmsSAnNaVzOXxZ/'\\[\\]-]{1,8}\\}",
        Just("!{timestamp:yyyy/MM/dd/HH/}".to_owned()),
        Just("!{firehose:random-string}".to_owned()),
        Just("!{firehose:error-output-type}".to_owned()),
        Just("/../".to_owned()),
        (0..300_usize).prop_map(|length| "x".repeat(length)),
    ];
    prop::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Row X10, and the promise of [`check`]: what it lets pass gets a legal key for every partition at any time.
    #[test]
    fn what_is_checked_is_named(
        data in prefix(),
        error in prop_oneof![prefix(), Just(ERRORS.to_owned())],
        zone in prop::sample::select(vec!["", "Asia/Tokyo", "America/Argentina/ComodRivadavia", "Africa/Monrovia"]),
        instant_ms in prop_oneof![0..4_000_000_000_000_u64, any::<u64>()],
    ) {
        let mut destination = destination(&data, &error);
        destination.time_zone = zone.to_owned();
        destination.file_extension = ".x".repeat(64);
        if check(&destination, false).is_err() {
            return Ok(());
        }
        for partition in [Partition::Main, FAILED] {
            let key = key(destination.clone(), partition, instant_ms);
            let key = key.map_err(|error| TestCaseError::fail(format!("{data:?} {error:?}")))?;
            prop_assert!(key.len() <= KEY_BYTES);
            prop_assert!(!key.split('/').any(|segment| segment == "." || segment == ".."), "{}", key);
            let literal = if partition_is_main(&key) || error.is_empty() { &data } else { &error };
            let literal = literal.split("!{").next().unwrap_or_default();
            prop_assert!(key.starts_with(literal), "{} is not below {}", key, literal);
        }
    }
}

/// Objects of the data partition are the ones with an extension.
fn partition_is_main(key: &str) -> bool {
    key.ends_with(".x")
}

/// Event time stands for the prefix's timestamps and for nothing else: the object's own name keeps the arrival.
#[test]
fn timestamps_may_be_the_records_own() {
    let prefix = "!{timestamp:yyyy}/!{partitionKeyFromQuery:k}/!{timestamp:MM-dd}/";
    let destination = destination(prefix, ERRORS);
    let event_key = PartitionKey { source: KeySource::Query, name: "at".to_owned(), uses: 0 };
    let partitioning = partitioning(&destination, Some(&event_key)).unwrap();
    let event_time = partitioning.event_time.unwrap();
    assert_eq!((event_time.patterns, event_time.key), (vec!["yyyy".to_owned(), "MM-dd".to_owned()], event_key.clone()));
    let values = ["v", "1999", "12-31"].map(str::to_owned).to_vec();
    let found = key(destination, Partition::Keyed(values), WORKED_MS).unwrap();
    assert_eq!(found, format!("1999/v/12-31/orders-3-2018-08-27-10-30-00-{ID}"));
    let refused = |prefix: &str| {
        super::partitioning(&self::destination(prefix, ERRORS), Some(&event_key)).unwrap_err().to_string()
    };
    let message = "Prefix must contain a timestamp expression when EventTime is set.";
    assert_eq!(refused("!{partitionKeyFromQuery:k}/"), message);
    assert_eq!(refused("plain/"), message);
    // No other key is needed.
    let hourly = super::partitioning(&self::destination("!{timestamp:HH}/", ERRORS), Some(&event_key)).unwrap();
    assert!(hourly.keys.is_empty());
}
