//! User and password: as given, or from a secret that is read anew for each attempt, so that a rotation is no failure.

use std::error::Error as _;

use super::classify::Failed;
use crate::definition::Login;
use crate::deliver::secrets::{Credential, SecretShape, Secrets};

/// Who loads.
pub(super) async fn credential(login: &Login, secrets: &Secrets) -> Result<Credential, Failed> {
    match secrets.login(login, SecretShape::UserAndPassword).await {
        Ok(Some(credential)) => Ok(credential),
        Ok(None) => Err(unusable("neither a password nor a secret is configured")),
        Err(error) => {
            let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
            Err(unusable(&format!("{error}{cause}")))
        }
    }
}

fn unusable(why: &str) -> Failed {
    Failed::new("Redshift.AuthenticationFailed", format!("there is no login for the cluster: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_stored_login_has_the_shape_of_secrets_manager() {
        let folder = tempfile::tempdir().unwrap();
        let secrets = Secrets::new(Some(folder.path().to_owned()));
        let write = |text: &str| std::fs::write(folder.path().join("x.json"), text).unwrap();
        let stored = Login::Stored("arn:aws:secretsmanager:eu-west-1:1:secret:x".to_owned());
        write(r#"{"username":"loader","password":"pässword","engine":"redshift","host":"h","port":5439}"#);
        let found = credential(&stored, &secrets).await.unwrap();
        assert_eq!((found.user.as_str(), found.secret.expose()), ("loader", "pässword"));
        assert!(!format!("{found:?}").contains("pässword"));
        for bad in ["", "{}", r#"{"username":"loader"}"#, "hunter2"] {
            write(bad);
            let failed = credential(&stored, &secrets).await.unwrap_err();
            assert_eq!(failed.code, "Redshift.AuthenticationFailed");
            assert!(failed.text.contains("username") && !failed.text.contains("hunter2"), "{}", failed.text);
        }
        for (login, secrets) in [(&stored, &Secrets::new(None)), (&Login::None, &secrets)] {
            assert_eq!(credential(login, secrets).await.unwrap_err().code, "Redshift.AuthenticationFailed");
        }
    }
}
