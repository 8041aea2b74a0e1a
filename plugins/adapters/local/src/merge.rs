//! A *merge* makes one report of everything a task was given: a title, and a
//! section for each part, in order.
//!
//! Sections are written for readers: keywords become a table, summaries
//! paragraphs, statistics a table of figures, lists bullets; text stays as it
//! is, with its headings moved below the section's. What has no better form is
//! shown as JSON.

use consort_plugin_sdk::serde_json::{Map, Value, to_string_pretty};

use crate::material::{Part, is_bytes, text_of};

/// Fields of a flat object shown as a list; larger ones are shown as JSON.
const MAX_LISTED_FIELDS: usize = 20;

/// The report as Markdown.
pub(crate) fn markdown(title: &str, parts: &[Part]) -> String {
    let mut out = format!("# {title}\n");
    if parts.is_empty() {
        out.push_str("\nThere was nothing to merge: the task has no input and no dependencies.\n");
    }
    for part in parts {
        out.push_str("\n## ");
        out.push_str(&heading(&part.name));
        out.push_str("\n\n");
        let body = body(&part.value);
        out.push_str(if body.is_empty() { "No content." } else { &body });
        out.push('\n');
    }
    out
}

/// A title: the first line of what the description is about, without its full
/// stop.
pub(crate) fn title(subject: &str) -> String {
    let line = subject.lines().next().unwrap_or("").trim().trim_end_matches(['.', ':']);
    let line = line.trim_start_matches(['#', ' ']);
    if line.is_empty() { "Report".into() } else { capitalised(line) }
}

/// A name as people would write it: `keywords_darwin` is "Keywords darwin".
/// What is not an identifier, such as "Moby-Dick", is somebody's wording already.
pub(crate) fn heading(name: &str) -> String {
    let identifier = |c: char| c.is_lowercase() || c.is_numeric() || matches!(c, '_' | '-');
    if !name.chars().all(identifier) {
        return name.trim().to_owned();
    }
    match name.replace(['_', '-'], " ").trim() {
        "" => name.to_owned(),
        words => capitalised(words),
    }
}

fn capitalised(words: &str) -> String {
    let mut chars = words.chars();
    match chars.next() {
        Some(first) => first.to_uppercase().chain(chars).collect(),
        None => String::new(),
    }
}

fn body(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => demoted(text),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::Array(items) => list(items).unwrap_or_else(|| code(value)),
        Value::Object(_) if is_bytes(value) => {
            format!("*{}, not text*", value["media_type"].as_str().unwrap_or("bytes"))
        }
        Value::Object(fields) => object(value, fields),
    }
}

fn object(value: &Value, fields: &Map<String, Value>) -> String {
    let table = match fields.get("operation").and_then(Value::as_str) {
        Some("keywords") => fields.get("keywords").and_then(keyword_table),
        Some("statistics") => Some(figures(fields)),
        _ => None,
    };
    let text = match fields.get("text") {
        Some(Value::String(text)) => Some(text.as_str()),
        _ => None,
    };
    let is_empty = text.is_some_and(|text| text.trim().is_empty());
    match (table, text) {
        (Some(table), _) if !is_empty => table,
        (_, Some(text)) if !is_empty => demoted(text),
        // A result of this agent that had nothing to say says why.
        (_, Some(_)) => {
            fields.get("note").map(|note| format!("*{}*", text_of(note))).unwrap_or_default()
        }
        _ => bullets(fields).unwrap_or_else(|| code(value)),
    }
}

fn keyword_table(keywords: &Value) -> Option<String> {
    let mut out = String::from("| keyword | count | score |\n|---|---:|---:|\n");
    let keywords = keywords.as_array()?;
    for keyword in keywords {
        let phrase = keyword.get("phrase")?.as_str()?;
        let (count, score) = (keyword.get("count")?, keyword.get("score")?.as_f64()?);
        out.push_str(&format!("| {} | {count} | {score:.2} |\n", cell(phrase)));
    }
    out.truncate(out.trim_end().len());
    (!keywords.is_empty()).then_some(out)
}

fn figures(fields: &Map<String, Value>) -> String {
    let mut out = String::from("| figure | value |\n|---|---:|\n");
    for (name, value) in fields {
        if value.is_number() {
            out.push_str(&format!("| {} | {value} |\n", heading(name).to_lowercase()));
        }
    }
    let top: Vec<String> = fields
        .get("top_words")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|top| Some(format!("{} ({})", top["word"].as_str()?, top["count"])))
        .collect();
    if !top.is_empty() {
        out.push_str(&format!("\nMost frequent: {}.\n", top.join(", ")));
    }
    out.truncate(out.trim_end().len());
    out
}

