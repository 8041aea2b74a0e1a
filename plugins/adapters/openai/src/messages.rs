//! The *messages* are the task in a model's terms: the system message, then one
//! user message with the description, and the input and every dependency's
//! result as a section with a heading.

use consort_plugin_sdk::payload::base64;
use consort_plugin_sdk::{Blob, Failure, Invocation, Payload};
use serde_json::{Value, json};

/// The messages for a task.
pub(crate) fn messages(call: &Invocation, system: Option<&str>) -> Result<Value, Failure> {
    let mut user = UserMessage { text: call.description.clone(), images: Vec::new() };
    if let Some(input) = &call.input {
        user.section("Input", input)?;
    }
    for dependency in &call.dependencies {
        user.section(&format!("Result of {}", dependency.name), &dependency.value)?;
    }
    if user.text.is_empty() {
        let message = "the task has nothing to ask; give it a 'description' or an 'input'";
        return Err(Failure::invalid_input(message).with_code("empty-task"));
    }
    let mut messages = Vec::with_capacity(2);
    if let Some(system) = system {
        messages.push(json!({"role": "system", "content": system}));
    }
    messages.push(json!({"role": "user", "content": user.content()}));
    Ok(Value::Array(messages))
}

struct UserMessage {
    text: String,
    /// Data URLs.
    images: Vec<String>,
}

impl UserMessage {
    /// Appends a value under a heading. Images go along as images.
    fn section(&mut self, heading: &str, value: &Payload) -> Result<(), Failure> {
        if !self.text.is_empty() {
            self.text.push_str("\n\n");
        }
        self.text.push_str(&format!("## {heading}\n\n"));
        match value {
            Payload::Blob(Blob { media_type, data }) if media_type.starts_with("image/") => {
                self.images.push(format!("data:{media_type};base64,{}", base64(data)));
                self.text.push_str(&format!("(attached image {})", self.images.len()));
            }
            other => {
                let text = other.to_text().map_err(|failure| failure.context(heading))?;
                self.text.push_str(&text);
            }
        }
        Ok(())
    }

    fn content(self) -> Value {
        if self.images.is_empty() {
            return Value::String(self.text);
        }
        let image = |url| json!({"type": "image_url", "image_url": {"url": url}});
        let text = json!({"type": "text", "text": self.text});
        std::iter::once(text).chain(self.images.into_iter().map(image)).collect()
    }
}

#[cfg(test)]
mod tests {
    use consort_plugin_sdk::testing::invocation;

    use super::*;

    #[test]
    fn input_and_results_are_named_sections_of_the_user_message() {
        let call = invocation("Merge these")
            .with_input(Payload::Json(r#"{"n": 2}"#.into()))
            .after("notes", Payload::Text("first\nsecond".into()))
            .after("title", Payload::Json(r#""A title""#.into()));
        let expected = json!([
            {"role": "system", "content": "Be brief"},
            {"role": "user", "content": "Merge these\n\n## Input\n\n{\"n\": 2}\n\n\
                ## Result of notes\n\nfirst\nsecond\n\n## Result of title\n\nA title"},
        ]);
        assert_eq!(messages(&call, Some("Be brief")), Ok(expected));
    }

    #[test]
    fn an_image_is_attached() {
        let image = Payload::Blob(Blob { media_type: "image/png".into(), data: vec![1, 2, 3] });
        let messages = messages(&invocation("Look").after("plot", image), None).unwrap();
        let content = &messages[0]["content"];
        assert_eq!(content[0]["text"], "Look\n\n## Result of plot\n\n(attached image 1)");
        assert_eq!(content[1]["image_url"]["url"], "data:image/png;base64,AQID");
    }

    #[test]
    fn other_bytes_and_empty_tasks_are_refused() {
        let pdf = Payload::Blob(Blob { media_type: "application/pdf".into(), data: vec![0xff] });
        let failure = messages(&invocation("").after("paper", pdf), None).unwrap_err();
        assert!(matches!(failure, Failure::InvalidInput(_)), "{failure:?}");
        let failure = messages(&invocation(""), None).unwrap_err();
        assert_eq!(failure.code(), Some("empty-task"));
    }
}
