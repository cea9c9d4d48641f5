//! The examples that end in a table, an index and a warehouse do what their pages say, command by command.
#![expect(clippy::unwrap_used, reason = "a test says what it expects")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use hydrant_tests::page::Page;
use hydrant_tests::peers::python_with_readers;
use serde_json::Value;

/// A block that shows what the one before it prints.
fn shown(page: &Page, at: usize) -> String {
    page.blocks("text")[at].clone()
}

fn json(file: &Path) -> Value {
    serde_json::from_slice(&fs::read(file).unwrap()).unwrap()
}

/// Lines and cents of each partition, by what was sent. Lines that are no orders are not in the table.
fn sums(input: &str) -> BTreeMap<(String, String), (u64, i64)> {
    let mut sums: BTreeMap<_, (u64, i64)> = BTreeMap::new();
    for line in input.lines() {
        let Ok(order) = serde_json::from_str::<Value>(line) else { continue };
        let (Some(country), Some(quantity)) = (order["country"].as_str(), order["quantity"].as_i64()) else { continue };
        let key = (country.to_owned(), order["date"].as_str().unwrap()[..10].to_owned());
        let sum = sums.entry(key).or_default();
        let cents = format!("{:.0}", order["price"].as_f64().unwrap() * 100.0).parse::<i64>().unwrap();
        *sum = (sum.0 + 1, sum.1 + quantity * cents);
    }
    sums
}

/// Lines 4 and 12, `examples/02-dynamic-partitions-parquet`: what was delivered is a table for DuckDB with the sums of
/// what was sent, and the page shows what comes out.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dynamic_partitions_are_a_table() {
    let python = python_with_readers();
    let mut page = Page::open("02-dynamic-partitions-parquet", &[]);
    page.has_programs(python.parent().unwrap());
    let blocks = page.blocks("sh");
    let [serve, send, query, why] = blocks.as_slice() else { panic!("{} blocks", blocks.len()) };
    let (first, second) = (page.terminal(), page.terminal());
    let host = page.start(&first, serve);
    page.host_is_up(host).await;
    page.run(&second, send);
    page.interrupt(host).await;
    let printed = page.run(&second, query);
    let (files, table): (Vec<&str>, Vec<&str>) = printed.lines().partition(|line| line.ends_with(".parquet"));
    let table = table.join("\n");
    assert_eq!(table.trim(), shown(&page, 0).trim());
    assert_eq!(page.run(&second, why).trim(), shown(&page, 1).trim());

    let sums = sums(&fs::read_to_string(page.folder().join("input.ndjson")).unwrap());
    assert_eq!(sums.values().map(|(lines, _)| lines).sum::<u64>(), 297);
    let folder = |(country, day): &(String, String)| format!("data/s3/lake/orders/country={country}/day={day}/orders-");
    assert_eq!(files.len(), sums.len());
    for key in sums.keys() {
        assert!(files.iter().any(|file| file.starts_with(&folder(key))), "no file of {key:?} among {files:?}");
    }
    let everything = "import duckdb\n\
        for row in duckdb.sql(\"\"\"SELECT country, day::varchar, count(*), (sum(quantity * price) * 100)::bigint \
        FROM read_parquet('data/s3/lake/orders/*/*/*.parquet', hive_partitioning = true) GROUP BY ALL ORDER BY ALL\"\"\")\
        .fetchall(): print(*row)";
    let output = Command::new(python).args(["-c", everything]).current_dir(page.folder()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let expected = sums.iter().map(|((country, day), (lines, cents))| format!("{country} {day} {lines} {cents}\n"));
    assert_eq!(String::from_utf8(output.stdout).unwrap(), expected.collect::<String>());
}

/// Line 4: Athena's table has the columns and partitions of the catalogue's, and reads where the stream writes.
#[test]
fn athenas_table_is_the_streams() {
    let folder = hydrant_tests::environment::repository().join("examples/02-dynamic-partitions-parquet");
    let table = json(&folder.join("catalog/shop/orders.json"));
    let stream = json(&folder.join("stream.json"));
    let statement = fs::read_to_string(folder.join("athena.sql")).unwrap();
    let typed = |columns: &Value| -> Vec<String> {
        let column =
            |column: &Value| format!("`{}` {}", column["Name"].as_str().unwrap(), column["Type"].as_str().unwrap());
        columns.as_array().unwrap().iter().map(column).collect()
    };
    let columns = typed(&table["Table"]["StorageDescriptor"]["Columns"]).join(",\n  ");
    assert!(statement.contains(&format!("TABLE shop.orders (\n  {columns}\n)")), "{columns}");
    let partitions = typed(&table["Table"]["PartitionKeys"]).join(", ");
    assert!(statement.contains(&format!("PARTITIONED BY ({partitions})")), "{partitions}");
    let destination = &stream["ExtendedS3DestinationConfiguration"];
    let bucket = destination["BucketARN"].as_str().unwrap().trim_start_matches("arn:aws:s3:::");
    let prefix = destination["Prefix"].as_str().unwrap().replace("!{partitionKeyFromQuery:", "${");
    assert!(statement.contains(&format!("'storage.location.template' = 's3://{bucket}/{prefix}'")), "{prefix}");
    let first = prefix.split('/').next().unwrap();
    assert!(statement.contains(&format!("LOCATION 's3://{bucket}/{first}/'")), "{first}");
    let page = fs::read_to_string(folder.join("README.md")).unwrap();
    let program = &destination["ProcessingConfiguration"]["Processors"][0]["Parameters"][0]["ParameterValue"];
    assert!(page.contains(program.as_str().unwrap()), "the page shows another jq program");
    assert!(page.contains(destination["Prefix"].as_str().unwrap()), "the page shows another prefix");
}
