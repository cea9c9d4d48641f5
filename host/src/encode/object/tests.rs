//! Objects decoded by other hands than ours, golden files, and the envelope.

use std::io::{Cursor, Read};
use std::sync::Arc;

use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::*;
use crate::definition::{Deserializer, ParquetSettings, S3Destination, SchemaSource, testing};
use crate::record::{ErrorOutput, Partition, PluginVersion, Rejected, Seal, StreamId};

const ID: Uuid = Uuid::from_u128(0x0123_4567_89ab_4def_8123_4567_89ab_cdef);

/// No record, one byte, around one snappy block, and many blocks.
const SIZES: [usize; 6] = [0, 1, 32_767, 32_768, 32_769, 1 << 20];

fn definition(compression: Compression) -> Definition {
    let kms_key_arn = Some("arn:aws:kms:us-east-1:123456789012:key/k".to_owned());
    let s3 = S3Destination { compression, kms_key_arn, ..testing::s3() };
    Definition { version: 3, s3, ..testing::definition("orders") }
}

fn sealed(content: Content) -> Sealed {
    let seal = Seal {
        id: ID,
        stream: StreamId(1),
        partition: Partition::Main,
        first: 10,
        end: 20,
        open_from: 20,
        definition_version: 3,
        bucket: "lake".to_owned(),
        key: "k".to_owned(),
        record_count: 10,
        content_bytes: 1,
        oldest_arrived_ms: 1_535_365_800_000,
        sealed_ms: 1_535_365_860_000,
    };
    Sealed { seal: Arc::new(seal), content }
}

/// The input of the golden files: JSON lines from a small xorshift generator, cut at `size` bytes.
fn payload(size: usize) -> Vec<u8> {
    let (mut text, mut state) = (String::new(), 88_172_645_463_325_252_u64);
    for order in 0.. {
        if text.len() >= size {
            break;
        }
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let country = if state & 1 == 0 { "France" } else { "United Kingdom" };
        text += &format!("{{\"order\":{order},\"stock\":\"{state:x}\",\"country\":\"{country}\"}}\n");
    }
    text.truncate(size);
    text.into_bytes()
}

/// Bytes that nothing compresses.
fn noise(size: usize) -> Vec<u8> {
    let random = crate::runtime::Random::seeded(3);
    (0..size).map(|_| random.next_u64().to_le_bytes()[0]).collect()
}

fn body(compression: Compression, payload: Vec<u8>) -> (Bytes, Option<&'static str>) {
    let object = encode(sealed(Content::Records(payload)), &definition(compression)).unwrap();
    (object.body, object.content_encoding)
}

/// Encodes payloads of every size, compressible or not, and hands each body to `decode`.
#[track_caller]
fn check_decodes(compression: Compression, expected_encoding: Option<&str>, decode: fn(&[u8]) -> Vec<u8>) {
    for size in SIZES {
        for payload in [payload(size), noise(size)] {
            let (body, content_encoding) = body(compression, payload.clone());
            assert_eq!(content_encoding, expected_encoding);
            assert!(decode(&body) == payload, "{compression:?} of {size} bytes");
        }
    }
}

#[test]
fn uncompressed_is_the_records_as_they_are() {
    check_decodes(Compression::Uncompressed, None, <[u8]>::to_vec);
}

#[test]
fn gzip_is_one_member_without_name_and_time() {
    check_decodes(Compression::Gzip, Some("gzip"), |body| {
        // Method deflate, no flags, no time; a reader of one member must come to the end.
        assert_eq!(&body[..8], [0x1f, 0x8b, 8, 0, 0, 0, 0, 0]);
        let mut decoder = flate2::bufread::GzDecoder::new(body);
        let mut payload = Vec::new();
        decoder.read_to_end(&mut payload).unwrap();
        assert!(decoder.into_inner().is_empty(), "bytes after the member");
        payload
    });
}

