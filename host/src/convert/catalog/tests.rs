//! Tables from files, and from a server that says what Glue says.

use std::fs;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;

fn source(database: &str, table: &str, version_id: &str) -> SchemaSource {
    SchemaSource {
        catalog_id: String::new(),
        database: database.to_owned(),
        table: table.to_owned(),
        region: String::new(),
        version_id: version_id.to_owned(),
    }
}

async fn resolve(catalog: &Catalog, source: &SchemaSource) -> Result<Value, CatalogError> {
    catalog.resolve(source, "us-east-1", "123456789012", 1_454_612_111_000).await
}

const NOT_FOUND: &str = "The specified table/database could not be found. Please ensure that the table/database exists \
                         and that the values provided in the schema configuration are correct, especially with regards \
                         to casing.";
const NO_VERSION: &str =
    "Could not find a matching schema from glue. Please make sure the specified version of the table exists.";

#[track_caller]
fn told(result: Result<Value, CatalogError>) -> String {
    match result.unwrap_err().public() {
        Public::InvalidArgument(message) => message,
        Public::Unavailable => "unavailable".to_owned(),
    }
}

#[tokio::test]
async fn tables_are_files_of_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("shop")).unwrap();
    let columns = json!([{"Name": "id", "Type": "bigint", "Comment": "not pinned"}]);
    let table =
        json!({"Name": "orders", "Owner": "me", "StorageDescriptor": {"Columns": columns, "Location": "s3://x"}});
    let write = |name: &str, text: &str| fs::write(folder.path().join("shop").join(name), text).unwrap();
    write("bare.json", &table.to_string());
    write("answer.json", &json!({"Table": table}).to_string());
    let mut versioned = table.clone();
    versioned["VersionId"] = "7".into();
    write("versioned.json", &json!({"Table": versioned}).to_string());
    write("broken.json", "{");
    write("empty.json", &json!({"StorageDescriptor": {"Columns": []}}).to_string());
    write("shapeless.json", "{}");
    write("odd.json", &json!({"StorageDescriptor": {"Columns": [{"Name": "a", "Type": "set<int>"}]}}).to_string());
    write("large.json", &" ".repeat(MOST_TABLE_BYTES + 1));
    let catalog = Catalog::Directory(folder.path().to_owned());

    let pinned = resolve(&catalog, &source("shop", "versioned", "LATEST")).await.unwrap();
    let expected = json!({
        "DatabaseName": "shop", "Name": "versioned", "VersionId": "7",
        "StorageDescriptor": {"Columns": [{"Name": "id", "Type": "bigint"}]},
    });
    assert_eq!(pinned, expected);
    assert_eq!(resolve(&catalog, &source("shop", "versioned", "7")).await.unwrap(), expected);
    assert_eq!(told(resolve(&catalog, &source("shop", "versioned", "6")).await), NO_VERSION);
    // A file that names no version has one all the same: a changed file is another.
    for name in ["bare", "answer"] {
        let pinned = resolve(&catalog, &source("shop", name, "")).await.unwrap();
        assert_eq!(pinned["VersionId"].as_str().unwrap().len(), 16, "{name}");
    }
    assert_eq!(told(resolve(&catalog, &source("shop", "bare", "1")).await), NO_VERSION);
    for (database, table) in [
        ("shop", "nothing"),
        ("nothing", "bare"),
        ("..", "bare"),
        ("shop", "../shop/bare"),
        ("", "bare"),
        (".", "shop/bare"),
        ("shop\0", "bare"),
    ] {
        assert_eq!(told(resolve(&catalog, &source(database, table, "")).await), NOT_FOUND, "{database} {table}");
    }
    let invalid = "The schema is invalid. The specified table has no columns.";
    assert_eq!(told(resolve(&catalog, &source("shop", "empty", "")).await), invalid);
    assert!(told(resolve(&catalog, &source("shop", "shapeless", "")).await).contains("non-null storage descriptor"));
    let odd = told(resolve(&catalog, &source("shop", "odd", "")).await);
    assert!(
        odd.starts_with("The schema is invalid. Error parsing the schema: column a: type set is not offered"),
        "{odd}"
    );
    for name in ["broken", "large"] {
        assert_eq!(told(resolve(&catalog, &source("shop", name, "")).await), "unavailable", "{name}");
    }
}

