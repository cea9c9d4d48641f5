//! Makes one line of each JSON value in a record: pretty-printed, concatenated, or in an array. Fails a record that is
//! no JSON, saying where; refuses to repair it, and to change a text or a number.

use hydrant_plugin::json::{Invalid, Kind, Value, Values, compact};
use hydrant_plugin::{Context, Outcome, Plugin, Record};

/// What Windows programs put before UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";
const SETTINGS: [&str; 3] = ["explode-arrays", "delimiter", "max-values"];
/// Values of a record unless set otherwise; a record has at most a few thousand lines.
const VALUES: usize = 10_000;
/// What a batch of the host may hold is not far above.
const MOST_VALUES: usize = 100_000;
const LONGEST_DELIMITER: usize = 16;

/// The plugin.
#[derive(Debug)]
pub struct ToNdjson {
    explodes_arrays: bool,
    delimiter: Vec<u8>,
    max_values: usize,
}

/// Why a record fails.
#[derive(Debug)]
enum Fault {
    Json(Invalid),
    TooMany,
}

impl Plugin for ToNdjson {
    type Answer = Outcome;

    fn configure(context: &Context) -> Result<Self, String> {
        if let Some((name, _)) = context.settings().find(|(name, _)| !SETTINGS.contains(name)) {
            return Err(format!("{name}: no such setting; there are {}", SETTINGS.join(", ")));
        }
        let explodes_arrays = match context.setting("explode-arrays") {
            None | Some("false") => false,
            Some("true") => true,
            Some(other) => return Err(format!("explode-arrays: true or false, not {other:?}")),
        };
        let delimiter = delimiter(context.setting("delimiter").unwrap_or(r"\n"))?;
        let max_values = match context.setting("max-values") {
            None => VALUES,
            Some(text) => match text.parse() {
                Ok(number @ 1..=MOST_VALUES) => number,
                _ => return Err(format!("max-values: a number from 1 to {MOST_VALUES}, not {text:?}")),
            },
        };
        Ok(Self { explodes_arrays, delimiter, max_values })
    }

    fn transform(&mut self, mut record: Record<'_>) -> Outcome {
        match self.lines(&mut record) {
            Ok(0) => Outcome::Drop,
            Ok(_) => Outcome::Replace,
            Err(Fault::Json(invalid)) => Outcome::fail_with("bad-json", invalid.to_string()),
            Err(Fault::TooMany) => {
                Outcome::fail_with("too-many-values", format!("more than {} values in one record", self.max_values))
            }
        }
    }
}

hydrant_plugin::plugin!(type ToNdjson);

impl ToNdjson {
    /// Writes an output for each value; their number.
    fn lines(&self, record: &mut Record<'_>) -> Result<usize, Fault> {
        let data = record.data();
        let text = data.strip_prefix(BYTE_ORDER_MARK).unwrap_or(data);
        let mut count = 0;
        for value in Values::new(text) {
            let value = value.map_err(|invalid| Fault::Json(invalid.moved_by(data.len() - text.len())))?;
            match value.as_array() {
                Some(items) if self.explodes_arrays => {
                    for item in items {
                        self.line(item, record, &mut count)?;
                    }
                }
                _ => self.line(value, record, &mut count)?,
            }
        }
        Ok(count)
    }

    fn line(&self, value: Value<'_>, record: &mut Record<'_>, count: &mut usize) -> Result<(), Fault> {
        *count += 1;
        if *count > self.max_values {
            return Err(Fault::TooMany);
        }
        let output = record.output();
        if matches!(value.kind(), Kind::Array | Kind::Object) {
            compact(value, &mut *output).unwrap_or_default(); // an output has no errors
        } else {
            output.push(value.raw());
        }
        output.push(&self.delimiter);
        output.end_record();
        Ok(())
    }
}

