//! An *answer* is text in which somebody was asked to write JSON.

use consort_plugin_sdk::Payload;
use serde::de::IgnoredAny;

/// How much of an answer an error quotes, in characters.
const EXCERPT: usize = 80;

/// The JSON document of an answer, as it was written. JSON that is not a string
/// is left as it is; a problem reads after "failed to".
pub(crate) fn parse(answer: Payload) -> Result<Payload, String> {
    let is_document = match &answer {
        Payload::Json(text) => !text.trim_start().starts_with('"'),
        Payload::Blob(_) | Payload::Text(_) => false,
    };
    if is_document {
        return Ok(answer);
    }
    let text = answer.to_text().map_err(|failure| failure.message().to_owned())?;
    let trimmed = text.trim().trim_start_matches('\u{feff}');
    let as_is = check(trimmed);
    let found = match (&as_is, fenced(trimmed)) {
        (Ok(()), _) => trimmed,
        (Err(_), Some(inside)) if check(inside).is_ok() => inside,
        (Err(error), _) => {
            let start: String = trimmed.chars().take(EXCERPT).collect();
            let more = if start.len() < trimmed.len() { " …" } else { "" };
            return Err(format!("the answer is not JSON: {error}; it starts '{start}{more}'"));
        }
    };
    Ok(Payload::Json(found.to_owned()))
}

fn check(text: &str) -> Result<(), serde_json::Error> {
    serde_json::from_str::<IgnoredAny>(text).map(|IgnoredAny| ())
}

/// What stands in the first Markdown code fence.
fn fenced(text: &str) -> Option<&str> {
    let (_, after) = text.split_once("```")?;
    // The info string ends with its line; without a line break there is none.
    let inside = match after.find(['\n', '{', '[']) {
        Some(at) => &after[at..],
        None => after,
    };
    let inside = inside.split_once("```").map_or(inside, |(inside, _)| inside);
    Some(inside.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_found_where_models_put_them() {
        for (answer, expected) in [
            ("{\"a\": 1}", "{\"a\": 1}"),
            ("  [1]\n", "[1]"),
            ("```json\n{\"a\": 1}\n```", "{\"a\": 1}"),
            ("```\n[1, 2]\n```\n", "[1, 2]"),
            ("Here you are:\n\n```JSON\n{}\n```\nAnything else?", "{}"),
            ("```json {\"a\": 1}```", "{\"a\": 1}"),
            ("```json\n{\"a\": 1}", "{\"a\": 1}"),
            ("\u{feff}{}", "{}"),
            ("\"a ``` b\"", "\"a ``` b\""),
            ("12345678901234567890123", "12345678901234567890123"),
        ] {
            assert_eq!(parse(answer.into()), Ok(Payload::Json(expected.into())), "{answer:?}");
        }
    }

    #[test]
    fn json_is_left_alone_and_a_json_string_is_an_answer() {
        let document = Payload::Json(" {\"a\":1}".into());
        assert_eq!(parse(document.clone()), Ok(document));
        let string = Payload::Json("\"```json\\n[1]\\n```\"".into());
        assert_eq!(parse(string), Ok(Payload::Json("[1]".into())));
    }

    #[test]
    fn what_is_not_json_is_quoted() {
        for answer in ["", "Sorry, no.", "{\"a\": ", "```\nnope\n```", "{} {}"] {
            let problem = parse(answer.into()).unwrap_err();
            assert!(problem.starts_with("the answer is not JSON: "), "{problem}");
        }
        let problem = parse("é".repeat(1 << 20).into()).unwrap_err();
        assert!(problem.ends_with(" …'") && problem.len() < 400, "{problem}");
    }
}
