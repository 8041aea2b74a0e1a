//! Bodies on their way through the host: counted, paced and timed, one piece in
//! memory at a time. A piece is asked for when the other side takes it, so a
//! slow reader slows the writer.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame};
use tokio::time::{Instant, Sleep};
use wasmtime_wasi_http::{Error, WasiBody};

use super::call::CallState;
use super::fault::{self, OutgoingFault};
use super::mask::Mask;
use super::send::header_bytes;

/// Lets bytes through at the call's rate.
struct Pacer {
    call: Arc<CallState>,
    /// Counted, but not let through yet.
    rest: Bytes,
    /// The next piece, once its time has come.
    held: Option<Bytes>,
    wait: Option<Pin<Box<Sleep>>>,
}

impl Pacer {
    fn new(call: Arc<CallState>) -> Self {
        Self { call, rest: Bytes::new(), held: None, wait: None }
    }

    /// The next piece of what was pushed, when it may pass; `None` when all of
    /// it has passed.
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if self.held.is_none() && !self.rest.is_empty() {
            let piece = self.rest.split_to(self.rest.len().min(self.call.meter().piece()));
            let Some(due) = self.call.meter().book(piece.len() as u64, Instant::now()) else {
                return Poll::Ready(Some(piece));
            };
            sleep_until(&mut self.wait, due);
            self.held = Some(piece);
        }
        if let (Some(_), Some(wait)) = (&self.held, &mut self.wait) {
            ready!(wait.as_mut().poll(cx));
        }
        Poll::Ready(self.held.take())
    }

    fn is_empty(&self) -> bool {
        self.rest.is_empty() && self.held.is_none()
    }
}

/// Sets the timer, which is created at the first use.
fn sleep_until(timer: &mut Option<Pin<Box<Sleep>>>, due: Instant) {
    match timer {
        Some(timer) => timer.as_mut().reset(due),
        None => *timer = Some(Box::pin(tokio::time::sleep_until(due))),
    }
}

fn trailer_bytes(frame: &Frame<Bytes>) -> u64 {
    frame.trailers_ref().map_or(0, |trailers: &HeaderMap| header_bytes(trailers))
}

/// A request's body, from the guest to the network.
pub(super) struct OutgoingBody {
    /// Never locked: the mutex only makes the body shareable, as reqwest asks.
    body: Mutex<WasiBody>,
    pacer: Pacer,
}

impl OutgoingBody {
    pub(super) fn new(body: WasiBody, call: Arc<CallState>) -> Self {
        Self { body: Mutex::new(body), pacer: Pacer::new(call) }
    }
}

impl Body for OutgoingBody {
    type Data = Bytes;
    type Error = OutgoingFault;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, OutgoingFault>>> {
        let this = &mut *self;
        loop {
            if let Some(piece) = ready!(this.pacer.poll_piece(cx)) {
                return Poll::Ready(Some(Ok(Frame::data(piece))));
            }
            let body = this.body.get_mut().unwrap_or_else(PoisonError::into_inner);
            let frame = match ready!(Pin::new(body).poll_frame(cx)) {
                None => return Poll::Ready(None),
                Some(Err(_)) => return Poll::Ready(Some(Err(OutgoingFault::Guest))),
                Some(Ok(frame)) => frame,
            };
            let bytes = frame.data_ref().map_or_else(|| trailer_bytes(&frame), |d| d.len() as u64);
            if this.pacer.call.charge(bytes).is_err() {
                return Poll::Ready(Some(Err(OutgoingFault::Budget)));
            }
            match frame.into_data() {
                Ok(data) => this.pacer.rest = data,
                Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        let body = self.body.lock().unwrap_or_else(PoisonError::into_inner);
        self.pacer.is_empty() && body.is_end_stream()
    }
}

/// A response's body, from the network to the guest.
pub(super) struct IncomingBody {
    body: reqwest::Body,
    mask: Mask,
    /// They follow what the mask held back.
    trailers: Option<Frame<Bytes>>,
    pacer: Pacer,
    idle: Duration,
    /// When the whole response must have been read.
    deadline: Instant,
    timer: Option<Pin<Box<Sleep>>>,
    /// Whether the guest waits for the network, and the timer runs.
    waiting: bool,
}

impl IncomingBody {
    pub(super) fn new(
        body: reqwest::Body,
        mask: Mask,
        call: Arc<CallState>,
        idle: Duration,
        deadline: Instant,
    ) -> Self {
        let pacer = Pacer::new(call);
        Self { body, mask, trailers: None, pacer, idle, deadline, timer: None, waiting: false }
    }

    /// Ready with the error when the network took too long.
    fn poll_timer(&mut self, cx: &mut Context<'_>) -> Poll<Error> {
        if !self.waiting {
            self.waiting = true;
            let now = Instant::now();
            let idle_until = now.checked_add(self.idle).unwrap_or(self.deadline);
            sleep_until(&mut self.timer, idle_until.min(self.deadline));
        }
        if let Some(timer) = &mut self.timer {
            ready!(timer.as_mut().poll(cx));
        }
        Poll::Ready(if Instant::now() >= self.deadline {
            Error::HttpResponseTimeout
        } else {
            Error::ConnectionReadTimeout
        })
    }
}

impl Body for IncomingBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let this = &mut *self;
        loop {
            if let Some(piece) = ready!(this.pacer.poll_piece(cx)) {
                return Poll::Ready(Some(Ok(Frame::data(piece))));
            }
            if let Some(trailers) = this.trailers.take() {
                return Poll::Ready(Some(Ok(trailers)));
            }
            let frame = match Pin::new(&mut this.body).poll_frame(cx) {
                Poll::Pending => {
                    let error = ready!(this.poll_timer(cx));
                    return Poll::Ready(Some(Err(error)));
                }
                Poll::Ready(None) if !this.mask.is_empty() => {
                    this.pacer.rest = this.mask.finish();
                    continue;
                }
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Ready(Some(Err(error))) => {
                    let broken = format!("the answer broke off: {}", fault::causes(&error));
                    this.pacer.call.note(Some(broken));
                    return Poll::Ready(Some(Err(fault::in_response(&error))));
                }
                Poll::Ready(Some(Ok(frame))) => frame,
            };
            this.waiting = false;
            if Instant::now() >= this.deadline {
                return Poll::Ready(Some(Err(Error::HttpResponseTimeout)));
            }
            let bytes = frame.data_ref().map_or_else(|| trailer_bytes(&frame), |d| d.len() as u64);
            if let Err(allowed) = this.pacer.call.charge(bytes) {
                return Poll::Ready(Some(Err(Error::HttpResponseBodySize(Some(allowed)))));
            }
            match frame.into_data() {
                Ok(data) => this.pacer.rest = this.mask.pass(data),
                Err(trailers) => {
                    this.pacer.rest = this.mask.finish();
                    this.trailers = Some(trailers);
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        let nothing_left = self.mask.is_empty() && self.trailers.is_none();
        self.pacer.is_empty() && nothing_left && self.body.is_end_stream()
    }
}
