//! What to do to the text.

use consort_plugin_sdk::{Failure, TransformContext};
use serde::Deserialize;

/// As written where the transformer is used, defaults filled in.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Config {
    pub(crate) markdown: Markdown,
    pub(crate) replace: Vec<Replacement>,
    pub(crate) whitespace: Whitespace,
    pub(crate) trim: bool,
    pub(crate) case: Case,
    pub(crate) max_chars: Option<usize>,
    pub(crate) max_graphemes: Option<usize>,
    pub(crate) max_words: Option<usize>,
    pub(crate) ellipsis: String,
}

/// What happens to Markdown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Markdown {
    Keep,
    Strip,
}

/// Exact text and what stands there instead.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Replacement {
    pub(crate) from: String,
    pub(crate) to: String,
}

/// What happens to runs of white space.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Whitespace {
    Keep,
    Collapse,
    Lines,
}

/// What happens to letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Case {
    Keep,
    Lower,
    Upper,
    Title,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            markdown: Markdown::Keep,
            replace: Vec::new(),
            whitespace: Whitespace::Keep,
            trim: false,
            case: Case::Keep,
            max_chars: None,
            max_graphemes: None,
            max_words: None,
            ellipsis: "…".into(),
        }
    }
}

impl Config {
    /// Reads and checks it; `InvalidInput` names the field.
    pub(crate) fn of(context: &TransformContext) -> Result<Self, Failure> {
        Self::parse(&context.config)
    }

    /// The same of its text.
    pub(crate) fn parse(text: &str) -> Result<Self, Failure> {
        let config: Self = consort_plugin_sdk::config::parse(text)?;
        let refuse =
            |message: String| Err(Failure::invalid_input(message).with_code("invalid-config"));
        if config.replace.iter().any(|replacement| replacement.from.is_empty()) {
            return refuse("a 'from' in 'replace' is empty: write the text to replace".into());
        }
        if config.max_words == Some(0) {
            return refuse("'max_words' is 0: use 1 or more".into());
        }
        let ellipsis = config.ellipsis.chars().count();
        for (field, limit) in
            [("max_chars", config.max_chars), ("max_graphemes", config.max_graphemes)]
        {
            if let Some(limit) = limit.filter(|&limit| limit == 0 || limit < ellipsis) {
                return refuse(format!(
                    "'{field}' is {limit}, shorter than 'ellipsis' or 0: use {} or more",
                    ellipsis.max(1)
                ));
            }
        }
        Ok(config)
    }
}
