//! User and password: as given, or from a secret that is read anew for each attempt, so that a rotation is no failure.

use std::fmt::Debug;

use async_trait::async_trait;
use serde::Deserialize;

use super::classify::Failed;
use crate::definition::{Login, Secret};
use crate::deliver::destination::DeliveryError;

/// Whoever keeps secrets.
#[async_trait]
pub trait Vault: Send + Sync + Debug {
    /// The text of the secret with this ARN: a JSON object with `username` and `password`.
    async fn read(&self, arn: &str) -> Result<Secret, DeliveryError>;
}

/// Who loads.
#[derive(Debug)]
pub(super) struct User {
    pub(super) name: String,
    pub(super) password: Secret,
}

/// What a secret of Redshift's shape holds; it has more members than are needed here.
#[derive(Deserialize)]
struct Shape {
    username: String,
    password: Secret,
}

/// Finds out who loads.
pub(super) async fn user(login: &Login, vault: Option<&dyn Vault>) -> Result<User, Failed> {
    match (login, vault) {
        (Login::Given { user, secret }, _) => Ok(User { name: user.clone(), password: secret.clone() }),
        (Login::Stored(arn), Some(vault)) => parse(arn, &vault.read(arn).await?),
        (Login::Stored(arn), None) => Err(unusable(arn, "this host has nowhere to read secrets from")),
        (Login::None, _) => Err(unusable("", "neither a password nor a secret is configured")),
    }
}

fn parse(arn: &str, secret: &Secret) -> Result<User, Failed> {
    // The parser's message may quote the secret.
    match serde_json::from_str(secret.expose()) {
        Ok(Shape { username: name, password }) => Ok(User { name, password }),
        Err(_) => Err(unusable(arn, "it must be a JSON object with the texts username and password")),
    }
}

fn unusable(arn: &str, why: &str) -> Failed {
    Failed::new("Redshift.AuthenticationFailed", format!("the secret {arn} of the login cannot be used: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Fixed(&'static str);

    #[async_trait]
    impl Vault for Fixed {
        async fn read(&self, _arn: &str) -> Result<Secret, DeliveryError> {
            Ok(Secret::new(self.0))
        }
    }

    #[tokio::test]
    async fn a_stored_login_has_the_shape_of_secrets_manager() {
        let stored = Login::Stored("arn:aws:secretsmanager:eu-west-1:1:secret:x".to_owned());
        let good = Fixed(r#"{"username":"loader","password":"pässword","engine":"redshift","host":"h","port":5439}"#);
        let found = user(&stored, Some(&good)).await.unwrap();
        assert_eq!((found.name.as_str(), found.password.expose()), ("loader", "pässword"));
        assert!(!format!("{found:?}").contains("pässword"));
        for bad in ["", "{}", r#"{"username":"loader"}"#, "hunter2"] {
            let failed = user(&stored, Some(&Fixed(bad))).await.unwrap_err();
            assert_eq!(failed.code, "Redshift.AuthenticationFailed");
            assert!(failed.text.contains("username") && !failed.text.contains("hunter2"), "{}", failed.text);
        }
        assert_eq!(user(&stored, None).await.unwrap_err().code, "Redshift.AuthenticationFailed");
    }
}
