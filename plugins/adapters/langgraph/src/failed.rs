//! What it means that a graph *failed*: an exception's class and what it says.

use consort_plugin_sdk::Failure;
use consort_plugin_sdk::http::response::{excerpt, said};
use serde_json::{Value, json};

/// Exceptions of Python, of HTTP clients and of models' SDKs that may not come
/// again. Anything else is the graph's own and comes with the same input.
const TRANSIENT: &[&str] = &[
    "APIConnectionError",
    "APITimeoutError",
    "BrokenPipeError",
    "ConnectError",
    "ConnectTimeout",
    "ConnectionError",
    "ConnectionRefusedError",
    "ConnectionResetError",
    "InternalServerError",
    "OverloadedError",
    "PoolTimeout",
    "RateLimitError",
    "ReadError",
    "ReadTimeout",
    "RemoteProtocolError",
    "ResourceExhausted",
    "ServiceUnavailable",
    "ServiceUnavailableError",
    "ThrottlingException",
    "TimeoutError",
    "WriteTimeout",
];

/// The failure that an object `__error__` means, whatever status it came under.
pub(crate) fn reported(error: &Value) -> Failure {
    failed(error["error"].as_str().unwrap_or_default(), &said(error)).with_detail(error)
}

/// The failure of a run that ended with an error, from what joining it says and
/// what Python calls the exception in the state. The first is better to read and
/// leaves out what a server hides from clients; the second says everything.
pub(crate) fn run_failed(joined: &Value, exception: Option<&str>) -> Failure {
    let error = &joined["__error__"];
    let class = error["error"].as_str();
    let message = if error.is_null() { String::new() } else { said(error) };
    let failure = match (class, exception) {
        (Some(class), None) => failed(class, &message),
        (Some(class), Some(exception)) if exception.contains(&message) => failed(class, &message),
        (_, Some(exception)) => {
            let (class, _) = exception.split_once('(').unwrap_or((exception, ""));
            failed(class, exception)
        }
        (None, None) => failed("", &message),
    };
    failure.with_detail(&json!({"error": error, "exception": exception}))
}

fn failed(class: &str, message: &str) -> Failure {
    let message = match message {
        "" => "the graph failed, and the server does not say why".to_owned(),
        message if class.is_empty() || message.starts_with(class) => {
            format!("the graph failed: {}", excerpt(message))
        }
        message => format!("the graph failed: {class}: {}", excerpt(message)),
    };
    let name = class.rsplit('.').next().unwrap_or(class);
    let failure = if TRANSIENT.contains(&name) {
        Failure::transient(message)
    } else {
        Failure::permanent(message)
    };
    failure.with_code("graph-failed")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn case(class: &str, message: &str, exception: Option<&str>) -> (bool, String) {
        let joined = json!({"__error__": {"error": class, "message": message}});
        let failure = run_failed(&joined, exception);
        assert_eq!(failure.code(), Some("graph-failed"));
        (matches!(failure, Failure::Transient(_)), failure.message().to_owned())
    }

    #[test]
    fn what_reads_better_is_said_unless_it_hides_something() {
        for (class, message, exception, is_transient, says) in [
            ("ValueError", "bad", None, false, "ValueError: bad"),
            ("ValueError", "bad", Some("ValueError('bad')"), false, "ValueError: bad"),
            (
                "IndexError",
                "An internal error occurred",
                Some("IndexError('list index out of range')"),
                false,
                "IndexError('list index out of range')",
            ),
            (
                "TimeoutError",
                "An internal error occurred",
                Some("TimeoutError()"),
                true,
                "TimeoutError()",
            ),
            ("openai.RateLimitError", "429", None, true, "openai.RateLimitError: 429"),
        ] {
            let said = case(class, message, exception);
            assert_eq!(said, (is_transient, format!("the graph failed: {says}")));
        }
    }

    #[test]
    fn a_server_that_says_nothing_is_quoted_so() {
        let failure = run_failed(&json!({"messages": []}), None);
        assert_eq!(failure.message(), "the graph failed, and the server does not say why");
        assert!(matches!(failure, Failure::Permanent(_)));
    }
}
