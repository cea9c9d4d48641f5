//! The score of one reading: of all that is odd about it, the oddest counts. Refuses to add oddities up, so that a score
//! has one reason that can be named.

use hydrant_plugin::json::{Kind, Object};

use crate::finite;
use crate::settings::Sensor;

/// How many standard deviations are half way to a certain defect.
const DEVIATIONS: f64 = 3.0;
/// A value that does not move is as suspicious as one that far off.
const STUCK: f64 = 0.5;
/// A reading without a time is usable, but not where it belongs.
const NO_TIME: f64 = 0.25;

/// What is odd about a reading.
#[derive(Debug, Default)]
pub(crate) struct Quality {
    score: f64,
    flags: Vec<&'static str>,
}

impl Quality {
    pub(crate) fn judge(&mut self, reading: &Object<'_>, sensor: Option<&Sensor>) {
        if reading.get("ts").is_none_or(|time| !matches!(time.kind(), Kind::String | Kind::Number)) {
            self.flag("no-time", NO_TIME);
        }
        let value = match reading.get("value") {
            None => return self.flag("missing", 1.0),
            Some(value) if value.is_null() => return self.flag("missing", 1.0),
            Some(value) => finite(value),
        };
        let Some(value) = value else { return self.flag("not-a-number", 1.0) };
        let Some(sensor) = sensor else { return self.flag("unchecked", 0.0) };
        if let Some(unit) = &sensor.unit
            && reading.get("unit").is_none_or(|found| found != unit.as_str())
        {
            self.flag("unit", 1.0);
        }
        if sensor.range.as_ref().is_some_and(|range| !range.contains(&value)) {
            self.flag("out-of-range", 1.0);
        }
        if let (Some(target), Some(sigma)) = (sensor.target, sensor.sigma) {
            self.measure("off-target", (value - target).abs() / (DEVIATIONS * sigma));
        }
        if let Some(previous) = reading.get("previous").and_then(finite) {
            if let Some(step) = sensor.step {
                self.measure("jump", (value - previous).abs() / step);
            }
            if sensor.sticks && value == previous {
                self.flag("stuck", STUCK);
            }
        }
    }

    pub(crate) fn score(&self) -> f64 {
        self.score
    }

    /// `{"score":0.734,"flags":["jump"]}`.
    pub(crate) fn write(&self, output: &mut Vec<u8>) {
        output.clear();
        output.extend_from_slice(b"{\"score\":");
        output.extend_from_slice(self.score.to_string().as_bytes());
        output.extend_from_slice(b",\"flags\":[");
        for (at, flag) in self.flags.iter().enumerate() {
            output.extend_from_slice(if at == 0 { b"\"" } else { b",\"" });
            output.extend_from_slice(flag.as_bytes());
            output.push(b'"');
        }
        output.extend_from_slice(b"]}");
    }

    fn flag(&mut self, flag: &'static str, score: f64) {
        self.flags.push(flag);
        self.raise(score);
    }

    /// Scores a distance in units of what is tolerated: 0 there, 1 far away, one half at the limit, where the flag begins.
    fn measure(&mut self, flag: &'static str, distance: f64) {
        if distance >= 1.0 {
            self.flags.push(flag);
        }
        // Of a huge distance the square may be infinite.
        self.raise(if distance < 1e6 { distance * distance / (1.0 + distance * distance) } else { 1.0 });
    }

    /// Thousandths, so that a score reads well and is the same on every machine.
    fn raise(&mut self, score: f64) {
        self.score = self.score.max((score * 1_000.0).round() / 1_000.0);
    }
}
