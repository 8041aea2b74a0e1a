//! A guest may ask for a shorter connect timeout than the operator's. The pooled
//! client knows only one for all, so the guest's travels beside the request, in
//! a task-local that the connector reads: it is called while the request's own
//! future is polled.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tower_layer::Layer;
use tower_service::Service;

tokio::task_local! {
    static CONNECT_TIMEOUT: Duration;
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Runs `request` with `timeout` for a connection it may have to open.
pub(super) fn within<F: Future>(timeout: Duration, request: F) -> impl Future<Output = F::Output> {
    CONNECT_TIMEOUT.scope(timeout, request)
}

/// The connection was not there in time.
#[derive(Debug)]
pub(super) struct ConnectTimedOut;

impl fmt::Display for ConnectTimedOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("connecting took longer than the connect timeout")
    }
}

impl std::error::Error for ConnectTimedOut {}

/// Adds the guest's timeout to a connector.
#[derive(Clone, Copy, Debug)]
pub(super) struct ConnectTimeout;

impl<S> Layer<S> for ConnectTimeout {
    type Service = TimedConnector<S>;

    fn layer(&self, inner: S) -> TimedConnector<S> {
        TimedConnector { inner }
    }
}

#[derive(Clone, Debug)]
pub(super) struct TimedConnector<S> {
    inner: S,
}

impl<S, R> Service<R> for TimedConnector<S>
where
    S: Service<R, Error = BoxError>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, destination: R) -> Self::Future {
        let connecting = self.inner.call(destination);
        match CONNECT_TIMEOUT.try_with(|timeout| *timeout) {
            Ok(timeout) => Box::pin(async move {
                tokio::time::timeout(timeout, connecting)
                    .await
                    .unwrap_or_else(|_| Err(ConnectTimedOut.into()))
            }),
            Err(_) => Box::pin(connecting),
        }
    }
}
