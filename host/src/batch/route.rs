//! Which partition each output of a batch belongs to.
//!
//! Values of keys are dictionary-coded, so a batch is told apart by codes, and texts are made once per partition.
//! Refuses to judge values: processing lets none pass that cannot stand in a key.

use std::collections::HashMap;

use crate::record::{Column, Partition, Transformed};

/// Outputs of one batch by partition, in the order in which the partitions turn up.
pub(crate) fn route(transformed: &Transformed, columns: &[String]) -> Vec<(Partition, Vec<usize>)> {
    let found: Vec<Option<&Column>> =
        columns.iter().map(|name| transformed.outputs.columns().iter().find(|column| column.name == *name)).collect();
    let mut known: HashMap<Vec<u32>, usize> = HashMap::new();
    let mut routes: Vec<(Partition, Vec<usize>)> = Vec::new();
    let mut codes = Vec::with_capacity(columns.len());
    for at in 0..transformed.outputs.len() {
        codes.clear();
        codes.extend(found.iter().map(|column| column.map_or(0, |column| column.codes[at])));
        let place = match known.get(&codes) {
            Some(&place) => place,
            None => {
                let partition = Partition::Keyed(values(&found, &codes));
                // A dictionary may hold a value twice.
                let place = routes.iter().position(|(known, _)| *known == partition).unwrap_or_else(|| {
                    routes.push((partition, Vec::new()));
                    routes.len() - 1
                });
                known.insert(codes.clone(), place);
                place
            }
        };
        routes[place].1.push(at);
    }
    routes
}

fn values(columns: &[Option<&Column>], codes: &[u32]) -> Vec<String> {
    let value = |column: &Option<&Column>, code: u32| {
        let at = (code as usize).checked_sub(1)?;
        column.and_then(|column| column.dictionary.get(at)).cloned()
    };
    columns.iter().zip(codes).map(|(column, &code)| value(column, code).unwrap_or_default()).collect()
}
