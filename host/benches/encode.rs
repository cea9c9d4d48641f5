//! What does compression cost, and which level is the cheapest within 5 % of `gzip -6`?
//!
//! For each kind of data: every format the encoder writes, then every level of the library behind GZIP, beside
//! zlib-rs at level 6, whose output differs from `gzip -6` by less than 1 %. One thread; the median of the rounds.
//! Run with `cargo bench -p hydrant --bench encode`, a number of MiB behind `--` for another size.

#![expect(clippy::print_stdout, reason = "a bench prints its table")]

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use hydrant::definition::{Compression, Definition, S3Destination, testing};
use hydrant::encode::encode;
use hydrant::record::{Content, Partition, Seal, Sealed, StreamId};
use hydrant::runtime::Random;
use uuid::Uuid;

const ROUNDS: usize = 3;

/// Bytes of a record of workload W1.
const RECORD_BYTES: f64 = 256.0;

/// Levels of libdeflate that are worth a look.
const LEVELS: [i32; 7] = [1, 2, 3, 4, 5, 6, 7];

const FORMATS: [Compression; 5] =
    [Compression::Uncompressed, Compression::Gzip, Compression::Zip, Compression::Snappy, Compression::HadoopSnappy];

fn main() {
    let size_mib: usize = std::env::args().filter_map(|argument| argument.parse().ok()).next().unwrap_or(16);
    println!("{size_mib} MiB, medians of {ROUNDS} rounds, MB/s of input on one thread");
    for (name, generate) in [("JSON logs", log as fn(&Random, u64) -> String), ("orders", order), ("text", text)] {
        let payload = corpus(generate, size_mib << 20);
        println!("\n{name:<28}{:>8}{:>10}{:>14}", "MB/s", "ratio", "of gzip -6");
        let reference = measure(&payload, |payload| {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(6));
            std::io::Write::write_all(&mut encoder, &payload).unwrap_or_default();
            encoder.finish().map_or(0, |body| body.len())
        });
        row("zlib-rs -6", &payload, reference, reference.1);
        for level in LEVELS {
            let mut compressor =
                libdeflater::Compressor::new(libdeflater::CompressionLvl::new(level).unwrap_or_default());
            let measured = measure(&payload, |payload| {
                let mut body = vec![0; compressor.gzip_compress_bound(payload.len())];
                compressor.gzip_compress(&payload, &mut body).unwrap_or(0)
            });
            row(&format!("libdeflate -{level}"), &payload, measured, reference.1);
        }
        for format in FORMATS {
            let definition = definition(format);
            let measured = measure(&payload, |payload| {
                let sealed = Sealed { seal: Arc::clone(&seal()), content: Content::Records(payload) };
                encode(sealed, &definition).map_or(0, |object| object.body.len())
            });
            row(&format!("encode {format:?}"), &payload, measured, reference.1);
            if name == "JSON logs" && format == Compression::Gzip {
                let nanoseconds = measured.0 * 1e9 / (payload.len() as f64 / RECORD_BYTES);
                println!(r#"{{"stage":"encode","nanoseconds_per_record":{nanoseconds:.1}}}"#);
            }
        }
    }
}

/// Median seconds of a round, and bytes written. Each round gets a copy of its own, made outside the measurement.
fn measure(payload: &[u8], mut compress: impl FnMut(Vec<u8>) -> usize) -> (f64, usize) {
    let mut rounds: Vec<(f64, usize)> = (0..ROUNDS)
        .map(|_| {
            let copy = payload.to_vec();
            let start = Instant::now();
            let length = black_box(compress(black_box(copy)));
            (start.elapsed().as_secs_f64(), length)
        })
        .collect();
    rounds.sort_by(|left, right| left.0.total_cmp(&right.0));
    rounds[ROUNDS / 2]
}

#[expect(clippy::cast_precision_loss, reason = "figures for reading")]
fn row(name: &str, payload: &[u8], (seconds, length): (f64, usize), reference: usize) {
    let speed = payload.len() as f64 / 1e6 / seconds;
    let ratio = payload.len() as f64 / length as f64;
    let share = length as f64 / reference as f64 * 100.0;
    println!("{name:<28}{speed:>8.0}{ratio:>10.2}{share:>12.1} %");
}

fn corpus(generate: fn(&Random, u64) -> String, size: usize) -> Vec<u8> {
    let random = Random::seeded(42);
    let mut payload = String::with_capacity(size + 4096);
    let mut at = 0;
    while payload.len() < size {
        payload += &generate(&random, at);
        at += 1;
    }
    payload.into_bytes()
}

fn pick<'a>(random: &Random, among: &[&'a str]) -> &'a str {
    among[usize::try_from(random.up_to(among.len() as u64 - 1)).unwrap_or(0)]
}