/// Undoes the escapes that a setting needs, because a configuration file is one line a setting.
fn delimiter(text: &str) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        let plain = match letter {
            '\\' => match letters.next() {
                Some('n') => '\n',
                Some('r') => '\r',
                Some('t') => '\t',
                Some('\\') => '\\',
                _ => {
                    return Err(format!(
                        r"delimiter: \n, \r, \t and \\ are the escapes there are, not those of {text:?}"
                    ));
                }
            },
            plain => plain,
        };
        bytes.extend_from_slice(plain.encode_utf8(&mut [0; 4]).as_bytes());
    }
    if bytes.len() > LONGEST_DELIMITER {
        return Err(format!("delimiter: at most {LONGEST_DELIMITER} bytes, not {}", bytes.len()));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use hydrant_plugin::testing::{Fate, run_plugin};

    use super::*;

    fn fate(settings: &[(&str, &str)], record: &str) -> Fate {
        run_plugin::<ToNdjson>(&Context::new("", settings), &[record]).unwrap().remove(0)
    }

    fn refused(name: &str, value: &str) -> String {
        run_plugin::<ToNdjson>(&Context::new("", &[(name, value)]), &[""; 0]).unwrap_err()
    }

    #[test]
    fn every_value_becomes_a_line() {
        let several = "\u{feff}{\r\n  \"a\" : [ 1 , 2.50 ]\r\n}\r\n{\"b\":\"x  y\\n\"}{ } [ ] 7\n";
        let lines = ["{\"a\":[1,2.50]}\n", "{\"b\":\"x  y\\n\"}\n", "{}\n", "[]\n", "7\n"];
        assert_eq!(fate(&[], several).text(), lines);
        assert_eq!(fate(&[], "\u{feff} \r\n"), Fate::Dropped);
        assert_eq!(fate(&[], ""), Fate::Dropped);
    }

    #[test]
    fn arrays_are_exploded_one_level_deep_when_asked() {
        let settings = [("explode-arrays", "true"), ("delimiter", r"\r\n")];
        let lines = ["{\"a\":1}\r\n", "[2,3]\r\n", "\"x\"\r\n", "4\r\n"];
        assert_eq!(fate(&settings, "[ {\"a\": 1}, [2, 3], \"x\" ] 4").text(), lines);
        assert_eq!(fate(&settings, "[]"), Fate::Dropped);
        assert_eq!(fate(&[("delimiter", "")], "[1] 2").text(), ["[1]", "2"]);
    }

    #[test]
    fn what_is_no_json_fails_with_its_place() {
        let table = [
            ("{\"a\":1,}", "invalid JSON at byte 7: a name in quotes was expected"),
            ("\u{feff}{\"a\":1}\n{", "invalid JSON at byte 12: a name in quotes was expected"),
            ("{\"a\":1} x", "invalid JSON at byte 8: a value was expected"),
            ("[1,]", "invalid JSON at byte 3: a value was expected"),
            ("plain text", "invalid JSON at byte 0: a value was expected"),
        ];
        for (record, reason) in table {
            let fate = fate(&[], record);
            assert!(format!("{fate:?}").contains(reason), "{record}: {fate:?}");
        }
    }

    #[test]
    fn values_are_counted() {
        assert_eq!(fate(&[("max-values", "2")], "1 2").text().len(), 2);
        for (record, explode) in [("1 2 3", "false"), ("[1,2,3]", "true")] {
            let fate = fate(&[("max-values", "2"), ("explode-arrays", explode)], record);
            assert!(format!("{fate:?}").contains("more than 2 values in one record"), "{fate:?}");
        }
    }

    #[test]
    fn settings_are_checked() {
        assert!(refused("explode", "true").starts_with("explode: no such setting; there are explode-arrays, "));
        assert_eq!(refused("explode-arrays", "yes"), "explode-arrays: true or false, not \"yes\"");
        assert_eq!(refused("max-values", "0"), "max-values: a number from 1 to 100000, not \"0\"");
        assert!(refused("delimiter", r"\x").starts_with("delimiter: "));
        assert_eq!(refused("delimiter", "12345678901234567"), "delimiter: at most 16 bytes, not 17");
    }
}
