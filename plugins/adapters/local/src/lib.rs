//! The *local* adapter works on text inside the sandbox: no model, no network,
//! no files. It is the agent of people who want to try a workflow before they
//! have agents, and a useful step in workflows that have.
//!
//! It works on the task's input and the results of its dependencies (a string,
//! an object with `text`, or every string inside anything else), or on the
//! description when there is nothing else. The same material and configuration
//! always give the same result.
//!
//! Results are JSON objects that name their `operation` and hold a `text` that
//! reads on its own, so that the next task can work on it:
//!
//! - `keywords`: `{operation, text, keywords: [{phrase, score, count}], sources}`
//! - `summary`: `{operation, text, sentences: [{text, source, position, score}],
//!   available, ranked, sources}`
//! - `statistics`: `{operation, text, words, sentences, …, sources}`
//! - `merge`: Markdown text, or `{operation, text, title, sections: [{name, task,
//!   value}]}` when `format` is `json`
//!
//! A `note` is added where the text is not what one would expect it to be.
//!
//! # Layout
//!
//! `operation` decides what is done, `material` gathers what it is done to,
//! `document` reads it (`blocks`, `sentences` with `abbreviations`,
//! `words`, `stop_words`), and `keywords` (from `phrases` and
//! `term_costs`), `summary`, `statistics` and `merge` do it.

use consort_plugin_sdk::host::{self, Level, Update};
use consort_plugin_sdk::serde_json::{Value, json};
use consort_plugin_sdk::{Adapter, Failure, Invocation, Payload, Step};

mod abbreviations;
mod blocks;
mod config;
mod document;
mod keywords;
mod material;
mod merge;
mod operation;
mod phrases;
mod sentences;
mod statistics;
mod stop_words;
mod summary;
mod term_costs;
mod words;

use config::{Config, Format};
use document::{Document, Sentences};
use material::Material;
use operation::Operation;

/// Works on text.
pub struct Local;

impl Adapter for Local {
    fn start(call: Invocation) -> Result<Step, Failure> {
        let config = Config::of(&call)?;
        let (operation, reason) = operation::choose(&config, &call);
        let chosen = format!("operation {}, chosen by {}", operation.name(), reason.name());
        host::log(Level::Debug, &chosen);
        progress(0.1, "reading");
        let material = Material::of(&call)?;
        let output = match operation {
            Operation::Merge => merge(&config, &call, &material),
            _ => {
                material.require_text()?;
                Payload::Json(work(operation, &config, &material).to_string())
            }
        };
        progress(1.0, "done");
        Ok(Step::done(output))
    }
}

consort_plugin_sdk::export_adapter!(Local, "plugin.json");

fn progress(fraction: f64, message: &str) {
    host::report(&Update {
        fraction: Some(fraction),
        message: Some(message.into()),
        partial: None,
    });
}

fn work(operation: Operation, config: &Config, material: &Material) -> Value {
    let sentences = Sentences::of(&material.sources);
    let document = Document::read(&sentences, &config.stop_words);
    progress(0.5, &format!("{}: {} words", operation.name(), document.word_count()));
    let mut result = match operation {
        Operation::Keywords => keywords_result(config, &document),
        Operation::Statistics => statistics_result(config, &document),
        Operation::Summary | Operation::Merge => summary_result(config, &document, material),
    };
    let names: Vec<&str> = material.sources.iter().map(|source| source.name.as_str()).collect();
    result["sources"] = json!(names);
    if let Some(note) = material.note {
        result["note"] = json!(note);
    }
    result
}

fn keywords_result(config: &Config, document: &Document<'_>) -> Value {
    let keywords = keywords::extract(document, config.keywords, config.phrase_words);
    let phrases: Vec<&str> = keywords.iter().map(|keyword| keyword.phrase.as_str()).collect();
    json!({"operation": Operation::Keywords, "text": phrases.join(", "), "keywords": keywords})
}

fn statistics_result(config: &Config, document: &Document<'_>) -> Value {
    let statistics = statistics::count(document, config.top_words);
    let text = if statistics.words == 0 { String::new() } else { statistics.in_words() };
    let mut result = json!({"operation": Operation::Statistics, "text": text});
    if let Ok(Value::Object(figures)) = consort_plugin_sdk::serde_json::to_value(&statistics) {
        for (name, figure) in figures {
            result[name] = figure;
        }
    }
    result
}

fn summary_result(config: &Config, document: &Document<'_>, material: &Material) -> Value {
    let summary = summary::summarise(document, config.sentences);
    let mut text = String::new();
    let mut last_source = None;
    for chosen in &summary.sentences {
        if let Some(last) = last_source {
            text.push_str(if last == chosen.source { " " } else { "\n\n" });
        }
        text.push_str(&chosen.text);
        last_source = Some(chosen.source);
    }
    let sentences: Vec<Value> = summary
        .sentences
        .iter()
        .map(|chosen| {
            json!({
                "text": chosen.text,
                "source": material.sources[chosen.source].name,
                "position": chosen.position,
                "score": chosen.score,
            })
        })
        .collect();
    json!({
        "operation": Operation::Summary,
        "text": text,
        "sentences": sentences,
        "available": summary.available,
        "ranked": summary.ranked,
    })
}

fn merge(config: &Config, call: &Invocation, material: &Material) -> Payload {
    let title = match &config.title {
        Some(title) => title.clone(),
        None => merge::title(material::subject(&call.description)),
    };
    let report = merge::markdown(&title, &material.parts);
    match config.format {
        Format::Markdown => Payload::Text(report),
        Format::Json => {
            let sections: Vec<Value> = material
                .parts
                .iter()
                .map(|part| json!({"name": part.name, "task": part.task, "value": part.value}))
                .collect();
            let result = json!({
                "operation": Operation::Merge,
                "text": report,
                "title": title,
                "sections": sections,
            });
            Payload::Json(result.to_string())
        }
    }
}

#[cfg(test)]
mod tests;
