//! A file: magic, stripes, footer, postscript.
//!
//! Refuses to put stripes on block boundaries: there are no blocks in S3.

use super::chunk::{self, BLOCK_BYTES};
use super::message::Message;
use super::stripe;
use crate::convert::{Field, Plan, Table, Type};
use crate::definition::OrcCompression;
use crate::encode::EncodeError;

/// Settings of the serializer.
#[derive(Clone, Copy, Debug)]
pub(in crate::encode) struct Settings {
    pub(in crate::encode) stripe_bytes: u64,
    pub(in crate::encode) compression: OrcCompression,
}

/// Bytes of values in one stripe, whatever `StripeSizeBytes` says: a stripe is in memory before it is written. 64 MiB
/// is Firehose's default.
const MOST_STRIPE_BYTES: u64 = 64 << 20;

const MAGIC: &[u8] = b"ORC";

/// Says to readers which repairs of the reference writer a file has: those up to its sixth, "ORC-135".
const WRITER_VERSION: u64 = 6;

/// Writes checked records that lie end to end as one ORC file.
pub(in crate::encode) fn file(payload: Vec<u8>, plan: &Plan, settings: Settings) -> Result<Vec<u8>, EncodeError> {
    let fields = plan.schema.columns();
    let most = usize::try_from(settings.stripe_bytes.min(MOST_STRIPE_BYTES)).unwrap_or(usize::MAX);
    let mut body = MAGIC.to_vec();
    let mut stripes = Vec::new();
    let mut totals: Vec<(u64, bool)> = Vec::new();
    let mut row_count = 0;
    let mut rows = plan.reader.rows(&payload).map_err(EncodeError::Unchecked)?;
    loop {
        let mut table = Table::new(&plan.schema);
        let has_more = rows.fill(&mut table, most).map_err(EncodeError::Unchecked)?;
        if table.row_count > 0 {
            let count = table.row_count as u64;
            let stripe = stripe::write(table, fields, settings.compression);
            stripes.push(
                Message::default()
                    .number(1, body.len() as u64)
                    .number(2, 0)
                    .number(3, (stripe.bytes.len() - stripe.footer_bytes) as u64)
                    .number(4, stripe.footer_bytes as u64)
                    .number(5, count),
            );
            body.extend_from_slice(&stripe.bytes);
            row_count += count;
            totals.resize(stripe.counts.len(), (0, false));
            for (total, (count, has_null)) in totals.iter_mut().zip(stripe.counts) {
                *total = (total.0 + count, total.1 | has_null);
            }
        }
        if !has_more {
            break;
        }
    }
    drop(payload);
    tail(&mut body, fields, stripes, &totals, row_count, settings.compression);
    body.shrink_to_fit();
    Ok(body)
}

fn tail(
    body: &mut Vec<u8>,
    fields: &[Field],
    stripes: Vec<Message>,
    totals: &[(u64, bool)],
    row_count: u64,
    compression: OrcCompression,
) {
    let content_bytes = body.len() - MAGIC.len();
    let mut footer = Message::default().number(1, MAGIC.len() as u64).number(2, content_bytes as u64);
    for stripe in stripes {
        footer = footer.bytes(3, &stripe.into_bytes());
    }
    for kind in types(fields) {
        footer = footer.bytes(4, &kind.into_bytes());
    }
    footer = footer.number(6, row_count);
    for (count, has_null) in totals {
        let statistics = Message::default().number(1, *count).number(10, u64::from(*has_null));
        footer = footer.bytes(7, &statistics.into_bytes());
    }
    // No row has an index.
    footer = footer.number(8, 0);
    let before = body.len();
    chunk::append(&footer.into_bytes(), compression, body);
    let postscript = Message::default()
        .number(1, (body.len() - before) as u64)
        .number(
            2,
            match compression {
                OrcCompression::None => 0,
                OrcCompression::Zlib => 1,
                OrcCompression::Snappy => 2,
            },
        )
        .number(3, BLOCK_BYTES as u64)
        .packed(4, [0, 12])
        .number(5, 0)
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
