//! Names, shapes and bounds of stored secrets.

use super::*;

const ARN: &str = "arn:aws:secretsmanager:us-east-1:000000000000:secret:";

async fn stored(secrets: &Secrets, name: &str, shape: SecretShape) -> Result<Option<Credential>, SecretError> {
    secrets.login(&Login::Stored(format!("{ARN}{name}")), shape).await
}

async fn key(secrets: &Secrets, name: &str) -> Option<String> {
    Some(stored(secrets, name, SecretShape::ApiKey).await.ok()??.secret.expose().to_owned())
}

fn folder(files: &[(&str, &str)]) -> (tempfile::TempDir, Secrets) {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let file = folder.path().join(name);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
    }
    let secrets = Secrets::new(Some(folder.path().to_owned()));
    (folder, secrets)
}

#[tokio::test]
async fn what_the_api_was_given_needs_no_folder() {
    let secrets = Secrets::new(None);
    assert_eq!(secrets.login(&Login::None, SecretShape::ApiKey).await.unwrap(), None);
    let given = Login::Given { user: "u".into(), secret: Secret::new("s") };
    let expected = Credential { user: "u".into(), secret: Secret::new("s") };
    assert_eq!(secrets.login(&given, SecretShape::UserAndPassword).await.unwrap(), Some(expected));
    let error = stored(&secrets, "a", SecretShape::ApiKey).await.unwrap_err();
    assert!(error.to_string().contains("secrets.dir"), "{error}");
}

#[tokio::test]
async fn a_secret_is_found_with_and_without_the_suffix_and_read_anew() {
    let (place, secrets) = folder(&[
        ("hook.json", r#"{"api_key":"short"}"#),
        ("team/hook-AbC123.json", r#"{"api_key":"exact"}"#),
        ("team/hook.json", r#"{"api_key":"other"}"#),
    ]);
    assert_eq!(key(&secrets, "hook").await.as_deref(), Some("short"));
    assert_eq!(key(&secrets, "hook-AbC123").await.as_deref(), Some("short"));
    assert_eq!(key(&secrets, "team/hook-AbC123").await.as_deref(), Some("exact"));
    assert_eq!(key(&secrets, "hook-AbC12").await, None);
    std::fs::write(place.path().join("hook.json"), r#"{"api_key":"rotated"}"#).unwrap();
    assert_eq!(key(&secrets, "hook").await.as_deref(), Some("rotated"));
}

#[tokio::test]
async fn no_name_leads_out_of_the_folder() {
    let (place, _) = folder(&[("outside.json", r#"{"api_key":"out"}"#), ("in/a.json", r#"{"api_key":"in"}"#)]);
    let secrets = Secrets::new(Some(place.path().join("in")));
    assert_eq!(key(&secrets, "a").await.as_deref(), Some("in"));
    let absolute = place.path().join("outside").display().to_string();
    for name in ["../outside", "./a", "b/../../outside", "a/", "/a", "", "..", "a\\b", "a\0", "a b", "é", &absolute] {
        let error = stored(&secrets, name, SecretShape::ApiKey).await.unwrap_err();
        assert!(matches!(error, SecretError::Name { .. }), "{name}: {error}");
    }
    let long = "n".repeat(NAME_BYTES + 1);
    assert!(matches!(stored(&secrets, &long, SecretShape::ApiKey).await, Err(SecretError::Name { .. })));
    let other = Login::Stored("arn:aws:s3:::bucket".into());
    assert!(matches!(secrets.login(&other, SecretShape::ApiKey).await, Err(SecretError::Name { .. })));
}

#[tokio::test]
async fn each_shape_has_its_members_and_no_error_repeats_a_secret() {
    let large = format!(r#"{{"api_key":"{}"}}"#, "canary".repeat(20_000));
    let (place, secrets) = folder(&[
        ("splunk.json", r#"{"hec_token":"t","more":1}"#),
        ("redshift.json", r#"{"username":"u","password":"p","host":"h"}"#),
        ("wrong.json", r#"{"api_key":7,"key":"canary"}"#),
        ("empty.json", r#"{"api_key":""}"#),
        ("list.json", r#"["canary"]"#),
        ("text.json", "canary"),
        ("large.json", &large),
    ]);
    let token = stored(&secrets, "splunk", SecretShape::HecToken).await.unwrap().unwrap();
    assert_eq!((token.user.as_str(), token.secret.expose()), ("", "t"));
    let login = stored(&secrets, "redshift", SecretShape::UserAndPassword).await.unwrap().unwrap();
    assert_eq!((login.user.as_str(), login.secret.expose()), ("u", "p"));
    assert!(!format!("{login:?}").contains("\"p\""));
    std::fs::create_dir(place.path().join("folder.json")).unwrap();
    for name in ["splunk", "redshift", "wrong", "empty", "list", "text", "large", "folder", "absent"] {
        let error = stored(&secrets, name, SecretShape::ApiKey).await.unwrap_err();
        let text = format!("{error:?} {error}");
        assert!(text.contains(name) && !text.contains("canary"), "{text}");
    }
}
