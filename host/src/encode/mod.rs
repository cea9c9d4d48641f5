//! Turns a sealed batch into the bytes of an object: compression and the error output's envelope.
//!
//! Pure: the same batch gives the same bytes, on every machine and after every crash. It refuses to name objects, to
//! read a clock, and to change what a record holds; a batch is compressed whole, so that an object is one stream.
//!
//! Which level: the cheapest of libdeflate whose output is within 5 % of `gzip -6` on each of three kinds of data.
//! That is 5: at 4, logs and orders are larger by more. 64 MiB each, one core of a two-core virtual machine, size in
//! per cent of `gzip -6`; `cargo bench -p hydrant --bench encode` prints it anew:
//!
//! | | JSON logs | orders | text |
//! |---|---|---|---|
//! | gzip -6 (zlib-rs) | 72 MB/s, ratio 5.86 | 111 MB/s, 9.13 | 36 MB/s, 2.90 |
//! | libdeflate -1 | 334 MB/s, 121.6 % | 440 MB/s, 120.0 % | 238 MB/s, 108.8 % |
//! | libdeflate -3 | 214 MB/s, 112.7 % | 321 MB/s, 113.4 % | 87 MB/s, 104.9 % |
//! | libdeflate -4 | 179 MB/s, 107.3 % | 207 MB/s, 106.2 % | 74 MB/s, 104.0 % |
//! | **libdeflate -5: GZIP** | **160 MB/s, 101.8 %** | **199 MB/s, 97.8 %** | **62 MB/s, 103.8 %** |
//! | libdeflate -6 | 111 MB/s, 96.0 % | 125 MB/s, 93.0 % | 41 MB/s, 102.3 % |
//! | zlib-rs -5: ZIP | 113 MB/s, 102.3 % | 170 MB/s, 101.4 % | 51 MB/s, 101.2 % |
//! | Snappy, HADOOP_SNAPPY | 735 MB/s, 185 % | 868 MB/s, 196 % | 356 MB/s, 171 % |

mod envelope;
mod gzip;
mod levels;
mod object;
mod orc;
mod parquet;
mod snappy;
mod zip;

pub use object::{EncodeError, encode, packed_bytes};