/// A list of plain values as bullets.
fn list(items: &[Value]) -> Option<String> {
    let lines: Option<Vec<String>> =
        items.iter().map(|item| Some(format!("- {}", inline(item)?))).collect();
    lines.map(|lines| lines.join("\n"))
}

/// A small object of plain values as bullets.
fn bullets(fields: &Map<String, Value>) -> Option<String> {
    if fields.is_empty() || fields.len() > MAX_LISTED_FIELDS {
        return None;
    }
    let lines: Option<Vec<String>> = fields
        .iter()
        .map(|(name, value)| Some(format!("- **{}**: {}", heading(name), inline(value)?)))
        .collect();
    lines.map(|lines| lines.join("\n"))
}

/// A plain value on one line; none for lists, objects and text of many lines.
fn inline(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.contains('\n') => Some(text.clone()),
        Value::String(_) | Value::Array(_) | Value::Object(_) => None,
        plain => Some(plain.to_string()),
    }
}

fn code(value: &Value) -> String {
    let json = to_string_pretty(value).unwrap_or_else(|_| value.to_string());
    format!("```json\n{json}\n```")
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

/// Text with its Markdown headings two levels further down.
fn demoted(text: &str) -> String {
    let mut fenced = false;
    let lines: Vec<String> = text
        .trim()
        .lines()
        .map(|line| {
            if line.trim_start().starts_with("```") {
                fenced = !fenced;
            }
            let level = line.bytes().take_while(|&byte| byte == b'#').count();
            if !fenced && (1..=6).contains(&level) && line[level..].starts_with(' ') {
                format!("{}{}", "#".repeat((level + 2).min(6)), &line[level..])
            } else {
                line.to_owned()
            }
        })
        .collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use consort_plugin_sdk::serde_json::json;

    use super::*;

    #[test]
    fn values_are_shown_as_people_would_write_them() {
        for (value, expected) in [
            (json!(null), ""),
            (json!(42), "42"),
            (json!("# A\ntext\n```\n# code\n```"), "### A\ntext\n```\n# code\n```"),
            (json!(["a", 1]), "- a\n- 1"),
            (json!({"city": "Oslo", "days_left": 3}), "- **City**: Oslo\n- **Days left**: 3"),
            (json!([[1]]), "```json\n[\n  [\n    1\n  ]\n]\n```"),
            (json!({}), "```json\n{}\n```"),
            (json!({"text": "only this", "score": 1}), "only this"),
            (json!({"media_type": "image/png", "base64": "AQID"}), "*image/png, not text*"),
            (json!({"operation": "summary", "text": "", "note": "nothing"}), "*nothing*"),
            (
                json!({"operation": "keywords", "text": "a|b",
                    "keywords": [{"phrase": "a|b", "count": 2, "score": 1.0}]}),
                "| keyword | count | score |\n|---|---:|---:|\n| a\\|b | 2 | 1.00 |",
            ),
            (
                json!({"operation": "statistics", "text": "t", "words": 3,
                    "top_words": [{"word": "x", "count": 2}]}),
                "| figure | value |\n|---|---:|\n| words | 3 |\n\nMost frequent: x (2).",
            ),
            (json!({"operation": "keywords"}), "- **Operation**: keywords"),
        ] {
            assert_eq!(body(&value), expected, "{value}");
        }
    }

    #[test]
    fn a_report_has_a_title_and_a_section_for_each_part() {
        let part = |name: &str, value| Part { name: name.into(), task: None, value };
        let report = markdown("All", &[part("first_part", json!("x")), part("b", json!(""))]);
        assert_eq!(report, "# All\n\n## First part\n\nx\n\n## B\n\nNo content.\n");
        assert!(markdown("All", &[]).contains("nothing to merge"));
    }

    #[test]
    fn identifiers_become_headings_and_wordings_stay() {
        for (name, expected) in [
            ("keywords_darwin", "Keywords darwin"),
            ("step-2", "Step 2"),
            ("Moby-Dick", "Moby-Dick"),
            ("On the Origin of Species", "On the Origin of Species"),
            ("_", "_"),
        ] {
            assert_eq!(heading(name), expected);
        }
    }

    #[test]
    fn titles_are_lines() {
        for (subject, expected) in [
            ("", "Report"),
            ("Three classics.", "Three classics"),
            ("# A\nB", "A"),
            ("three books", "Three books"),
            ("  ", "Report"),
        ] {
            assert_eq!(title(subject), expected);
        }
    }
}
