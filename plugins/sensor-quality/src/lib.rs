//! Scores readings of sensors and marks defects, by the limits that the operator set and by what the reading itself
//! says. Refuses to compare a reading with its neighbours in the batch: the same reading gets the same score anywhere.
//!
//! In: `{"machine":"press-4","sensor":"temperature","value":71.5,"unit":"C","ts":"2026-11-21T08:26:00Z","previous":70.9}`.
//! Out: the same with `quality` (a score from 0, as expected, to 1, surely wrong, and why) and `defect`.

mod score;
mod settings;

use hydrant_plugin::json::{Kind, New, Object, Value};
use hydrant_plugin::{Context, Outcome, Plugin, Record};

use score::Quality;
use settings::Settings;

/// The plugin.
#[derive(Debug)]
pub struct SensorQuality {
    settings: Settings,
    /// Scratch: the member `quality`.
    quality: Vec<u8>,
}

impl Plugin for SensorQuality {
    type Answer = Outcome;

    fn configure(context: &Context) -> Result<Self, String> {
        Ok(Self { settings: settings::read(context)?, quality: Vec::new() })
    }

    fn transform(&mut self, mut record: Record<'_>) -> Outcome {
        let reading = match Object::parse(record.data()) {
            Ok(reading) => reading,
            Err(invalid) => return Outcome::fail_with("bad-json", invalid.to_string()),
        };
        let name = |member: &str| reading.get(member).and_then(Value::as_str).filter(|name| !name.is_empty());
        let Some(machine) = name("machine") else { return Outcome::fail_with("no-reading", "machine is no text") };
        let Some(sensor) = name("sensor") else { return Outcome::fail_with("no-reading", "sensor is no text") };
        let mut quality = Quality::default();
        quality.judge(&reading, self.settings.sensor(&sensor));
        let is_defect = quality.score() >= self.settings.threshold;
        quality.write(&mut self.quality);
        record.set("machine", &machine);
        record.set("defect", if is_defect { "true" } else { "false" });
        let mut edit = reading.edit();
        edit.set("quality", New::Value(&self.quality)).set("defect", is_defect);
        edit.write(record.output());
        Outcome::Replace
    }
}

hydrant_plugin::plugin!(type SensorQuality);

/// A number that is one: not infinite, not in quotes.
fn finite(value: Value<'_>) -> Option<f64> {
    if value.kind() == Kind::Number { value.as_f64().filter(|number| number.is_finite()) } else { None }
}

#[cfg(test)]
mod tests;
