//! A file: magic, stripes, footer, postscript.
//!
//! Refuses to hold more than one stripe in columns.

use super::chunk::{self, BLOCK_BYTES};
use super::message::Message;
use super::statistics::Statistics;
use super::stripe::{self, Stripe};
use crate::convert::{Field, Plan, Table, Type};
use crate::definition::{OrcCompression, OrcSettings};
use crate::encode::EncodeError;

/// Bytes of values in one stripe, whatever `StripeSizeBytes` says: a stripe is in memory before it is written. 64 MiB
/// is Firehose's default.
const MOST_STRIPE_BYTES: u64 = 64 << 20;

const MAGIC: &[u8] = b"ORC";

/// Says to readers which repairs of the reference writer a file has: those up to its sixth, "ORC-135".
const WRITER_VERSION: u64 = 6;

/// Writes checked records that lie end to end as one ORC file.
pub(in crate::encode) fn file(payload: Vec<u8>, plan: &Plan, settings: &OrcSettings) -> Result<Vec<u8>, EncodeError> {
    let fields = plan.schema.columns();
    let most_bytes = settings.stripe_bytes.min(MOST_STRIPE_BYTES);
    let most = usize::try_from(most_bytes).unwrap_or(usize::MAX);
    let mut body = MAGIC.to_vec();
    let mut written = Written::default();
    let mut rows = plan.reader.rows(&payload).map_err(EncodeError::Unchecked)?;
    loop {
        let mut table = Table::new(&plan.schema);
        let has_more = rows.fill(&mut table, most).map_err(EncodeError::Unchecked)?;
        if table.row_count > 0 {
            let row_count = table.row_count as u64;
            let stripe = stripe::write(table, fields, settings);
            if settings.is_padded {
                pad(&mut body, settings, most_bytes);
            }
            written.add(body.len() as u64, row_count, &stripe);
            for part in [stripe.index, stripe.data, stripe.footer] {
                body.extend_from_slice(&part);
            }
        }
        if !has_more {
            break;
        }
    }
    drop(payload);
    tail(&mut body, fields, written, settings);
    body.shrink_to_fit();
    Ok(body)
}

/// Fills the rest of a block with zeros where it is less than is tolerated for a stripe, so that the stripe begins with the
/// next one.
fn pad(body: &mut Vec<u8>, settings: &OrcSettings, stripe_bytes: u64) {
    let block_bytes = settings.block_bytes.max(1);
    let left = block_bytes - body.len() as u64 % block_bytes;
    if left < block_bytes && (left as f64) < settings.padding_tolerance * stripe_bytes as f64 {
        // Less than a stripe.
        body.resize(body.len() + usize::try_from(left).unwrap_or(0), 0);
    }
}

/// What the end of a file says of its stripes.
#[derive(Default)]
struct Written {
    stripes: Vec<Message>,
    /// Of each stripe.
    statistics: Message,
    /// Of all of them, by column.
    totals: Vec<Statistics>,
    row_count: u64,
}

impl Written {
    fn add(&mut self, at: u64, row_count: u64, stripe: &Stripe) {
        let Stripe { index, data, footer, statistics } = stripe;
        self.stripes.push(
            Message::default()
                .number(1, at)
                .number(2, index.len() as u64)
                .number(3, data.len() as u64)
                .number(4, footer.len() as u64)
                .number(5, row_count),
        );
        self.row_count += row_count;
        let columns = statistics.iter().fold(Message::default(), |all, column| all.message(1, column.message()));
        self.statistics = std::mem::take(&mut self.statistics).message(1, columns);
        self.totals.resize(statistics.len(), Statistics::default());
        for (total, column) in self.totals.iter_mut().zip(statistics) {
            total.add(column.clone());
        }
    }
}

fn tail(body: &mut Vec<u8>, fields: &[Field], written: Written, settings: &OrcSettings) {
    let content_bytes = body.len() - MAGIC.len();
    let metadata_bytes = chunk::append(&written.statistics.into_bytes(), settings.compression, body).length;
    let mut footer = Message::default().number(1, MAGIC.len() as u64).number(2, content_bytes as u64);
    for stripe in written.stripes {
        footer = footer.message(3, stripe);
    }
    for kind in types(fields) {
        footer = footer.message(4, kind);
    }
    footer = footer.number(6, written.row_count);
    for total in written.totals {
        footer = footer.message(7, total.message());
    }
    footer = footer.number(8, settings.row_index_stride);
    let footer_bytes = chunk::append(&footer.into_bytes(), settings.compression, body).length;
    let postscript = Message::default()
        .number(1, footer_bytes as u64)
        .number(
            2,
            match settings.compression {
                OrcCompression::None => 0,
                OrcCompression::Zlib => 1,
                OrcCompression::Snappy => 2,
            },
        )
        .number(3, BLOCK_BYTES as u64)
        // Values are written as both versions have them.
        .packed(4, [0, if settings.is_v0_11 { 11 } else { 12 }])
        .number(5, metadata_bytes as u64)
        .number(6, WRITER_VERSION)
        .bytes(8000, MAGIC)
        .into_bytes();
    body.extend_from_slice(&postscript);
    // Some thirty bytes.
    body.push(u8::try_from(postscript.len()).unwrap_or(u8::MAX));
}

/// Every type, the root first, each before what is nested in it.
fn types(fields: &[Field]) -> Vec<Message> {
    let mut all = Vec::new();
    structure(fields, &mut all);
    all
}

fn structure(fields: &[Field], all: &mut Vec<Message>) {
    let own = all.len();
    all.push(Message::default());
    let ids: Vec<u64> = fields.iter().map(|field| add(&field.kind, all)).collect();
    let mut message = Message::default().number(1, 12).packed(2, ids);
    for field in fields {
        message = message.bytes(3, field.name.as_bytes());
    }
    all[own] = message;
}

/// Adds a type and what is nested in it; its number.
fn add(kind: &Type, all: &mut Vec<Message>) -> u64 {
    let own = all.len();
    let plain = |number| Message::default().number(1, number);
    let message = match kind {
        Type::Struct(fields) => {
            structure(fields, all);
            return own as u64;
        }
        Type::Array(item) => {
            all.push(Message::default());
            let item = add(item, all);
            all[own] = plain(10).packed(2, [item]);
            return own as u64;
        }
        Type::Map(key, value) => {
            all.push(Message::default());
            let ids = [add(key, all), add(value, all)];
            all[own] = plain(11).packed(2, ids);
            return own as u64;
        }
        Type::Boolean => plain(0),
        Type::TinyInt => plain(1),
        Type::SmallInt => plain(2),
        Type::Int => plain(3),
        Type::BigInt => plain(4),
        Type::Float => plain(5),
        Type::Double => plain(6),
        Type::String => plain(7),
        Type::Binary => plain(8),
        Type::Timestamp => plain(9),
        Type::Decimal { precision, scale } => plain(14).number(5, u64::from(*precision)).number(6, u64::from(*scale)),
        Type::Date => plain(15),
        Type::Varchar(length) => plain(16).number(4, u64::from(*length)),
        Type::Char(length) => plain(17).number(4, u64::from(*length)),
    };
    all.push(message);
    own as u64
}
