//! The component's side of the boundary, present in WebAssembly only: moves columns in and out, copies none.

#[expect(missing_docs, reason = "generated from the WIT file, which has the docs")]
pub mod bindings {
    wit_bindgen::generate!({
        path: "wit",
        world: "plugin",
        pub_export_macro: true,
        default_bindings_module: "hydrant_plugin::component::bindings",
    });
}

use std::cell::RefCell;
use std::thread::LocalKey;

use bindings::exports::hydrant::transform::transform as world;
use bindings::hydrant::transform::{log as host, types};

use crate::batch::{self, Input};
use crate::{Context, Level, Plugin};

pub use bindings::exports::hydrant::transform::transform::Guest;
pub use types::{Batch, Context as RawContext, Output};

/// The configured plugin of an instance.
pub type Slot<P> = RefCell<Option<(P, Context)>>;

/// What a component's exports do.
#[doc(hidden)]
#[macro_export]
macro_rules! __component {
    ($plugin:ty) => {
        #[allow(unsafe_code, reason = "the component ABI's exports, generated")]
        const _: () = {
            struct Exported;
            ::std::thread_local! {
                static SLOT: $crate::component::Slot<$plugin> = const { ::std::cell::RefCell::new(None) };
            }
            impl $crate::component::Guest for Exported {
                fn configure(context: $crate::component::RawContext) -> Result<(), ::std::string::String> {
                    $crate::component::configure(&SLOT, context)
                }
                fn apply(batch: $crate::component::Batch) -> $crate::component::Output {
                    $crate::component::apply(&SLOT, batch)
                }
            }
    $crate::component::bindings::export!(Exported with_types_in $crate::component::bindings);
        };
    };
}

/// Makes the plugin of this instance.
pub fn configure<P: Plugin>(slot: &'static LocalKey<Slot<P>>, context: RawContext) -> Result<(), String> {
    // An abort says nothing by itself; the host turns it into a trap without a message.
    std::panic::set_hook(Box::new(|panic| crate::error!("{panic}")));
    let context = Context::from_parts(context.stream, context.settings);
    let plugin = P::configure(&context)?;
    slot.set(Some((plugin, context)));
    Ok(())
}

/// Transforms one batch.
pub fn apply<P: Plugin>(slot: &'static LocalKey<Slot<P>>, batch: Batch) -> Output {
    slot.with_borrow_mut(|slot| {
        let Some((plugin, context)) = slot else {
            // The host configures before it applies; outcomes that are missing are refused there.
            crate::error!("apply was called before configure");
            let records = types::Records { payload: Vec::new(), ends: Vec::new(), columns: Vec::new() };
            return Output { records, inputs: Vec::new(), outcomes: Vec::new(), reasons: Vec::new() };
        };
        let columns = batch.records.columns.into_iter().map(|column| (column.name, column.dictionary, column.codes));
        let input = Input {
            payload: batch.records.payload,
            ends: batch.records.ends,
            arrived_ms: batch.arrived_ms,
            columns: columns.collect(),
        };
        let mut output = batch::run(&input, context, |batch| plugin.transform_batch(batch));
        let columns = output.finish_columns().into_iter();
        let columns = columns.map(|(name, dictionary, codes)| types::Column { name, dictionary, codes }).collect();
        let reasons = output.reasons.into_iter();
        let reasons = reasons.map(|of| types::Reason { input: of.input, code: of.code, message: of.reason }).collect();
        Output {
            records: types::Records { payload: output.payload, ends: output.ends, columns },
            inputs: output.inputs,
            outcomes: output.outcomes,
            reasons,
        }
    })
}

/// Writes a line to the host's log.
pub(crate) fn log(level: Level, line: &str) {
    let level = match level {
        Level::Debug => host::Level::Debug,
        Level::Info => host::Level::Info,
        Level::Warn => host::Level::Warn,
        Level::Error => host::Level::Error,
    };
    host::log(level, line);
}

// `world` names the export's module once, so that a change of the WIT's name fails here and not in every plugin.
const _: fn(world::Batch) -> Batch = |batch| batch;
