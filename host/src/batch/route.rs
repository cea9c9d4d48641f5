//! Which partition each output of a batch belongs to.
//!
//! Values of keys are dictionary-coded, so a batch is told apart by codes, and texts are made once per partition.
//! Refuses to judge values: processing lets none pass that cannot stand in a key.

use std::collections::HashMap;

use super::name::EventStamps;
use crate::definition::{Definition, PartitionKey};
use crate::record::{Column, Partition, Transformed};

/// How records of one definition are told apart.
#[derive(Clone, Debug)]
pub(crate) struct Routing {
    /// Columns of the keys, in their order.
    columns: Vec<String>,
    /// Column of the records' own time, and what a prefix makes of it.
    event: Option<(String, EventStamps)>,
}

impl Routing {
    /// None without dynamic partitioning.
    pub(crate) fn new(definition: &Definition) -> Option<Self> {
        let partitioning = definition.partitioning.as_ref()?;
        let columns = partitioning.keys.iter().map(PartitionKey::column).collect();
        let event = partitioning.event_time.as_ref().map(|event| (event.key.column(), EventStamps::new(event)));
        Some(Self { columns, event })
    }

    /// Outputs of one batch by partition, in the order in which the partitions turn up.
    pub(crate) fn route(&self, transformed: &Transformed) -> Vec<(Partition, Vec<usize>)> {
        let find = |name: &String| transformed.outputs.columns().iter().find(|column| column.name == *name);
        let mut found: Vec<Option<&Column>> = self.columns.iter().map(find).collect();
        found.extend(self.event.iter().map(|(column, _)| find(column)));
        let mut known: HashMap<Vec<u32>, usize> = HashMap::new();
        // Two combinations of codes may be one partition: a dictionary may hold a value twice, and many instants are in
        // one hour.
        let mut places: HashMap<Partition, usize> = HashMap::new();
        let mut routes: Vec<(Partition, Vec<usize>)> = Vec::new();
        let mut codes = Vec::with_capacity(found.len());
        for at in 0..transformed.outputs.len() {
            codes.clear();
            codes.extend(found.iter().map(|column| column.map_or(0, |column| column.codes[at])));
            let place = match known.get(&codes) {
                Some(&place) => place,
                None => {
                    let partition = Partition::Keyed(self.values(&found, &codes));
                    let place = *places.entry(partition).or_insert_with_key(|partition| {
                        routes.push((partition.clone(), Vec::new()));
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

    /// Values of the keys, then what the prefix's timestamps print, where they are the record's own.
    fn values(&self, found: &[Option<&Column>], codes: &[u32]) -> Vec<String> {
        let value = |(column, &code): (&Option<&Column>, &u32)| {
            let at = (code as usize).checked_sub(1)?;
            column.and_then(|column| column.dictionary.get(at)).cloned()
        };
        let mut values: Vec<String> = found.iter().zip(codes).map(|pair| value(pair).unwrap_or_default()).collect();
        if let Some((_, stamps)) = &self.event {
            let instant = values.pop().unwrap_or_default();
            values.extend(stamps.print(&instant));
        }
        values
    }
}
