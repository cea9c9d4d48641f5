//! Makes a Slack message of each defect that `sensor-quality` found, and drops every other reading.
//!
//! In: `{"machine":"press-4","sensor":"temperature","value":95,"unit":"C","quality":{"score":1,"flags":["jump"]},"defect":true}`.
//! Out: the body of a request to an incoming webhook. Refuses to judge readings: the plugin before it did.

use hydrant_plugin::json::{Invalid, Object, Value, write_text};
use hydrant_plugin::{Outcome, Record};

/// Most characters of one value in a message. Slack refuses a section of more than 3,000.
const MOST_CHARACTERS: usize = 200;

/// One reading.
///
/// # Errors
/// It is no JSON object.
pub fn transform(mut record: Record<'_>) -> Result<Outcome, Invalid> {
    let reading = Object::parse(record.data())?;
    if reading.get("defect").and_then(Value::as_bool) != Some(true) {
        return Ok(Outcome::Drop);
    }
    let of = |member: &str| reading.get(member).map(shown).unwrap_or_default();
    let quality = reading.get("quality").and_then(Value::as_object);
    let of_quality = |member: &str| quality.as_ref().and_then(|quality| quality.get(member));
    let flags: Vec<String> =
        of_quality("flags").and_then(Value::as_array).into_iter().flatten().map(shown).collect();
    let (machine, sensor, flags) = (of("machine"), of("sensor"), flags.join(", "));
    let value = format!("{} {}", of("value"), of("unit"));
    let value = value.trim_end();
    let score = of_quality("score").map(shown).unwrap_or_default();

    let text = format!("{machine}: {sensor} is {value} ({flags})");
    let section = format!("*{machine}*: {sensor} is *{value}*\n{flags}");
    let context = format!("{} score {score}", of("ts"));
    Ok(record.replace(message(&text, &section, context.trim_start())))
}

hydrant_plugin::plugin!(transform);

/// What Slack takes: `text` for notifications, and blocks for the channel.
fn message(text: &str, section: &str, context: &str) -> String {
    let [text, section, context] = [text, section, context].map(quoted);
    format!(
        r#"{{"text":{text},"blocks":[{{"type":"section","text":{{"type":"mrkdwn","text":{section}}}}},{{"type":"context","elements":[{{"type":"mrkdwn","text":{context}}}]}}]}}"#
    )
}

/// A value for people: texts without quotes, everything else as JSON, with what Slack takes for markup escaped.
fn shown(value: Value<'_>) -> String {
    let text = match value.as_str() {
        Some(text) => text.into_owned(),
        None => String::from_utf8_lossy(value.raw()).into_owned(),
    };
    let cut: String = text.chars().take(MOST_CHARACTERS).collect();
    cut.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn quoted(text: &str) -> String {
    let mut quoted = Vec::new();
    // A `Vec` takes everything.
    write_text(text, &mut quoted).unwrap_or_default();
    String::from_utf8_lossy(&quoted).into_owned()
}

#[cfg(test)]
mod tests {
    use hydrant_plugin::testing::{Fate, run};

    use super::*;

    #[test]
    fn a_defect_becomes_a_message_and_a_good_reading_nothing() {
        let defect = r#"{"machine":"press-4","sensor":"temperature","value":95,"unit":"C","ts":"T","quality":{"score":1,"flags":["jump","stuck"]},"defect":true}"#;
        let fates = run(transform, &[defect, &defect.replace("true", "false"), "{}"]);
        assert_eq!(
            fates[0].text(),
            [
                r#"{"text":"press-4: temperature is 95 C (jump, stuck)","blocks":[{"type":"section","text":{"type":"mrkdwn","text":"*press-4*: temperature is *95 C*\njump, stuck"}},{"type":"context","elements":[{"type":"mrkdwn","text":"T score 1"}]}]}"#
            ]
        );
        assert_eq!(fates[1..], [Fate::Dropped, Fate::Dropped]);
    }

    #[test]
    fn what_slack_takes_for_markup_is_escaped_and_nothing_is_longer_than_slack_allows() {
        let long = format!(r#"{{"machine":"<!channel> & \"{}","value":null,"defect":true}}"#, "m".repeat(5_000));
        let fates = run(transform, &[long]);
        let text = fates[0].text().concat();
        assert!(text.starts_with(r#"{"text":"&lt;!channel&gt; &amp; \"mmm"#) && text.len() < 2_000, "{text}");
    }
}
