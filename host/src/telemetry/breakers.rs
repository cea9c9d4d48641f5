//! What is counted of the breakers of streams' plugins.
//!
//! A stream has one plugin at a time, so it has one set of labels at a time: those of a plugin that it no longer names
//! are forgotten. Refuses to show anything of a stream that was deleted.

use std::sync::{Arc, Mutex, PoisonError};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::StreamLabel;
use crate::record::StandIn;

/// Label of a breaker.
#[derive(Clone, Debug, Default, Hash, PartialEq, Eq, EncodeLabelSet)]
struct BreakerLabel {
    account: String,
    stream: String,
    plugin: String,
}

/// Label of what was done in place of a plugin.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct StandInLabel {
    account: String,
    stream: String,
    plugin: String,
    policy: &'static str,
}

impl BreakerLabel {
    fn under(&self, policy: StandIn) -> StandInLabel {
        let Self { account, stream, plugin } = self.clone();
        StandInLabel { account, stream, plugin, policy: policy.as_str() }
    }
}

/// The breakers of all streams.
#[derive(Clone, Debug, Default)]
pub(super) struct Breakers {
    open: Family<BreakerLabel, Gauge<i64>>,
    trips: Family<BreakerLabel, Counter>,
    records: Family<StandInLabel, Counter>,
}

/// One breaker's counters.
#[derive(Clone, Debug, Default)]
pub struct BreakerMetrics {
    /// 1 while the plugin is not run, or tried.
    pub open: Gauge<i64>,
    /// How often it tripped.
    pub trips: Counter,
    /// Records that a stand-in took, in the order of [`StandIn::ALL`].
    pub records: [Counter; StandIn::ALL.len()],
}

/// The way from a stream to the counters of its breaker.
#[derive(Clone, Debug, Default)]
pub struct StreamBreaker {
    families: Breakers,
    stream: StreamLabel,
    shown: Arc<Mutex<Shown>>,
}

#[derive(Debug, Default)]
enum Shown {
    #[default]
    Nothing,
    Plugin(BreakerLabel),
    /// The stream is deleted: nothing of it is shown again.
    Never,
}

impl Breakers {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let breakers = Self::default();
        registry.register(
            "plugin_breaker_open",
            "1 while a plugin that kept failing is not run",
            breakers.open.clone(),
        );
        registry.register("plugin_breaker_trips", "Times that a plugin's breaker tripped", breakers.trips.clone());
        let help = "Records that went on without their plugin, whose breaker was open";
        registry.register("plugin_breaker_records", help, breakers.records.clone());
        breakers
    }

    pub(super) fn of(&self, stream: StreamLabel) -> StreamBreaker {
        StreamBreaker { families: self.clone(), stream, shown: Arc::default() }
    }

    fn forget(&self, label: &BreakerLabel) {
        self.open.remove(label);
        self.trips.remove(label);
        for policy in StandIn::ALL {
            self.records.remove(&label.under(policy));
        }
    }
}

impl StreamBreaker {
    /// The counters of this stream's breaker for `plugin`, in place of those for any other plugin.
    pub fn of(&self, plugin: &str) -> BreakerMetrics {
        let StreamLabel { account, stream } = self.stream.clone();
        let label = BreakerLabel { account, stream, plugin: plugin.to_owned() };
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        match &*shown {
            Shown::Never => return BreakerMetrics::default(),
            Shown::Plugin(before) if *before != label => self.families.forget(before),
            Shown::Plugin(_) | Shown::Nothing => {}
        }
        *shown = Shown::Plugin(label.clone());
        BreakerMetrics {
            open: self.families.open.get_or_create_owned(&label),
            trips: self.families.trips.get_or_create_owned(&label),
            records: StandIn::ALL.map(|policy| self.families.records.get_or_create_owned(&label.under(policy))),
        }
    }

    /// The stream has no plugin any more.
    pub fn none(&self) {
        self.show(Shown::Nothing);
    }

    /// The stream is deleted.
    pub fn forget(&self) {
        self.show(Shown::Never);
    }

    fn show(&self, next: Shown) {
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        match &*shown {
            Shown::Never => return,
            Shown::Plugin(before) => self.families.forget(before),
            Shown::Nothing => {}
        }
        *shown = next;
    }
}

#[cfg(test)]
mod tests {
    use super::super::Telemetry;

    #[test]
    fn a_stream_shows_the_breaker_of_the_plugin_it_names() {
        let telemetry = Telemetry::new();
        let stream = telemetry.stream("000000000000", "orders");
        stream.breaker.of("clean").trips.inc();
        stream.breaker.of("clean").open.set(1);
        stream.breaker.of("clean").records[1].inc_by(7);
        let text = telemetry.render();
        let labels = r#"account="000000000000",stream="orders",plugin="clean""#;
        for line in [
            format!("hydrant_plugin_breaker_open{{{labels}}} 1"),
            format!("hydrant_plugin_breaker_trips_total{{{labels}}} 1"),
            format!("hydrant_plugin_breaker_records_total{{{labels},policy=\"dead-letter\"}} 0"),
            format!("hydrant_plugin_breaker_records_total{{{labels},policy=\"pass-through\"}} 7"),
        ] {
            assert!(text.contains(&line), "{line} in:\n{text}");
        }
        let other = stream.breaker.of("other");
        let text = telemetry.render();
        assert!(text.contains(r#"plugin="other""#) && !text.contains(r#"plugin="clean""#), "{text}");
        stream.breaker.none();
        assert!(!telemetry.render().contains("other"));
        stream.breaker.of("clean");
        stream.breaker.forget();
        other.open.set(1);
        stream.breaker.of("late").open.set(1);
        telemetry.forget_stream("000000000000", "orders");
        assert!(!telemetry.render().contains("orders"));
    }
}
