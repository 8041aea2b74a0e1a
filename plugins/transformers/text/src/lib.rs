//! The *text* transformer cleans and shortens text.
//!
//! What is configured is done in this order: `markdown`, `replace`,
//! `whitespace`, `trim`, `case`, then the limits (`max_chars`, `max_graphemes`,
//! `max_words`; the strictest wins). The value must be text, bytes that are
//! UTF-8, or plain JSON (a string, a number, a boolean); the result is text.
//!
//! # Layout
//!
//! `config`, `markdown`, `whitespace`, `case`, `truncate`: one step
//! each.

use std::borrow::Cow;

use consort_plugin_sdk::{
    CheckedTransformer, Complaint, Failure, Payload, TransformContext, Transformer,
};

mod case;
mod config;
mod markdown;
mod truncate;
mod whitespace;

use config::{Config, Markdown};

/// Cleans and shortens text.
pub struct Text;

impl Transformer for Text {
    fn transform(value: Payload, context: TransformContext) -> Result<Payload, Failure> {
        let config = Config::of(&context)?;
        let mut text = read(&value)?;
        if config.markdown == Markdown::Strip {
            text = Cow::Owned(markdown::strip(&text));
        }
        for replacement in &config.replace {
            if text.contains(&replacement.from) {
                text = Cow::Owned(text.replace(&replacement.from, &replacement.to));
            }
        }
        text = whitespace::apply(config.whitespace, text);
        if config.trim {
            text = Cow::Owned(text.trim().to_owned());
        }
        text = case::apply(config.case, text);
        text = truncate::apply(&config, text);
        Ok(Payload::Text(text.into_owned()))
    }
}

impl CheckedTransformer for Text {
    fn check(text: &str) -> Vec<Complaint> {
        Complaint::of("", Config::parse(text))
    }
}

consort_plugin_sdk::export_checked_transformer!(Text, "plugin.json");

fn read(value: &Payload) -> Result<Cow<'_, str>, Failure> {
    let compound = match value {
        Payload::Json(text) if text.trim_start().starts_with('{') => "an object",
        Payload::Json(text) if text.trim_start().starts_with('[') => "an array",
        _ => return value.to_text(),
    };
    let message = format!(
        "the value is {compound} and not text; pick the text out of it first, for example with \
         the transformer 'jq' and the filter '.text'"
    );
    Err(Failure::invalid_input(message).with_code("not-text"))
}

#[cfg(test)]
mod tests;
