//! Pages of examples, followed command by command: objects, a table, an index, a warehouse. What a page shows comes out.
#![expect(clippy::unwrap_used, reason = "a test says what it expects")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use hydrant_tests::host::{binary, free_address};
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

/// `examples/01-orders-to-s3`: the page's own comparison finds no difference.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cleaned_orders_are_objects() {
    let mut page = Page::open("01-orders-to-s3", &[]);
    let blocks = page.blocks("sh");
    let [serve, send, compare] = blocks.as_slice() else { panic!("{} blocks", blocks.len()) };
    let (first, second) = (page.terminal(), page.terminal());
    let host = page.start(&first, serve);
    page.host_is_up(host).await;
    page.run(&second, send);
    let printed = page.run_until(&second, compare, |printed| printed.contains("/errors/")).await;
    assert!(printed.lines().all(|line| line.contains("/errors/")), "{printed}");
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

/// Lines 5 and 12, `examples/03-logs-to-opensearch`: an error line is found in a real node soon after it was put; what
/// the node and the plugin refuse is in the error output, as the page shows it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn log_lines_are_found_when_they_were_just_written() {
    let node = free_address();
    let mut page = Page::open("03-logs-to-opensearch", &[("127.0.0.1:9200", node.to_string())]);
    let blocks = page.blocks("sh");
    let [peer, serve, send, search, line, indices, failures] = blocks.as_slice() else {
        panic!("{} blocks", blocks.len())
    };
    let (first, second, third) = (page.terminal(), page.terminal(), page.terminal());
    let peer = page.start(&first, peer);
    let host = page.start(&second, serve);
    page.host_is_up(host).await;
    page.peer_is_up(peer).await;
    page.run(&third, send);
    let found = shown(&page, 0);
    page.run_until(&third, search, |printed| printed.trim() == found.trim()).await;
    page.run(&third, line);
    page.run_until(&third, search, |printed| printed.contains("payment of order 536500 failed: no funds")).await;
    let printed = page.run(&third, indices);
    let counts: Vec<Vec<&str>> = printed.lines().map(|line| line.split_whitespace().collect()).collect();
    // Two, when midnight passed.
    assert!(counts.iter().all(|index| index[0].starts_with("logs-2")), "{printed}");
    assert_eq!(counts.iter().map(|index| index[1].parse::<u64>().unwrap()).sum::<u64>(), 62, "{printed}");
    page.interrupt(host).await;
    assert_eq!(page.run(&third, failures).trim(), shown(&page, 1).trim());
    // Of the batch, one document was refused; the log counts that one.
    let said = page.said_by(host);
    let stored = |line: &&str| line.contains("object delivered") && line.contains("AmazonOpenSearchService-failed/");
    let refused: Vec<&str> = said.lines().filter(stored).collect();
    assert!(refused.len() == 1 && refused[0].ends_with("records=1"), "{refused:?}");
}

/// The table that the page shows for one's own cluster is one that the host takes.
#[test]
fn a_login_for_ones_own_cluster_is_configured_as_the_page_says() {
    let page = Page::open("03-logs-to-opensearch", &[]);
    let login = page.blocks("toml").concat();
    let config = fs::read_to_string(page.folder().join("hydrant.toml")).unwrap();
    let (before, _) = config.split_once("[egress]").unwrap();
    let tables = before.rsplit_once('\n').unwrap().0;
    fs::write(page.folder().join("own.toml"), format!("{tables}\n{login}")).unwrap();
    fs::write(page.folder().join("opensearch-password"), "kept-to-ourselves\n").unwrap();
    let mut command = Command::new(binary());
    let output = command.args(["check", "--config", "own.toml"]).current_dir(page.folder()).output().unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{printed}{}", String::from_utf8_lossy(&output.stderr));
    assert!(printed.contains("search.example.com") && !printed.contains("kept-to-ourselves"), "{printed}");
}

/// Lines 6 and 12, `examples/04-orders-to-redshift`: cleaned orders are rows of a table, a load that was given up shows
/// as a manifest, and the page's statements load it once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn orders_are_rows_and_a_skipped_load_is_made_up_for() {
    let cluster = free_address();
    let name = format!("shop.abc123.us-east-1.redshift.example.com:{}", cluster.port());
    let addresses =
        [("127.0.0.1:5439", cluster.to_string()), ("shop.abc123.us-east-1.redshift.example.com:5439", name)];
    let mut page = Page::open("04-orders-to-redshift", &addresses);
    let blocks = page.blocks("sh");
    let [serve, peer, send, query, staged, fail, skipped, load] = blocks.as_slice() else {
        panic!("{} blocks", blocks.len())
    };
    let (first, second, third) = (page.terminal(), page.terminal(), page.terminal());
    let host = page.start(&first, serve);
    page.host_is_up(host).await;
    let peer = page.start(&second, peer);
    page.peer_is_up(peer).await;
    page.run(&third, send);
    let rows = shown(&page, 0);
    page.run_until(&third, query, |printed| printed.trim() == rows.trim()).await;
    let objects = page.run(&third, staged);
    for place in ["staging/orders/2", "staging/orders/manifests/", "staging/orders/processing-failed/"] {
        assert!(objects.contains(place), "nothing in {place} among\n{objects}");
    }
    page.run(&third, fail);
    page.run_until(&third, skipped, |printed| printed.lines().count() == 1).await;
    assert_eq!(page.run(&third, load).trim(), shown(&page, 1).trim());
    // The host lets the ledger rule: nothing of it is loaded again.
    page.interrupt(host).await;
    let counted = load.lines().last().unwrap();
    assert_eq!(page.run(&third, counted).trim(), shown(&page, 1).trim());
}
