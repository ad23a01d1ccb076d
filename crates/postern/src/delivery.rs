//! Delivers back-channel logouts, beside the server. Each node does; what is due is claimed in the database.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use idp::Idp;
use idp::backchannel_logout::{Deliveries, OutgoingHttp};

/// How long a logout waits at most before it is seen.
const PAUSE: Duration = Duration::from_secs(1);
/// The pause after the database failed.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(10);

/// Delivers until `stop` is ready; then finishes what is under way.
pub async fn run(idp: Arc<Idp>, http: Arc<dyn OutgoingHttp>, stop: impl Future) {
    let mut deliveries = Deliveries::new(idp, http);
    let mut stop = pin!(stop);
    loop {
        let pause = match deliveries.round().await {
            Ok(0) => PAUSE,
            // More may be due than has had its turn.
            Ok(_) => Duration::ZERO,
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "back-channel logout");
                PAUSE_AFTER_FAILURE
            }
        };
        tokio::select! {
            _ = &mut stop => return,
            () = tokio::time::sleep(pause) => {}
        }
    }
}