/// A record of 256 bytes, as in the figures of the design.
fn log(random: &Random, at: u64) -> String {
    let mut line = format!(
        "{{\"ts\":\"2026-01-02T03:{:02}:{:02}.{:03}Z\",\"level\":\"{}\",\"service\":\"{}\",\"host\":\"ip-10-0-{}-{}\",\
         \"trace\":\"{:016x}\",\"path\":\"/api/v1/{}/{}\",\"status\":{},\"bytes\":{},\"ms\":{}.{},\"message\":\"",
        at / 60_000 % 60,
        at / 1000 % 60,
        at % 1000,
        pick(random, &["INFO", "INFO", "INFO", "WARN", "ERROR"]),
        pick(random, &["cart", "checkout", "search", "billing", "identity"]),
        random.up_to(7),
        random.up_to(255),
        random.next_u64(),
        pick(random, &["orders", "customers", "items", "sessions"]),
        random.up_to(99_999),
        pick(random, &["200", "200", "200", "201", "304", "404", "500"]),
        random.up_to(65_535),
        random.up_to(900),
        random.up_to(9),
    );
    while line.len() < 253 {
        line += pick(random, &MESSAGES);
        line.push(' ');
    }
    line.truncate(253);
    line + "\"}\n"
}

/// An order of an online shop.
fn order(random: &Random, at: u64) -> String {
    format!(
        "{{\"invoice\":\"{}\",\"stockCode\":\"{}{}\",\"description\":\"{} {} {}\",\"quantity\":{},\
         \"date\":\"2010-12-{:02}T{:02}:{:02}:00\",\"unitPrice\":{}.{:02},\"customer\":\"{}\",\"country\":\"{}\"}}\n",
        536_365 + at / 7,
        20_000 + random.up_to(4000),
        pick(random, &["", "", "A", "B", "L"]),
        pick(random, &["WHITE", "RED", "JUMBO", "VINTAGE", "SET OF 6"]),
        pick(random, &["HANGING", "WOOLLY", "METAL", "RETROSPOT", "GLASS"]),
        pick(random, &["T-LIGHT HOLDER", "LANTERN", "HOT WATER BOTTLE", "BAG", "CAKE STAND"]),
        random.up_to(48),
        at / 5000 % 28 + 1,
        at / 200 % 24,
        at / 4 % 60,
        random.up_to(20),
        random.up_to(99),
        12_346 + random.up_to(5000),
        pick(random, &["United Kingdom", "United Kingdom", "France", "Germany", "EIRE", "Spain"]),
    )
}

/// Sentences whose words are as unevenly frequent as in a language: the rank is log-uniform.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "ranks are small"
)]
fn text(random: &Random, _: u64) -> String {
    let mut sentence = String::new();
    for _ in 0..8 + random.up_to(12) {
        let rank = VOCABULARY.powf(random.up_to(1 << 30) as f64 / f64::from(1 << 30)) as u64;
        word(rank, &mut sentence);
        sentence.push(' ');
    }
    sentence.pop();
    sentence + ".\n"
}

/// Words of the language that [`text`] is written in.
const VOCABULARY: f64 = 20_000.0;

/// The word of a rank: frequent ones are short.
fn word(rank: u64, out: &mut String) {
    const SYLLABLES: [&str; 24] = [
        "the", "of", "to", "in", "re", "con", "er", "ing", "ti", "on", "at", "es", "al", "or", "an", "de", "ma", "lo",
        "ka", "su", "ve", "pri", "st", "ment",
    ];
    let mut rest = rank.wrapping_mul(2_654_435_761) % 1_000_000_007;
    for _ in 0..=rank.ilog2() / 4 {
        out.push_str(SYLLABLES[usize::try_from(rest % 24).unwrap_or(0)]);
        rest /= 24;
    }
}

/// Words of a log message.
const MESSAGES: [&str; 12] = [
    "request",
    "connection",
    "timeout",
    "upstream",
    "received",
    "payment",
    "declined",
    "retrying",
    "completed",
    "after",
    "from",
    "customer",
];

fn seal() -> Arc<Seal> {
    Arc::new(Seal {
        id: Uuid::from_u128(0x0123_4567_89ab_4def_8123_4567_89ab_cdef),
        stream: StreamId(1),
        partition: Partition::Main,
        first: 0,
        end: 1,
        open_from: 1,
        definition_version: 1,
        bucket: "lake".to_owned(),
        key: "key".to_owned(),
        record_count: 1,
        content_bytes: 1,
        oldest_arrived_ms: 0,
        sealed_ms: 0,
    })
}

fn definition(compression: Compression) -> Definition {
    Definition { s3: S3Destination { compression, ..testing::s3() }, ..testing::definition("bench") }
}
