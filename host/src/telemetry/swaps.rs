//! What a change of versions costs a stream.
//!
//! One label with two words, whatever streams and plugins there are. Refuses to add the two up: during one of them the
//! stream's calls stand still, during the other they go on.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// Label of one part of a change.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct PartLabel {
    part: &'static str,
}

/// What is observed at each change of versions in a stream.
#[derive(Clone, Debug)]
pub struct SwapMetrics {
    /// The pause, seconds: the stream has records to read and begins no call with them, because what rules from there on
    /// is being made ready.
    pub pause: Histogram,
    /// Seconds until the object of the versions before is sealed. Calls go on meanwhile; what they make waits.
    pub cut: Histogram,
}

impl Default for SwapMetrics {
    fn default() -> Self {
        Self { pause: histogram(), cut: histogram() }
    }
}

pub(super) fn register(registry: &mut Registry) -> SwapMetrics {
    let family: Family<PartLabel, Histogram, fn() -> Histogram> = Family::new_with_constructor(histogram);
    let help = "Time that a change of versions takes of a stream: the pause of its calls, the cut of its object";
    registry.register("plugin_swap_seconds", help, family.clone());
    let part = |part| family.get_or_create_owned(&PartLabel { part });
    SwapMetrics { pause: part("pause"), cut: part("cut") }
}

fn histogram() -> Histogram {
    Histogram::new(BUCKETS_MS.map(|milliseconds| milliseconds / 1_000.0))
}

/// Fine around the millisecond that a pause may take, and up to the seconds of a compiler.
const BUCKETS_MS: [f64; 22] = [
    0.025, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 7.5, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0,
    1_000.0, 10_000.0,
];
