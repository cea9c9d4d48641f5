//! Small meanings that the API's own tests would show only through a lot of JSON.

use serde_json::json;

use super::lambda::function_name;
use super::processing::{Context, settle};
use crate::api::settings::{NameRules, Rules};
use crate::definition::{Partitioning, Processor};

/// Rules that nothing here depends on.
const RULES: Rules = Rules {
    names: NameRules {
        prefix: |_, _, _| Ok(()),
        destination: |_, _| Ok(()),
        partitioning: |_, _| Ok(Partitioning { keys: Vec::new(), room_bytes: 0, event_time: None }),
        time_zone: |_| true,
    },
    check_query: |_| Ok(Vec::new()),
    plaintext: false,
};

#[test]
fn delimiters_are_read_as_people_write_them() {
    for (given, meant) in [
        (None, "\n"),
        (Some("\\n"), "\n"),
        (Some("\\\\n"), "\n"),
        (Some("\\r\\n"), "\r\n"),
        (Some("\\t"), "\t"),
        (Some("|"), "|"),
        (Some("\\|"), "\\|"),
        (Some("\\\\"), "\\"),
        (Some("a\\"), "a\\"),
    ] {
        let mut processor = json!({"Type": "AppendDelimiterToRecord"});
        if let Some(given) = given {
            processor["Parameters"] = json!([{"ParameterName": "Delimiter", "ParameterValue": given}]);
        }
        let block = json!({"ProcessingConfiguration": {"Enabled": true, "Processors": [processor]}});
        let context = Context { role: "role", lambda_size: "1", rules: &RULES };
        let settled = settle(&mut block.as_object().unwrap().clone(), &context).unwrap();
        assert_eq!(settled.processors, [Processor::AppendDelimiter { delimiter: meant.to_owned() }], "{given:?}");
    }
}

#[test]
fn a_plugin_name_is_a_function_name_and_nothing_else() {
    let check = |arn: &str, name: Option<&str>| assert_eq!(function_name(arn), name, "{arn}");
    check("arn:aws:lambda:us-east-1:123456789012:function:clean", Some("clean"));
    check("arn:aws-us-gov:lambda:us-gov-west-1:123456789012:function:a_B-9:$LATEST", Some("a_B-9"));
    check("arn:aws-cn:lambda:cn-north-1:123456789012:function:clean:prod", Some("clean"));
    check("arn:aws:lambda:us-east-1:123456789012:function:../etc", None);
    check("arn:aws:lambda:us-east-1:123456789012:function:", None);
    check("arn:aws:lambda:us-east-1:123456789012:function:clean:", None);
    check("arn:aws:lambda:us-east-1:123456789012:layer:clean", None);
    check("arn:aws:lambda:us-east-1:12345678901x:function:clean", None);
    check("clean", None);
}
