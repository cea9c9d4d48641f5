//! `hydrant serve`: settings, logs, start, wait, drain. Refuses to do any of these itself.

use super::arguments::Configured;
use super::signal::Signals;
use super::{Exit, Failure, Host, check, logging};

/// Runs until a signal or until the product breaks.
pub(super) async fn serve<H: Host>(arguments: &Configured) -> Result<(), Failure> {
    let settings = check::load(arguments)?.settings;
    logging::start(settings.log);
    let mut signals = Signals::listen()?;
    let host = tokio::select! {
        started = H::start(settings) => started.map_err(|error| {
            Failure::new(error.context("cannot start")).hint("see the log above; `hydrant check` shows the settings")
        })?,
        signal = signals.wait() => {
            tracing::info!(signal, "stopped while starting");
            return Ok(());
        }
    };
    let (api, admin) = (host.api_address(), host.admin_address());
    let s3 = host.s3_address().map(tracing::field::display);
    tracing::info!(%api, %admin, s3, "serving");
    let broken = tokio::select! {
        signal = signals.wait() => {
            tracing::info!(signal, "draining");
            None
        }
        error = host.broken() => {
            tracing::error!(error = format!("{error:#}"), "draining because the host cannot go on");
            Some(error)
        }
    };
    let drained = tokio::select! {
        drained = host.drained() => drained,
        signal = signals.wait() => {
            tracing::warn!(signal, "stopped before the drain was finished; the rest stays in the journal");
            return Err(Failure::interrupted());
        }
    };
    match (broken, drained) {
        (Some(error), _) => {
            Err(Failure::new(error.context("stopped")).hint("acknowledged records are in the journal; start again"))
        }
        (None, Err(error)) => {
            Err(Failure::new(error.context("cannot drain")).hint("undelivered records are in the journal; start again"))
        }
        (None, Ok(())) => {
            tracing::info!("stopped");
            Ok(())
        }
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::new(error).exit(Exit::Run)
    }
}
