//! A *message* is how one speaks to a model: a role and a content, which is text
//! or a list of parts. The one that asks holds the description, and the input
//! and every dependency's result as a section with a heading.

use serde_json::{Value, json};

use crate::adapter::Invocation;
use crate::failure::Failure;
use crate::payload::{Blob, Payload, base64};

/// The content of the user message for a task: text, or, when images go along, a
/// list of parts as chat completions take it. `InvalidInput` when there is
/// nothing to ask, or a value is bytes that are neither text nor an image.
pub fn user_content(call: &Invocation) -> Result<Value, Failure> {
    let mut message = UserMessage { text: call.description.clone(), images: Vec::new() };
    if let Some(input) = &call.input {
        message.section("Input", input)?;
    }
    for dependency in &call.dependencies {
        message.section(&format!("Result of {}", dependency.name), &dependency.value)?;
    }
    if message.text.is_empty() {
        let message = "the task has nothing to ask; give it a 'description' or an 'input'";
        return Err(Failure::invalid_input(message).with_code("empty-task"));
    }
    Ok(message.content())
}

/// The text of a content: itself, or that of its parts together. Empty when
/// there is none.
pub fn text(content: &Value) -> String {
    let part = |part: &Value| part.as_str().or(part["text"].as_str()).map(str::to_owned);
    match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().filter_map(part).collect(),
        _ => String::new(),
    }
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
    use super::*;
    use crate::testing::invocation;

    #[test]
    fn input_and_results_are_named_sections() {
        let call = invocation("Merge these")
            .with_input(Payload::Json(r#"{"n": 2}"#.into()))
            .after("notes", Payload::Text("first\nsecond".into()))
            .after("title", Payload::Json(r#""A title""#.into()));
        let expected = "Merge these\n\n## Input\n\n{\"n\": 2}\n\n\
            ## Result of notes\n\nfirst\nsecond\n\n## Result of title\n\nA title";
        assert_eq!(user_content(&call), Ok(json!(expected)));
    }

    #[test]
    fn an_image_is_attached() {
        let image = Payload::Blob(Blob { media_type: "image/png".into(), data: vec![1, 2, 3] });
        let content = user_content(&invocation("Look").after("plot", image)).unwrap();
        assert_eq!(content[0]["text"], "Look\n\n## Result of plot\n\n(attached image 1)");
        assert_eq!(content[1]["image_url"]["url"], "data:image/png;base64,AQID");
    }

    #[test]
    fn other_bytes_and_empty_tasks_are_refused() {
        let pdf = Payload::Blob(Blob { media_type: "application/pdf".into(), data: vec![0xff] });
        let failure = user_content(&invocation("").after("paper", pdf)).unwrap_err();
        assert!(matches!(failure, Failure::InvalidInput(_)), "{failure:?}");
        let failure = user_content(&invocation("")).unwrap_err();
        assert_eq!(failure.code(), Some("empty-task"));
    }

    #[test]
    fn parts_are_one_text() {
        let parts = json!(["a", {"type": "text", "text": "b"}, {"type": "image_url"}]);
        for (content, said) in [(json!("x"), "x"), (parts, "ab"), (json!(null), "")] {
            assert_eq!(text(&content), said);
        }
    }
}
