//! For the bench alone: what building bodies and reading answers cost, without a network between.

use super::answer;
use super::bulk::{self, Builder, Shape};
use super::destination::Limits;
use crate::definition::OpenSearch;
use crate::deliver::Receipt;
use crate::record::Rows;

/// Builds every request of `rows`, has each answered, and reads the answers: requests and records that were not stored.
///
/// # Errors
/// The first answer that does not fit, in words.
pub fn build_and_read(
    definition: &OpenSearch,
    rows: &Rows,
    mut answered: impl FnMut(&[u8]) -> Vec<u8>,
) -> Result<(usize, usize), String> {
    let shape = Shape::new(definition, "arn:aws:firehose:us-east-1:000000000000:deliverystream/bench", 1);
    let limits = Limits::default();
    let mut builder = Builder::new(&shape, rows);
    let mut receipt = Receipt::default();
    let mut requests = 0;
    while let Some(bulk) = builder.bulk(limits.request_bytes, limits.request_documents) {
        let answer = answered(&bulk.body);
        answer::read(&answer, &bulk.items, |item| bulk::id(&shape, rows, item), &mut receipt)
            .map_err(|error| error.to_string())?;
        requests += 1;
    }
    Ok((requests, receipt.again.len() + receipt.refused.len() + builder.refused.len()))
}
