//! What happens in a run, told to whoever wants to hear it and waiting for nobody.

use std::sync::Arc;

use futures::Stream;
use serde::{Serialize, Serializer};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

use crate::watch::{RunEvent, Watcher};

/// Events that wait for a subscriber; who is slower misses the oldest.
const MOST_WAITING: usize = 4_096;

/// Something that happened, and when. As JSON it is what `consort history --json`
/// prints on a line.
#[derive(Debug, Clone, Serialize)]
pub struct Happening {
    /// Milliseconds since the epoch; in JSON RFC 3339.
    #[serde(serialize_with = "rfc3339")]
    pub at: i64,
    /// What happened.
    #[serde(flatten)]
    pub event: Arc<RunEvent>,
}

/// So many events came and went before a subscriber took them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} events were missed")]
pub struct Missed(pub u64);

/// Hears what happens in a run. At most 4,096 events wait for it, and it is told
/// how many it has missed when it is too slow: no run waits for it.
#[derive(Debug)]
pub struct Subscription {
    /// None when the run was over.
    events: Option<broadcast::Receiver<Happening>>,
}

impl Subscription {
    pub(super) fn to(hub: Option<Arc<Hub>>) -> Self {
        Self { events: hub.map(|hub| hub.0.subscribe()) }
    }

    /// What happens next, or how much was missed before that; none when the run
    /// is over. May be dropped and called again without a loss.
    pub async fn next(&mut self) -> Option<Result<Happening, Missed>> {
        match self.events.as_mut()?.recv().await {
            Ok(happening) => Some(Ok(happening)),
            Err(RecvError::Lagged(missed)) => Some(Err(Missed(missed))),
            Err(RecvError::Closed) => None,
        }
    }

    /// The same as a stream.
    pub fn into_stream(self) -> impl Stream<Item = Result<Happening, Missed>> + Send + Unpin {
        let next = async |mut own: Self| Some((own.next().await?, own));
        Box::pin(futures::stream::unfold(self, next))
    }
}

/// Passes on what happens.
pub(super) struct Hub(broadcast::Sender<Happening>);

impl Hub {
    pub(super) fn new() -> Self {
        Self(broadcast::Sender::new(MOST_WAITING))
    }
}

impl Watcher for Hub {
    fn event(&self, event: &RunEvent) {
        if self.0.receiver_count() > 0 {
            let happening = Happening { at: crate::now(), event: Arc::new(event.clone()) };
            // The last of them may just have gone.
            let _ = self.0.send(happening);
        }
    }
}

fn rfc3339<S: Serializer>(at: &i64, to: S) -> Result<S::Ok, S::Error> {
    match jiff::Timestamp::from_millisecond(*at) {
        Ok(at) => to.collect_str(&at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ")),
        Err(_) => to.serialize_i64(*at),
    }
}
