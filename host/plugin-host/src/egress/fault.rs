//! Turns what goes wrong on the network into the error codes of `wasi:http`,
//! which use the words of RFC 9209.

use std::error::Error as StdError;
use std::fmt;
use std::io;

use wasmtime_wasi_http::Error;

use super::connect::ConnectTimedOut;

/// Why a request's body ended early, on our side of the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OutgoingFault {
    /// The call's byte budget is spent.
    Budget,
    /// The guest dropped its body, or wrote less than it had announced.
    Guest,
}

impl fmt::Display for OutgoingFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Budget => "the byte budget of the call is spent",
            Self::Guest => "the guest ended the body early",
        })
    }
}

impl StdError for OutgoingFault {}

/// An error before the response's header was there.
pub(super) fn before_response(error: &reqwest::Error) -> Error {
    if let Some(fault) = find::<OutgoingFault>(error) {
        return match fault {
            OutgoingFault::Budget => Error::HttpRequestBodySize(None),
            OutgoingFault::Guest => Error::HttpProtocolError,
        };
    }
    if find::<ConnectTimedOut>(error).is_some() || (error.is_connect() && error.is_timeout()) {
        return Error::ConnectionTimeout;
    }
    if error.is_dns() {
        let rcode = chain(error).last().map(ToString::to_string);
        return Error::DnsError { rcode, info_code: None };
    }
    transport(error).unwrap_or_else(|| match find::<hyper::Error>(error) {
        Some(hyper)
            if hyper.is_incomplete_message() || hyper.is_canceled() || hyper.is_closed() =>
        {
            Error::ConnectionTerminated
        }
        _ => Error::HttpProtocolError,
    })
}

/// An error while the response's body was read.
pub(super) fn in_response(error: &reqwest::Error) -> Error {
    if error.is_timeout() {
        return Error::ConnectionReadTimeout;
    }
    match transport(error) {
        None | Some(Error::ConnectionTerminated) => Error::HttpResponseIncomplete,
        Some(error) => error,
    }
}

/// Whether the response's header is larger than the HTTP implementation reads.
pub(super) fn header_too_large(error: &reqwest::Error) -> bool {
    find::<hyper::Error>(error).is_some_and(hyper::Error::is_parse_too_large)
}

fn transport(error: &reqwest::Error) -> Option<Error> {
    if let Some(tls) = find::<rustls::Error>(error) {
        return Some(match tls {
            rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented => {
                Error::TlsCertificateError
            }
            rustls::Error::AlertReceived(alert) => Error::TlsAlertReceived {
                alert_id: Some(u8::from(*alert)),
                alert_message: Some(format!("{alert:?}")),
            },
            _ => Error::TlsProtocolError,
        });
    }
    let io = find::<io::Error>(error)?;
    if out_of_descriptors(io) {
        tracing::warn!(error = %io, "too many open files; raise the limit with 'ulimit -n'");
        return Some(Error::ConnectionLimitReached);
    }
    Some(match io.kind() {
        io::ErrorKind::ConnectionRefused => Error::ConnectionRefused,
        io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe
        | io::ErrorKind::NotConnected
        | io::ErrorKind::UnexpectedEof => Error::ConnectionTerminated,
        io::ErrorKind::TimedOut => Error::ConnectionReadTimeout,
        io::ErrorKind::HostUnreachable => Error::DestinationUnavailable,
        io::ErrorKind::NetworkUnreachable => Error::DestinationIpUnroutable,
        // No local port is free.
        io::ErrorKind::AddrNotAvailable | io::ErrorKind::AddrInUse => Error::ConnectionLimitReached,
        _ => return None,
    })
}

#[cfg(unix)]
fn out_of_descriptors(error: &io::Error) -> bool {
    /// ENFILE and EMFILE have the same numbers on every Unix.
    const TOO_MANY_FILES: [i32; 2] = [23, 24];
    error.raw_os_error().is_some_and(|code| TOO_MANY_FILES.contains(&code))
}

#[cfg(not(unix))]
fn out_of_descriptors(_: &io::Error) -> bool {
    false
}

/// The first error of type `E` in the chain of causes.
pub(super) fn find<'a, E: StdError + 'static>(
    error: &'a (dyn StdError + 'static),
) -> Option<&'a E> {
    chain(error).find_map(|error| error.downcast_ref())
}

/// An error and its causes, including those inside I/O errors, which
/// [`StdError::source`] skips.
fn chain<'a>(
    error: &'a (dyn StdError + 'static),
) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |&error| {
        match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(inner) => Some(inner as &(dyn StdError + 'static)),
            None => error.source(),
        }
    })
}

/// An error and its causes in one line, for logs.
pub(super) fn causes(error: &reqwest::Error) -> String {
    let parts: Vec<String> = chain(error).skip(1).map(ToString::to_string).collect();
    parts.join(": ")
}
