//! Delivers what is due, beside the server: back-channel logouts and log streams. Each node does; what is due is claimed in the
//! database.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use idp::ServerError;
use idp::backchannel_logout::Deliveries;
use idp::log_streams::LogDeliveries;

/// How long something that is due waits at most before it is seen.
const PAUSE: Duration = Duration::from_secs(1);
/// The pause after the database failed.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(10);

/// What is delivered in rounds.
pub trait Rounds {
    /// Delivers what is due; how many deliveries that took.
    fn round(&mut self) -> impl Future<Output = Result<usize, ServerError>> + Send;

    /// Waits for what a round has left under way.
    fn finish(&mut self) -> impl Future<Output = ()> + Send;
}

impl Rounds for Deliveries {
    fn round(&mut self) -> impl Future<Output = Result<usize, ServerError>> + Send {
        Self::round(self)
    }

    /// Each round ends when its deliveries have.
    async fn finish(&mut self) {}
}

impl Rounds for LogDeliveries {
    fn round(&mut self) -> impl Future<Output = Result<usize, ServerError>> + Send {
        Self::round(self)
    }

    fn finish(&mut self) -> impl Future<Output = ()> + Send {
        Self::finish(self)
    }
}

/// Delivers until `stop` is ready; then finishes what is under way.
pub async fn run(what: &'static str, mut rounds: impl Rounds, stop: impl Future) {
    let mut stop = pin!(stop);
    loop {
        let pause = match rounds.round().await {
            Ok(0) => PAUSE,
            // More may be due than has had its turn.
            Ok(_) => Duration::ZERO,
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "{what}");
                PAUSE_AFTER_FAILURE
            }
        };
        tokio::select! {
            _ = &mut stop => return rounds.finish().await,
            () = tokio::time::sleep(pause) => {}
        }
    }
}
