//! What is counted of the places that streams deliver to, and whether a stream is held because they fail.
//!
//! A place is shown once it failed, the destination always. Refuses to show anything of a stream that was deleted.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::StreamLabel;

/// A place that a stream delivers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Where its own records go.
    Destination,
    /// The bucket of its error output, where that is not the destination.
    Backup,
    /// The bucket of records as they came.
    Source,
}

impl Place {
    /// Every place.
    pub const ALL: [Self; 3] = [Self::Destination, Self::Backup, Self::Source];

    /// Its name in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Destination => "destination",
            Self::Backup => "backup",
            Self::Source => "source-backup",
        }
    }
}

/// How a stream's deliveries fare.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeliveryState {
    /// Nothing fails several times in a row.
    #[default]
    Delivering,
    /// A place takes nothing; what it does not take in time has somewhere else to go.
    Retrying,
    /// What must be stored last cannot be stored: the stream holds, and the journal keeps what comes.
    Held,
}

impl DeliveryState {
    const ALL: [Self; 3] = [Self::Delivering, Self::Retrying, Self::Held];

    /// Its name in answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Delivering => "delivering",
            Self::Retrying => "retrying",
            Self::Held => "held",
        }
    }
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct PlaceLabel {
    account: String,
    stream: String,
    place: &'static str,
}

/// Of all streams.
#[derive(Clone, Debug, Default)]
pub(super) struct Gates {
    open: Family<PlaceLabel, Gauge<i64>>,
    held: Family<StreamLabel, Gauge<i64>>,
}

/// One stream's deliveries.
#[derive(Clone, Debug, Default)]
pub struct StreamGates {
    families: Gates,
    stream: StreamLabel,
    shown: Arc<Shown>,
}

#[derive(Debug, Default)]
struct Shown {
    /// Index in [`DeliveryState::ALL`].
    state: AtomicU8,
    forgotten: Mutex<bool>,
}

/// One place of one stream.
#[derive(Clone, Debug)]
pub struct GateMetrics {
    stream: StreamGates,
    place: Place,
}

impl Default for GateMetrics {
    fn default() -> Self {
        StreamGates::default().of(Place::Destination)
    }
}

impl Gates {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let gates = Self::default();
        let help = "1 while a place takes nothing and is asked by one delivery at a time";
        registry.register("deliver_breaker_open", help, gates.open.clone());
        let help = "1 while what a stream must store last cannot be stored: it holds and loses nothing";
        registry.register("deliver_held", help, gates.held.clone());
        gates
    }

    pub(super) fn of(&self, stream: StreamLabel) -> StreamGates {
        let gates = StreamGates { families: self.clone(), stream, shown: Arc::default() };
        gates.of(Place::Destination).open(false);
        gates.show(DeliveryState::Delivering);
        gates
    }

    /// Forgets a deleted stream.
    pub(super) fn forget(&self, stream: &StreamLabel) {
        self.held.remove(stream);
        for place in Place::ALL {
            let StreamLabel { account, stream } = stream.clone();
            self.open.remove(&PlaceLabel { account, stream, place: place.as_str() });
        }
    }
}

impl StreamGates {
    /// The gauge of one place.
    pub fn of(&self, place: Place) -> GateMetrics {
        GateMetrics { stream: self.clone(), place }
    }

    /// How deliveries fare, as was said last.
    pub fn state(&self) -> DeliveryState {
        DeliveryState::ALL[usize::from(self.shown.state.load(Ordering::Relaxed))]
    }

    /// Says how deliveries fare.
    pub fn show(&self, state: DeliveryState) {
        self.shown.state.store(state as u8, Ordering::Relaxed);
        let held = i64::from(state == DeliveryState::Held);
        self.unless_forgotten(|| self.families.held.get_or_create_owned(&self.stream).set(held));
    }

    /// The stream is deleted.
    pub fn forget(&self) {
        *self.shown.forgotten.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.families.forget(&self.stream);
    }

    fn unless_forgotten<T>(&self, show: impl FnOnce() -> T) {
        if !*self.shown.forgotten.lock().unwrap_or_else(PoisonError::into_inner) {
            show();
        }
    }

    fn label(&self, place: Place) -> PlaceLabel {
        let StreamLabel { account, stream } = self.stream.clone();
        PlaceLabel { account, stream, place: place.as_str() }
    }
}

impl GateMetrics {
    /// Whether one delivery at a time asks.
    pub fn open(&self, is_open: bool) {
        let label = self.stream.label(self.place);
        self.stream.unless_forgotten(|| self.stream.families.open.get_or_create_owned(&label).set(i64::from(is_open)));
    }
}

#[cfg(test)]
mod tests {
    use super::super::Telemetry;
    use super::*;

    #[test]
    fn places_are_shown_once_they_fail_and_a_deleted_stream_never_again() {
        let telemetry = Telemetry::new();
        let stream = telemetry.stream("000000000000", "orders");
        let labels = r#"account="000000000000",stream="orders""#;
        let has = |line: String| {
            let text = telemetry.render();
            assert!(text.contains(&line), "{line} in:\n{text}");
        };
        has(format!("hydrant_deliver_breaker_open{{{labels},place=\"destination\"}} 0"));
        has(format!("hydrant_deliver_held{{{labels}}} 0"));
        assert!(!telemetry.render().contains("backup"));
        stream.gates.of(Place::Backup).open(true);
        stream.gates.show(DeliveryState::Held);
        has(format!("hydrant_deliver_breaker_open{{{labels},place=\"backup\"}} 1"));
        has(format!("hydrant_deliver_held{{{labels}}} 1"));
        assert_eq!(stream.gates.state(), DeliveryState::Held);
        stream.gates.forget();
        stream.gates.of(Place::Source).open(true);
        stream.gates.show(DeliveryState::Held);
        telemetry.forget_stream("000000000000", "orders");
        assert!(!telemetry.render().contains("orders"));
    }
}
