//! Plugins that attack the host from the moment they are loaded: the built binary goes on, within its limits. What
//! hostile guests do in a call is tested beside the plugin host.

use std::fs;
use std::path::Path;
use std::time::Duration;

use hydrant_tests::checker::read_bucket;
use hydrant_tests::client::through_plugin;
use hydrant_tests::host::{Host, Setup, TEST_TABLES, plugin};
use hydrant_tests::wait::until;
use serde_json::{Value, json};

const LIMIT: Duration = Duration::from_secs(120);

/// A component of one function that is long, and dear to allocate registers for: valid, and no plugin.
fn bomb(instructions: usize) -> Vec<u8> {
    fn leb(mut value: usize, out: &mut Vec<u8>) {
        loop {
            let byte = u8::try_from(value & 0x7f).expect("seven bits");
            value >>= 7;
            out.push(if value == 0 { byte } else { byte | 0x80 });
            if value == 0 {
                return;
            }
        }
    }
    fn section(id: u8, content: &[u8], out: &mut Vec<u8>) {
        out.push(id);
        leb(content.len(), out);
        out.extend_from_slice(content);
    }
    // local.get 0, local.get 1, i32.add, local.tee 1, i32.const 3, i32.mul, local.set 0
    let step = [0x20, 0, 0x20, 1, 0x6a, 0x22, 1, 0x41, 3, 0x6c, 0x21, 0];
    let mut body = vec![0];
    (0..instructions).for_each(|_| body.extend_from_slice(&step));
    body.extend_from_slice(&[0x20, 0, 0x0b]);
    let mut code = vec![1];
    leb(body.len(), &mut code);
    code.extend_from_slice(&body);
    let mut module = b"\0asm\x01\0\0\0".to_vec();
    section(1, &[1, 0x60, 2, 0x7f, 0x7f, 1, 0x7f], &mut module);
    section(3, &[1, 0], &mut module);
    section(10, &code, &mut module);
    let mut component = b"\0asm\x0d\0\x01\0".to_vec();
    section(1, &module, &mut component);
    component
}

async fn refused(host: &Host, words: &str) {
    let told = until("a word about the file", LIMIT, async || {
        let list = host.admin("/plugins").await.ok()?.json();
        let problems = list["problems"].as_array()?.clone();
        problems.iter().any(|problem| problem["error"].as_str().unwrap_or_default().contains(words)).then_some(())
    });
    told.await.unwrap_or_else(|error| panic!("{error}:\n{}", host.log_tail()));
}

fn through(name: &str) -> Value {
    json!({"BufferingHints": {"SizeInMBs": 1, "IntervalInSeconds": 0}, "ProcessingConfiguration": through_plugin(name)})
}

/// Row P9: a component that takes the compiler for ever, or all of its memory, is stopped; other plugins go on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_compile_bomb_is_stopped() {
    for limit in ["compile_seconds = 1", "compile_memory_bytes = 536_870_912"] {
        let tables = format!("{TEST_TABLES}\n[plugins]\n{limit}\n");
        let mut host = Host::prepare(Setup { tables, ..Setup::default() });
        // Compiled by an earlier life without the limit, so that the limit is the bomb's alone.
        host.write_config("embedded", "", TEST_TABLES);
        fs::copy(plugin("bench"), host.plugin_dir().join("bench.wasm")).expect("a plugin");
        host.launch().await;
        assert_eq!(host.terminate().await.code(), Some(0), "{}", host.log_tail());
        host.write_config("embedded", "", &format!("{TEST_TABLES}\n[plugins]\n{limit}\n"));
        host.launch().await;
        host.client().create_stream("logs", through("bench")).await;

        fs::write(host.plugin_dir().join("bomb.wasm"), bomb(500_000)).expect("a file");
        refused(&host, "compiling it takes more than").await;
        host.client().put("logs", &[br#"{"level":"info"}"#]).await;
        let delivered = until("delivery", LIMIT, async || read_bucket(&host.bucket()).next());
        let object = delivered.await.unwrap_or_else(|error| panic!("{error}:\n{}", host.log_tail()));
        assert!(object.body.ends_with(b"\"pipeline\":\"hydrant\"}"), "{:?}", object.body);
        assert_eq!(host.terminate().await.code(), Some(0), "{}", host.log_tail());
    }
}

/// Row P3: what a hoarding plugin takes of the machine is its limit and little more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_is_the_limit_and_little_more() {
    const CAP_KIB: u64 = 64 << 10;
    const MORE_KIB: u64 = 8 << 10;
    let settings = "[plugins.settings.hoarder]\ndo = \"hoard\"\nwhen = \"poison\"\n";
    let tables = format!("{TEST_TABLES}\n[plugins]\nmemory_bytes = 67_108_864\n\n{settings}");
    let plugins = vec![("hoarder".to_owned(), plugin("hostile"))];
    let mut host = Host::start(Setup { tables, plugins, ..Setup::default() }).await;
    host.client().create_stream("hoard", through("hoarder")).await;
    host.client().put("hoard", &[b"fine"]).await;
    let at_ease = until("delivery", LIMIT, async || read_bucket(&host.bucket()).next());
    at_ease.await.unwrap_or_else(|error| panic!("{error}:\n{}", host.log_tail()));
    let before = high_water_kib(host.pid());
    host.client().put("hoard", &[b"poison"]).await;
    let failed = until("the failure", LIMIT, async || {
        read_bucket(&host.bucket()).find(|object| object.key.contains("processing-failed/"))
    });
    failed.await.unwrap_or_else(|error| panic!("{error}:\n{}", host.log_tail()));
    let after = high_water_kib(host.pid());
    assert!(after <= before + CAP_KIB + MORE_KIB, "{before} KiB before, {after} KiB after");
    assert!(after > before + CAP_KIB / 2, "it did hoard: {before} KiB before, {after} KiB after");
    assert_eq!(host.terminate().await.code(), Some(0), "{}", host.log_tail());
}

/// Most memory that a process had resident so far.
fn high_water_kib(pid: u32) -> u64 {
    let status = fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("status")).expect("a process");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a line");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}