#[test]
fn zip_is_one_deflated_entry_named_by_a_uuid() {
    check_decodes(Compression::Zip, Some("zip"), |body| {
        let mut archive = ::zip::ZipArchive::new(Cursor::new(body)).unwrap();
        assert_eq!(archive.len(), 1);
        let mut entry = archive.by_index(0).unwrap();
        assert_eq!(entry.compression(), ::zip::CompressionMethod::Deflated);
        assert_eq!(entry.last_modified(), Some(::zip::DateTime::default()));
        let name = Uuid::parse_str(&entry.name().unwrap()).unwrap();
        assert_eq!(name.get_version_num(), 4);
        assert_ne!(name, ID);
        let mut payload = Vec::new();
        entry.read_to_end(&mut payload).unwrap();
        payload
    });
}

fn length(body: &mut &[u8]) -> usize {
    let (length, rest) = body.split_first_chunk().unwrap();
    *body = rest;
    u32::from_be_bytes(*length).try_into().unwrap()
}

fn block(body: &mut &[u8]) -> Vec<u8> {
    let length = length(body);
    let (block, rest) = body.split_at(length);
    *body = rest;
    snap::raw::Decoder::new().decompress_vec(block).unwrap()
}

#[test]
fn snappy_is_a_xerial_stream() {
    check_decodes(Compression::Snappy, Some("snappy-java"), |body| {
        let mut rest = body.strip_prefix(b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01").unwrap();
        let mut payload = Vec::new();
        while !rest.is_empty() {
            payload.extend(block(&mut rest));
        }
        payload
    });
}

#[test]
fn hadoop_snappy_is_a_block_stream() {
    check_decodes(Compression::HadoopSnappy, Some("hadoop-snappy"), |mut body| {
        let mut payload = Vec::new();
        while !body.is_empty() {
            let expected = length(&mut body);
            let block = block(&mut body);
            assert_eq!(block.len(), expected);
            assert!(block.len() <= 32_768);
            payload.extend(block);
        }
        payload
    });
}

/// The golden files are what snappy-java 1.1.10.5 wrote for [`payload`]: `SnappyOutputStream` and
/// `SnappyHadoopCompatibleOutputStream` with their defaults. Larger ones stand here by SHA-256.
#[test]
fn snappy_forms_are_snappy_javas_byte_for_byte() {
    let golden: [(usize, &str, &str); 12] = [
        (0, "xerial", "8cede7614db4fc15e168b914d9e507fc2b7b3b179457571d5bd1b095f1a68406"),
        (0, "hadoop", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        (1, "xerial", "ed33a9ff00619e8f5ed6fbda3903a9848be37a67846f5c000956345100ddf4f6"),
        (1, "hadoop", "9abb75b68320edce1eeb3966abd87a635d340579fb2c3d726cb4747570498946"),
        (32767, "xerial", "89fceee9343f992f20956fe7fbcb72ba2add175dff9c3418c23885d93b449232"),
        (32767, "hadoop", "b388120bf9a9179cbf1aede4638488bc058225b24235e814ae3d6cf33dfb505d"),
        (32768, "xerial", "7b7c8b3f4ba7f832c6092c28ec81e8ab64a262542292b8451faf60c7ab5521c6"),
        (32768, "hadoop", "c29eed2fa5e1b1dcb3f24ab05861c85b1b52d8821e9ef508785faa6245375f66"),
        (32769, "xerial", "b26f696c4f8960341e07579706fc32c90016f8d003d4a79dc0f58e5be8ce25f4"),
        (32769, "hadoop", "22227af57ca703cd947e20a2c9f3508056282b3864cec0036e3a8926556cb935"),
        (1048576, "xerial", "9dd0b967c27a999b206395cc7d458d3cbcfbf41955dd60dae65685d524360698"),
        (1048576, "hadoop", "f3231a88e4c0608194c644df9c8c5118f6058c09d38694c7425338ff8178e007"),
    ];
    for (size, form, sha256) in golden {
        let compression = if form == "xerial" { Compression::Snappy } else { Compression::HadoopSnappy };
        let (body, _) = body(compression, payload(size));
        let digest: String = Sha256::digest(&body).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(digest, sha256, "{size} bytes as {form}");
    }
    let files: [(usize, &[u8], &[u8]); 3] = [
        (0, include_bytes!("../golden/0.xerial"), include_bytes!("../golden/0.hadoop")),
        (1, include_bytes!("../golden/1.xerial"), include_bytes!("../golden/1.hadoop")),
        (32_769, include_bytes!("../golden/32769.xerial"), include_bytes!("../golden/32769.hadoop")),
    ];
    for (size, xerial, hadoop) in files {
        assert!(body(Compression::Snappy, payload(size)).0 == xerial, "{size} bytes");
        assert!(body(Compression::HadoopSnappy, payload(size)).0 == hadoop, "{size} bytes");
    }
}

/// A retry after a crash must write the same object (design: same key, same content).
#[test]
fn the_same_batch_gives_the_same_bytes() {
    for compression in [Compression::Gzip, Compression::Zip, Compression::Snappy, Compression::HadoopSnappy] {
        let first = body(compression, payload(100_000));
        // Another batch in between, and another thread with a compressor of its own.
        body(compression, noise(1000));
        assert!(body(compression, payload(100_000)) == first, "{compression:?}");
        let elsewhere = std::thread::spawn(move || body(compression, payload(100_000)));
        assert!(elsewhere.join().unwrap() == first, "{compression:?}");
    }
}

#[test]
fn an_object_holds_no_memory_that_it_does_not_need() {
    for compression in [Compression::Uncompressed, Compression::Gzip, Compression::Zip, Compression::Snappy] {
        let mut payload = payload(1 << 20);
        payload.reserve(8 << 20);
        let (body, _) = compress(payload, compression, &ID).unwrap();
        assert_eq!(body.capacity(), body.len(), "{compression:?}");
    }
}

#[test]
fn objects_carry_the_key_for_encryption() {
    let object = encode(sealed(Content::Records(Vec::new())), &definition(Compression::Gzip)).unwrap();
    assert_eq!(object.kms_key_arn.as_deref(), Some("arn:aws:kms:us-east-1:123456789012:key/k"));
}

#[test]
fn another_definition_version_is_refused() {
    let mut definition = definition(Compression::Gzip);
    definition.version = 4;
    let refused = encode(sealed(Content::Records(Vec::new())), &definition).unwrap_err();
    assert_eq!(refused.to_string(), "batch was sealed under definition version 3, not 4");
}

fn rejected(sequence: u64, data: &'static [u8], message: &str, plugin: Option<PluginVersion>) -> Rejected {
    Rejected {
        sequence,
        arrived_ms: 1_789_014_240_448,
        data: Bytes::from_static(data),
        output: ErrorOutput::ProcessingFailed,
        code: "Lambda.ProcessingFailedStatus".into(),
        message: message.to_owned(),
        attempts: 1,
        lambda_arn: plugin.as_ref().map(|_| "arn:aws:lambda:us-west-2:123456789012:function:f".to_owned()),
        names: Vec::new(),
        is_repeatable: true,
        plugin,
    }
}

/// Firehose's members come first, named, ordered and typed as captured; error objects are not compressed.
#[test]
fn rejected_records_are_written_in_firehoses_envelope() {
    let plugin = PluginVersion { name: "f".to_owned(), digest: "ab12".to_owned() };
    let records = vec![
        rejected(11, b"bad order", "ProcessingFailed status set for record", Some(plugin)),
        rejected(13, b"\xff\x00", "a \"quoted\"\nline", None),
        rejected(14, b"", "", None),
    ];
    let object = encode(sealed(Content::Rejected(records)), &definition(Compression::Gzip)).unwrap();
    let expected = concat!(
        r#"{"rawData":"YmFkIG9yZGVy","errorCode":"Lambda.ProcessingFailedStatus","#,
        r#""errorMessage":"ProcessingFailed status set for record","attemptsMade":1,"#,
        r#""arrivalTimestamp":1789014240448,"attemptEndingTimestamp":1535365860000,"#,
        r#""lambdaARN":"arn:aws:lambda:us-west-2:123456789012:function:f","#,
        r#""stream":"orders","sequence":11,"pluginName":"f","pluginDigest":"ab12"}"#,
        "\n",
        r#"{"rawData":"/wA=","errorCode":"Lambda.ProcessingFailedStatus","#,
        r#""errorMessage":"a \"quoted\"\nline","attemptsMade":1,"#,
        r#""arrivalTimestamp":1789014240448,"attemptEndingTimestamp":1535365860000,"#,
        r#""stream":"orders","sequence":13}"#,
        "\n",
        r#"{"rawData":"","errorCode":"Lambda.ProcessingFailedStatus","errorMessage":"","attemptsMade":1,"#,
        r#""arrivalTimestamp":1789014240448,"attemptEndingTimestamp":1535365860000,"#,
        r#""stream":"orders","sequence":14}"#,
        "\n",
    );
    assert_eq!(std::str::from_utf8(&object.body).unwrap(), expected);
    assert_eq!(object.content_encoding, None);
}

/// What a destination refused begins with its attempts, and says how the destination calls it.
#[test]
fn what_a_destination_refused_names_itself() {
    let one = Rejected {
        output: ErrorOutput::OpenSearchFailed,
        names: vec![("esDocumentId", "7.0".into()), ("esIndexName", "a\"b".into())],
        ..rejected(5, b"{}", "no", None)
    };
    let object = encode(sealed(Content::Rejected(vec![one.clone()])), &definition(Compression::Gzip)).unwrap();
    let line: serde_json::Value = serde_json::from_slice(&object.body).unwrap();
    let members: Vec<&str> = line.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(
        members,
        [
            "attemptsMade",
            "arrivalTimestamp",
            "errorCode",
            "errorMessage",
            "attemptEndingTimestamp",
            "esDocumentId",
            "esIndexName",
            "rawData",
            "stream",
            "sequence",
        ]
    );
    assert_eq!((line["rawData"].as_str(), line["esIndexName"].as_str()), (Some("e30="), Some("a\"b")));
    assert_eq!(line["sequence"], one.sequence);
}

/// Members, their order and their types are those of the lines that AWS's documentation prints, up to our own behind
/// them. A line of an HTTP endpoint has a number among its names.
#[test]
fn splunk_and_http_endpoints_name_a_record_behind_its_bytes() {
    let line = |output, code: &'static str, names| {
        let one = Rejected { output, names, code: code.into(), ..rejected(5, b"sample raw data", "no", None) };
        let object = encode(sealed(Content::Rejected(vec![one])), &definition(Compression::Gzip)).unwrap();
        String::from_utf8(object.body.to_vec()).unwrap()
    };
    let splunk = line(ErrorOutput::SplunkFailed, "Splunk.AckTimeout", vec![("EventId", "5.0".into())]);
    assert_eq!(
        splunk,
        concat!(
            r#"{"attemptsMade":1,"arrivalTimestamp":1789014240448,"errorCode":"Splunk.AckTimeout","errorMessage":"no","#,
            r#""attemptEndingTimestamp":1535365860000,"rawData":"c2FtcGxlIHJhdyBkYXRh","EventId":"5.0","#,
            r#""stream":"orders","sequence":5}"#,
            "\n"
        )
    );
    let names = vec![("subsequenceNumber", 0.into()), ("dataId", "5.0".into())];
    let http = line(ErrorOutput::HttpEndpointFailed, "HttpEndpoint.DestinationException", names);
    assert_eq!(
        http,
        concat!(
            r#"{"attemptsMade":1,"arrivalTimestamp":1789014240448,"errorCode":"HttpEndpoint.DestinationException","#,
            r#""errorMessage":"no","attemptEndingTimestamp":1535365860000,"rawData":"c2FtcGxlIHJhdyBkYXRh","#,
            r#""subsequenceNumber":0,"dataId":"5.0","stream":"orders","sequence":5}"#,
            "\n"
        )
    );
}

fn conversion(output: Serializer) -> Conversion {
    Conversion {
        schema: SchemaSource {
            catalog_id: String::new(),
            database: "shop".to_owned(),
            table: "orders".to_owned(),
            region: String::new(),
            version_id: "LATEST".to_owned(),
        },
        input: Deserializer::OpenX { case_insensitive: true, dots_to_underscores: false, column_keys: Vec::new() },
        output,
        resolved: Some(serde_json::json!({"StorageDescriptor": {"Columns": [{"Name": "a", "Type": "int"}]}})),
    }
}

fn columns(compression: ParquetCompression) -> Serializer {
    Serializer::Parquet(ParquetSettings { compression, has_dictionary: true, ..ParquetSettings::default() })
}

/// Firehose's members, named and ordered as its documentation has them, then ours.
#[test]
fn records_that_were_not_converted_have_an_envelope_of_their_own() {
    let mut definition = definition(Compression::Uncompressed);
    definition.conversion = Some(conversion(columns(ParquetCompression::Snappy)));
    let mut record = rejected(11, b"bad order", "Encountered malformed JSON. x", None);
    record.output = ErrorOutput::FormatConversionFailed;
    record.code = "DataFormatConversion.ParseError".into();
    let object = encode(sealed(Content::Rejected(vec![record])), &definition).unwrap();
    let expected = concat!(
        r#"{"attemptsMade":1,"arrivalTimestamp":1789014240448,"lastErrorCode":"DataFormatConversion.ParseError","#,
        r#""lastErrorMessage":"Encountered malformed JSON. x","attemptEndingTimestamp":1535365860000,"#,
        r#""rawData":"YmFkIG9yZGVy","sequenceNumber":null,"subSequenceNumber":null,"#,
        r#""dataCatalogTable":{"catalogId":null,"databaseName":"shop","tableName":"orders","region":"us-east-1","#,
        r#""versionId":"LATEST","catalogArn":null},"stream":"orders","sequence":11}"#,
        "\n",
    );
    assert_eq!(std::str::from_utf8(&object.body).unwrap(), expected);
}

/// What is backed up stays as it was; what Snappy compressed says so, as Firehose's does.
#[test]
fn only_the_destinations_records_are_converted() {
    let mut definition = definition(Compression::Uncompressed);
    let payload = || Content::Records(b"{\"a\":1}".to_vec());
    for (compression, content_encoding) in [
        (ParquetCompression::Snappy, Some("hadoop-snappy")),
        (ParquetCompression::Gzip, None),
        (ParquetCompression::Uncompressed, None),
    ] {
        definition.conversion = Some(conversion(columns(compression)));
        let object = encode(sealed(payload()), &definition).unwrap();
        assert!(object.body.starts_with(b"PAR1") && object.body.ends_with(b"PAR1"));
        assert_eq!(object.content_encoding, content_encoding);
    }
    let mut sealed = sealed(payload());
    Arc::get_mut(&mut sealed.seal).unwrap().partition = Partition::Source;
    assert_eq!(&encode(sealed, &definition).unwrap().body[..], b"{\"a\":1}");
}

/// The check runs first, so this cannot happen; were it to, nothing is delivered.
#[test]
fn a_record_that_was_not_checked_stops_the_stream() {
    let mut definition = definition(Compression::Uncompressed);
    definition.conversion = Some(conversion(columns(ParquetCompression::Snappy)));
    let refused = encode(sealed(Content::Records(b"{\"a\":1}x".to_vec())), &definition).unwrap_err();
    assert_eq!(refused.to_string(), "batch holds a record that was not checked for conversion");
    definition.conversion.as_mut().unwrap().resolved = None;
    let refused = encode(sealed(Content::Records(Vec::new())), &definition).unwrap_err();
    assert_eq!(refused.to_string(), "records cannot be converted");
}
