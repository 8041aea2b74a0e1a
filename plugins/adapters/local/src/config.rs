//! The agent's configuration: which operation, and how much of its result.

use consort_plugin_sdk::{Failure, Invocation};
use serde::Deserialize;

use crate::operation::Operation;

/// As the operator wrote it, defaults filled in.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Config {
    /// What to do; `auto` lets the task say.
    pub(crate) operation: Choice,
    /// Keywords listed, at most.
    pub(crate) keywords: usize,
    /// Words of a keyword, at most.
    pub(crate) phrase_words: usize,
    /// Sentences of a summary, at most.
    pub(crate) sentences: usize,
    /// Frequent words in statistics, at most.
    pub(crate) top_words: usize,
    /// Words that are never keywords, beside the built-in English ones.
    pub(crate) stop_words: Vec<String>,
    /// What merge produces.
    pub(crate) format: Format,
    /// Title of a merged report; the description otherwise.
    pub(crate) title: Option<String>,
}

/// An operation, or that the task decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Choice {
    /// [`operation::choose`](crate::operation::choose) decides.
    Auto,
    /// [`Operation::Keywords`].
    Keywords,
    /// [`Operation::Summary`].
    Summary,
    /// [`Operation::Statistics`].
    Statistics,
    /// [`Operation::Merge`].
    Merge,
}

impl Choice {
    /// The operation, unless the task decides.
    pub(crate) fn fixed(self) -> Option<Operation> {
        match self {
            Self::Auto => None,
            Self::Keywords => Some(Operation::Keywords),
            Self::Summary => Some(Operation::Summary),
            Self::Statistics => Some(Operation::Statistics),
            Self::Merge => Some(Operation::Merge),
        }
    }
}

/// What merge produces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Format {
    /// One Markdown document, as text.
    Markdown,
    /// An object with the report and its sections.
    Json,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            operation: Choice::Auto,
            keywords: 10,
            phrase_words: 3,
            sentences: 3,
            top_words: 10,
            stop_words: Vec::new(),
            format: Format::Markdown,
            title: None,
        }
    }
}

impl Config {
    /// Reads and checks it; `InvalidInput` names the field.
    pub(crate) fn of(call: &Invocation) -> Result<Self, Failure> {
        let config: Self = call.parse_config()?;
        for (field, value, least, most) in [
            ("keywords", config.keywords, 1, 100),
            ("phrase_words", config.phrase_words, 1, 5),
            ("sentences", config.sentences, 1, 100),
            ("top_words", config.top_words, 0, 100),
            ("stop_words", config.stop_words.len(), 0, 1000),
        ] {
            if !(least..=most).contains(&value) {
                let what = if field == "stop_words" { "entries in 'stop_words'" } else { field };
                let message = format!("{value} is out of range for {what}: use {least} to {most}");
                return Err(Failure::invalid_input(message).with_code("invalid-config"));
            }
        }
        Ok(config)
    }
}

#[cfg(test)]
mod tests {
    use consort_plugin_sdk::testing::invocation;

    use super::*;

    fn message(config: &str) -> String {
        Config::of(&invocation("").configured(config)).unwrap_err().message().to_owned()
    }

    #[test]
    fn nothing_configured_is_the_default() {
        assert_eq!(Config::of(&invocation("")).unwrap(), Config::default());
    }

    #[test]
    fn problems_name_the_field() {
        for (config, parts) in [
            (r#"{"operation": "translate"}"#, ["translate", "`auto`"]),
            (r#"{"sentances": 3}"#, ["`sentances`", "`sentences`"]),
            (r#"{"keywords": 0}"#, ["0 is out of range for keywords", "1 to 100"]),
            (r#"{"sentences": -1}"#, ["sentences", "-1"]),
            (r#"{"phrase_words": 6}"#, ["phrase_words", "1 to 5"]),
            (r#"{"format": 1}"#, ["format", "1"]),
        ] {
            let message = message(config);
            for part in parts {
                assert!(message.contains(part), "{part:?} is not in {message:?}");
            }
        }
    }
}
