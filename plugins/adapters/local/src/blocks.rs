//! A *block* is a paragraph, a list item, a heading or a row of a table: what
//! blank lines and Markdown's markers separate.
//!
//! Lines of a block are joined, so hard-wrapped text reads as it should. Fenced
//! code is left out: it is not prose.

/// One block, markers taken off and white space collapsed.
pub(crate) struct Block {
    /// Its text.
    pub(crate) text: String,
    /// Whether it is running text: not a heading, not a row of a table.
    pub(crate) prose: bool,
}

/// Splits a text into blocks, in order.
pub(crate) fn blocks(text: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut open = false;
    let mut fenced = false;
    for line in text.lines() {
        let line = line.trim();
        if line.starts_with("```") || line.starts_with("~~~") {
            fenced = !fenced;
            open = false;
            continue;
        }
        if fenced {
            continue;
        }
        if line.is_empty() || is_rule(line) {
            open = false;
            continue;
        }
        let (content, starts_block, prose) = strip_marker(line);
        if content.is_empty() {
            continue;
        }
        match blocks.last_mut() {
            Some(block) if open && !starts_block => {
                block.text.push(' ');
                push_collapsed(&mut block.text, content);
            }
            _ => {
                let mut block = Block { text: String::with_capacity(content.len()), prose };
                push_collapsed(&mut block.text, content);
                blocks.push(block);
            }
        }
        // A heading or a table row is complete in its line.
        open = prose;
    }
    blocks
}

/// A line of three or more equal rule characters, as under a heading.
fn is_rule(line: &str) -> bool {
    line.len() >= 3
        && ["-", "=", "*", "_"]
            .iter()
            .any(|mark| line.split(mark).all(|part| part.trim().is_empty()))
}

/// Takes a Markdown marker off a line: what is left, whether the line starts a
/// block of its own, whether that block is prose.
fn strip_marker(line: &str) -> (&str, bool, bool) {
    let heading = line.trim_start_matches('#');
    let level = line.len() - heading.len();
    if (1..=6).contains(&level) && heading.starts_with(' ') {
        return (heading.trim().trim_end_matches('#').trim_end(), true, false);
    }
    if line.starts_with('|') {
        return (line, true, false);
    }
    for marker in ["- ", "* ", "+ ", "• "] {
        if let Some(item) = line.strip_prefix(marker) {
            return (item.trim_start(), true, true);
        }
    }
    if let Some(quoted) = line.strip_prefix('>') {
        return (quoted.trim_start(), false, true);
    }
    let digits = line.bytes().take_while(u8::is_ascii_digit).count();
    if (1..=3).contains(&digits)
        && let Some(item) =
            line[digits..].strip_prefix(". ").or_else(|| line[digits..].strip_prefix(") "))
    {
        return (item.trim_start(), true, true);
    }
    (line, false, true)
}

fn push_collapsed(out: &mut String, text: &str) {
    let mut first = true;
    for part in text.split_whitespace() {
        if !first {
            out.push(' ');
        }
        out.push_str(part);
        first = false;
    }
}
