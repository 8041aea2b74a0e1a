//! The *endpoint*: people write the base URL that their server documents, and
//! mean its chat completions.

use consort_plugin_sdk::Failure;
use consort_plugin_sdk::http::url::Url;

const RESOURCE: &str = "/chat/completions";

/// The URL to post to. One that ends in `/chat/completions` is taken as it is;
/// one without a path gets `/v1/chat/completions`; any other, such as one that
/// ends in `/v1`, gets `/chat/completions`. A query is kept.
pub(crate) fn completions(url: &str) -> Result<String, Failure> {
    let mut url = Url::parse(url)?;
    let base = url.path.trim_end_matches('/');
    url.path = match base {
        "" => format!("/v1{RESOURCE}"),
        complete if complete.ends_with(RESOURCE) => complete.to_owned(),
        base => format!("{base}{RESOURCE}"),
    };
    Ok(url.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_base_url_leads_to_chat_completions() {
        for (written, meant) in [
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080/v1/chat/completions"),
            ("http://127.0.0.1:8080/", "http://127.0.0.1:8080/v1/chat/completions"),
            ("https://api.example/v1", "https://api.example/v1/chat/completions"),
            ("https://api.example/openai/v1/", "https://api.example/openai/v1/chat/completions"),
            ("https://api.example/x/chat/completions", "https://api.example/x/chat/completions"),
            ("https://a.example/d/gpt?v=1", "https://a.example/d/gpt/chat/completions?v=1"),
        ] {
            assert_eq!(completions(written).unwrap(), meant, "{written}");
        }
        assert!(completions("api.example/v1").is_err());
    }
}
