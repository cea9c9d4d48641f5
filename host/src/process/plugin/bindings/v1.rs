//! Version 1 of the contract (`wit/v1`), by hand: what goes in is borrowed, what comes out is owned, lists of numbers
//! cross as one copy. Refuses to judge what comes out.

use wasmtime::StoreContextMut;
use wasmtime::component::{ComponentType, Lift, Linker, Lower, WasmList, WasmStr};

use crate::process::plugin::instance::Host;

/// What a plugin exports.
pub(in super::super) const TRANSFORM: &str = "hydrant:transform/transform@1.0.0";
/// What it may import.
pub(in super::super) const LOG: &str = "hydrant:transform/log@1.0.0";
/// What both are made of; holds types only.
pub(in super::super) const TYPES: &str = "hydrant:transform/types@1.0.0";

/// `types.column`, going in.
#[derive(ComponentType, Lower)]
#[component(record)]
pub(in super::super) struct ColumnIn<'a> {
    pub(in super::super) name: &'a str,
    pub(in super::super) dictionary: &'a [String],
    pub(in super::super) codes: &'a [u32],
}

/// `types.records`, going in.
#[derive(ComponentType, Lower)]
#[component(record)]
pub(in super::super) struct RecordsIn<'a> {
    pub(in super::super) payload: &'a [u8],
    pub(in super::super) ends: &'a [u32],
    pub(in super::super) columns: &'a [ColumnIn<'a>],
}

/// `types.batch`.
#[derive(ComponentType, Lower)]
#[component(record)]
pub(in super::super) struct BatchIn<'a> {
    pub(in super::super) records: RecordsIn<'a>,
    #[component(name = "arrived-ms")]
    pub(in super::super) arrived_ms: &'a [u64],
}

/// `types.context`.
#[derive(ComponentType, Lower)]
#[component(record)]
pub(in super::super) struct ContextIn<'a> {
    pub(in super::super) stream: &'a str,
    pub(in super::super) settings: &'a [(String, String)],
}

/// `types.column`, coming out.
#[derive(Debug, ComponentType, Lift)]
#[component(record)]
pub(in super::super) struct ColumnOut {
    pub(in super::super) name: String,
    pub(in super::super) dictionary: Vec<String>,
    pub(in super::super) codes: Vec<u32>,
}

/// `types.records`, coming out.
#[derive(Debug, ComponentType, Lift)]
#[component(record)]
pub(in super::super) struct RecordsOut {
    pub(in super::super) payload: Vec<u8>,
    pub(in super::super) ends: Vec<u32>,
    pub(in super::super) columns: Vec<ColumnOut>,
}

/// `types.reason`.
#[derive(Debug, ComponentType, Lift)]
#[component(record)]
pub(in super::super) struct Reason {
    pub(in super::super) input: u32,
    pub(in super::super) code: String,
    pub(in super::super) message: String,
}

/// `types.output`.
#[derive(Debug, ComponentType, Lift)]
#[component(record)]
pub(in super::super) struct Answer {
    pub(in super::super) records: RecordsOut,
    pub(in super::super) inputs: Vec<u32>,
    pub(in super::super) outcomes: Vec<u8>,
    pub(in super::super) reasons: Vec<Reason>,
}

/// Codes of `output.outcomes`.
pub(in super::super) const KEEP: u8 = 0;
pub(in super::super) const REPLACE: u8 = 1;
pub(in super::super) const DROP: u8 = 2;
pub(in super::super) const FAIL: u8 = 3;

/// `log.level`.
#[expect(dead_code, reason = "every variant is made by lifting, which the compiler does not see")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, ComponentType, Lift)]
#[component(enum)]
#[repr(u8)]
pub(in super::super) enum Level {
    #[component(name = "debug")]
    Debug,
    #[component(name = "info")]
    Info,
    #[component(name = "warn")]
    Warn,
    #[component(name = "error")]
    Error,
}

/// Parameters of `transform.configure`.
pub(in super::super) type ConfigureParameters<'a> = (ContextIn<'a>,);
/// Result of `transform.configure`.
pub(in super::super) type Configured = (Result<(), String>,);
/// Parameters of `transform.apply`.
pub(in super::super) type ApplyParameters<'a> = (BatchIn<'a>,);
/// Result of `transform.apply`.
pub(in super::super) type Applied = (Answer,);

/// Lets guests log. Both functions read the guest's memory in place and copy only what is within the limit.
pub(in super::super) fn add_log(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    let mut interface = linker.instance(LOG)?;
    interface.func_wrap("log", |mut store: StoreContextMut<'_, Host>, (level, message): (Level, WasmStr)| {
        let text = message.to_str(&store)?;
        let (line, dropped_bytes) = store.data().log.admissible(&text);
        let line = line.to_owned();
        store.data_mut().log.line(level, &line, dropped_bytes);
        Ok(())
    })?;
    interface.func_wrap("write", |mut store: StoreContextMut<'_, Host>, (err, bytes): (bool, WasmList<u8>)| {
        let all = bytes.as_le_slice(&store);
        let admitted = all[..all.len().min(store.data().log.remaining())].to_vec();
        let dropped_bytes = all.len() - admitted.len();
        store.data_mut().log.write(err, &admitted, dropped_bytes);
        Ok(())
    })
}
