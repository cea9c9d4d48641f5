//! The operator's settings, by sensor. Refuses a limit that nothing can hold, and half of a pair.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use hydrant_plugin::Context;

/// From where a score is a defect.
const THRESHOLD: f64 = 0.5;
const KINDS: &str = "range.SENSOR, target.SENSOR, sigma.SENSOR, step.SENSOR, unit.SENSOR, stuck, threshold";

/// What is set.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) threshold: f64,
    sensors: BTreeMap<String, Sensor>,
}

/// What is set for one sensor.
#[derive(Debug, Default)]
pub(crate) struct Sensor {
    /// What it can measure.
    pub(crate) range: Option<RangeInclusive<f64>>,
    /// What it should measure, and the standard deviation.
    pub(crate) target: Option<f64>,
    pub(crate) sigma: Option<f64>,
    /// Largest change from the reading before.
    pub(crate) step: Option<f64>,
    pub(crate) unit: Option<String>,
    /// Whether a value that does not change is suspicious.
    pub(crate) sticks: bool,
}

impl Settings {
    pub(crate) fn sensor(&self, name: &str) -> Option<&Sensor> {
        self.sensors.get(name)
    }
}

pub(crate) fn read(context: &Context) -> Result<Settings, String> {
    let mut settings = Settings { threshold: THRESHOLD, sensors: BTreeMap::new() };
    for (name, value) in context.settings() {
        let (kind, sensor) = name.split_once('.').unwrap_or((name, ""));
        match (kind, sensor) {
            ("threshold", "") => {
                settings.threshold = number(name, value)?;
                if !(settings.threshold > 0.0 && settings.threshold <= 1.0) {
                    return Err(format!("threshold: a number above 0 and up to 1, not {value:?}"));
                }
            }
            ("stuck", "") => {
                for sensor in value.split(',').map(str::trim) {
                    if sensor.is_empty() {
                        return Err(format!("stuck: names of sensors between commas, not {value:?}"));
                    }
                    settings.sensors.entry(sensor.to_owned()).or_default().sticks = true;
                }
            }
            (_, "") => return Err(unknown(name)),
            _ => set(settings.sensors.entry(sensor.to_owned()).or_default(), kind, name, value)?,
        }
    }
    for (name, sensor) in &settings.sensors {
        if sensor.target.is_some() != sensor.sigma.is_some() {
            return Err(format!("target.{name} and sigma.{name} are set together or not at all"));
        }
    }
    Ok(settings)
}

fn set(sensor: &mut Sensor, kind: &str, name: &str, value: &str) -> Result<(), String> {
    match kind {
        "range" => {
            let limits =
                value.split_once("..").ok_or_else(|| format!("{name}: a range such as 10..90, not {value:?}"))?;
            let (low, high) = (number(name, limits.0)?, number(name, limits.1)?);
            if low >= high {
                return Err(format!("{name}: the first limit must be below the second, not {value:?}"));
            }
            sensor.range = Some(low..=high);
        }
        "target" => sensor.target = Some(number(name, value)?),
        "sigma" => sensor.sigma = Some(positive(name, value)?),
        "step" => sensor.step = Some(positive(name, value)?),
        "unit" => sensor.unit = Some(value.to_owned()),
        _ => return Err(unknown(name)),
    }
    Ok(())
}

fn unknown(name: &str) -> String {
    format!("{name}: no such setting; there are {KINDS}")
}

fn number(name: &str, text: &str) -> Result<f64, String> {
    let number = text.trim().parse().ok().filter(|number: &f64| number.is_finite());
    number.ok_or_else(|| format!("{name}: {text:?} is no number"))
}

fn positive(name: &str, text: &str) -> Result<f64, String> {
    match number(name, text)? {
        number if number > 0.0 => Ok(number),
        _ => Err(format!("{name}: a number above 0, not {text:?}")),
    }
}
