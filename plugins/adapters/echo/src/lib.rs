//! The *echo* adapter answers with what it was asked: the hello world of
//! adapters, and the no-op that benchmarks measure the host with.
//!
//! A task without input and dependencies gets its description back as text;
//! any other gets `{"description", "input", "dependencies"}`, the dependencies
//! by name. The document is put together from the parts' own JSON, so nothing
//! is parsed.
//!
//! An echo of an echo is nested two levels deeper, and an echo of two echoes is
//! twice as long. JSON that is nested too deeply is no valid result
//! (`consort:types` says how deep it may be), and what doubles with every task
//! soon fills any memory. So where a dependency's result is JSON of more than 32
//! levels or 4 KiB its size is shown in its place, `{"omitted_bytes": 1234}`, and
//! graphs of echoes may be as deep as they like.

use consort_plugin_sdk::{Adapter, BatchAdapter, Failure, Invocation, Payload, Step};

mod json;

/// Levels of a dependency's result that are still shown.
const DEEPEST: usize = 32;

/// Bytes of a dependency's JSON that are still shown.
const LONGEST: usize = 4 << 10;

/// Answers with the question.
pub struct Echo;

impl Adapter for Echo {
    fn start(call: Invocation) -> Result<Step, Failure> {
        if call.input.is_none() && call.dependencies.is_empty() {
            return Ok(Step::text(call.description));
        }
        Ok(Step::done(Payload::Json(document(&call))))
    }
}

/// An echo costs the same alone; this shows what a batch is, and spares instances.
impl BatchAdapter for Echo {
    fn start_batch(calls: Vec<Invocation>) -> Vec<Result<Step, Failure>> {
        calls.into_iter().map(Self::start).collect()
    }
}

consort_plugin_sdk::export_batching_adapter!(Echo, "plugin.json");

fn document(call: &Invocation) -> String {
    let mut out = String::from("{\"description\":");
    json::string(&mut out, &call.description);
    if let Some(input) = &call.input {
        out.push_str(",\"input\":");
        json::payload(&mut out, input);
    }
    out.push_str(",\"dependencies\":{");
    for (i, dependency) in call.dependencies.iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        json::string(&mut out, &dependency.name);
        out.push(':');
        match &dependency.value {
            Payload::Json(text) if text.len() > LONGEST || json::depth(text) > DEEPEST => {
                out.push_str(&format!("{{\"omitted_bytes\":{}}}", text.len()));
            }
            value => json::payload(&mut out, value),
        }
    }
    out.push_str("}}");
    out
}

#[cfg(test)]
mod tests {
    use consort_plugin_sdk::serde_json::{Value, json};
    use consort_plugin_sdk::testing::{batch, invocation};
    use consort_plugin_sdk::{Blob, Outcome};

    use super::*;

    fn echoed(call: Invocation) -> Value {
        let Ok(Step::Done(Outcome { output, .. })) = Echo::start(call) else {
            panic!("echo always finishes");
        };
        output.to_value().unwrap()
    }

    #[test]
    fn a_bare_description_comes_back_as_text() {
        assert_eq!(Echo::start(invocation("hello")), Ok(Step::text("hello")));
    }

    #[test]
    fn a_batch_comes_back_in_order() {
        let answers = Echo::start_batch(batch(&["one", "two", "three"]));
        assert_eq!(answers, ["one", "two", "three"].map(|text| Ok(Step::text(text))));
    }

    #[test]
    fn inputs_come_back_by_name_and_with_their_type() {
        let call = invocation("say \"hi\"\n\u{1}")
            .with_input(Payload::Json("[1, {}]".into()))
            .after("text", Payload::Text("tab\t é \\".into()))
            .after("json", Payload::Json("null".into()))
            .after("bytes", Payload::Blob(Blob { media_type: "a/b".into(), data: vec![255] }));
        let expected = json!({
            "description": "say \"hi\"\n\u{1}",
            "input": [1, {}],
            "dependencies": {
                "text": "tab\t é \\",
                "json": null,
                "bytes": {"media_type": "a/b", "base64": "/w=="},
            },
        });
        assert_eq!(echoed(call), expected);
    }

    #[test]
    fn a_chain_of_echoes_is_never_too_deep_or_too_long() {
        let mut last = Payload::Text("start".into());
        for hop in 0..1_000 {
            let document = document(&invocation("hop").after("before", last));
            assert!(document.len() < 1_000, "hop {hop}: {} bytes", document.len());
            assert!(json::depth(&document) <= DEEPEST + 2, "hop {hop}: {document}");
            last = Payload::Json(document);
        }
        assert!(last.to_value().is_ok());
    }

    #[test]
    fn what_is_too_deep_is_shown_as_its_size() {
        let nested = |levels| "[".repeat(levels) + &"]".repeat(levels);
        let shown = |levels| {
            let call = invocation("").after("deep", Payload::Json(nested(levels)));
            echoed(call)["dependencies"]["deep"].clone()
        };
        assert!(shown(DEEPEST).is_array());
        assert_eq!(shown(DEEPEST + 1), json!({"omitted_bytes": 2 * (DEEPEST + 1)}));
    }

    #[test]
    fn a_task_without_dependencies_shows_none() {
        let call = invocation("").with_input(Payload::Text("x".into()));
        assert_eq!(echoed(call), json!({"description": "", "input": "x", "dependencies": {}}));
    }
}