/// A server that answers one request with this, and gives the request's text.
async fn server(status: &str, body: String) -> (String, tokio::task::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let answer = format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/x-amz-json-1.1\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    let serving = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = Vec::new();
        let mut buffer = vec![0; 16_384];
        // The body of a request ends with its only object.
        while !request.ends_with(b"}") {
            let read = stream.read(&mut buffer).await.unwrap();
            request.extend_from_slice(&buffer[..read]);
        }
        stream.write_all(answer.as_bytes()).await.unwrap();
        stream.flush().await.unwrap();
        String::from_utf8(request).unwrap()
    });
    (format!("http://{address}"), serving)
}

fn glue(endpoint: &str) -> Catalog {
    let credentials = Credentials::new("AKIDEXAMPLE", "secret", None, None, "test");
    Catalog::Glue(Glue::new(endpoint, SharedCredentialsProvider::new(credentials)))
}

#[tokio::test]
async fn glue_is_asked_for_the_table_or_its_version() {
    let table =
        json!({"Name": "orders", "VersionId": "3", "StorageDescriptor": {"Columns": [{"Name": "a", "Type": "int"}]}});
    let (endpoint, serving) = server("200 OK", json!({"Table": table}).to_string()).await;
    let pinned = resolve(&glue(&endpoint), &source("shop", "orders", "LATEST")).await.unwrap();
    assert_eq!(pinned["VersionId"], "3");
    let request = serving.await.unwrap().to_ascii_lowercase();
    assert!(request.contains("x-amz-target: awsglue.gettable\r\n"), "{request}");
    assert!(request.contains("/us-east-1/glue/aws4_request"), "{request}");
    assert!(request.ends_with(r#"{"catalogid":"123456789012","databasename":"shop","name":"orders"}"#), "{request}");

    let version = json!({"TableVersion": {"VersionId": "2", "Table": {"StorageDescriptor": {"Columns": [{"Name": "a", "Type": "int"}]}}}});
    let (endpoint, serving) = server("200 OK", version.to_string()).await;
    let mut wanted = source("shop", "orders", "2");
    wanted.region = "eu-west-1".to_owned();
    assert_eq!(resolve(&glue(&endpoint), &wanted).await.unwrap()["VersionId"], "2");
    let request = serving.await.unwrap();
    assert!(request.contains("AWSGlue.GetTableVersion") && request.contains("/eu-west-1/glue/"), "{request}");
}

#[tokio::test]
async fn what_glue_refuses_is_told_in_firehoses_words() {
    let denied = "Access was denied when calling Glue. Please ensure that the role specified in the data format \
                  conversion configuration has the necessary permissions.";
    let cases = [
        (
            "400 Bad Request",
            r#"{"__type":"EntityNotFoundException","Message":"Database shop not found."}"#,
            "",
            NOT_FOUND,
        ),
        ("400 Bad Request", r#"{"__type":"x#EntityNotFoundException","message":"Entity Not Found"}"#, "", NOT_FOUND),
        (
            "400 Bad Request",
            r#"{"__type":"EntityNotFoundException","Message":"Version 9 not found."}"#,
            "9",
            NO_VERSION,
        ),
        ("400 Bad Request", r#"{"__type":"InvalidInputException","Message":"no number"}"#, "x", NO_VERSION),
        ("400 Bad Request", r#"{"__type":"AccessDeniedException"}"#, "", denied),
        ("500 Internal Server Error", "{}", "", "unavailable"),
        ("400 Bad Request", "<html>", "", "unavailable"),
        ("302 Found", "{}", "", "unavailable"),
    ];
    for (status, body, version, expected) in cases {
        let (endpoint, serving) = server(status, body.to_owned()).await;
        assert_eq!(told(resolve(&glue(&endpoint), &source("shop", "orders", version)).await), expected, "{body}");
        serving.await.unwrap();
    }
    let (endpoint, serving) = server("200 OK", " ".repeat(MOST_TABLE_BYTES + 1)).await;
    assert_eq!(told(resolve(&glue(&endpoint), &source("shop", "orders", "")).await), "unavailable");
    serving.abort();
    assert_eq!(told(resolve(&glue("http://127.0.0.1:1"), &source("shop", "orders", "")).await), "unavailable");
}
