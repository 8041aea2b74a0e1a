//! A *sentence* is what a reader would take as one: up to its full stop, but not
//! up to the full stop of "Mr." or of "3.14".
//!
//! Text comes in blocks (paragraphs, list items, headings), separated by blank
//! lines or by Markdown's markers; no sentence crosses a block. Inside a block
//! lines are joined, so hard-wrapped text reads as it should. Fenced code is
//! left out: it is not prose.
//!
//! A full stop ends a sentence unless the word before it is an abbreviation or
//! an initial, or the next word starts in lower case. An abbreviation that can
//! end a sentence ("U.S.", "etc.") ends one when a typical first word follows.

/// Characters between a sentence and the word that tells whether it is over.
const LOOK_AHEAD: usize = 32;

/// One sentence, white space collapsed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sentence {
    /// The sentence with its punctuation.
    pub(crate) text: String,
    /// Whether it is running text: not a heading, not a row of a table.
    pub(crate) prose: bool,
    /// The block it stands in, counted from 0.
    pub(crate) block: usize,
}

/// Splits a text into sentences, in order.
pub(crate) fn split(text: &str) -> Vec<Sentence> {
    let mut sentences = Vec::new();
    for (number, block) in blocks(text).into_iter().enumerate() {
        for piece in split_block(&block.text) {
            sentences.push(Sentence { text: piece, prose: block.prose, block: number });
        }
    }
    sentences
}

struct Block {
    text: String,
    prose: bool,
}

fn blocks(text: &str) -> Vec<Block> {
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

fn split_block(block: &str) -> Vec<String> {
    let mut pieces = Vec::new();
    let mut start = 0;
    let mut chars = block.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        if !is_terminator(c) {
            continue;
        }
        let mut end = at + c.len_utf8();
        let mut only_full_stop = c == '.';
        while let Some(&(next_at, next)) = chars.peek() {
            if is_terminator(next) {
                only_full_stop = false;
            } else if !is_closing(next) {
                break;
            }
            end = next_at + next.len_utf8();
            chars.next();
        }
        let rest = &block[end..];
        let ends = if rest.is_empty() || is_wide_terminator(c) {
            true
        } else if !rest.starts_with(' ') {
            false
        } else {
            let next = next_word(rest);
            let goes_on = next.starts_with(char::is_lowercase)
                || (only_full_stop && is_abbreviation(&block[start..at], next));
            !goes_on
        };
        if ends {
            push_piece(&mut pieces, &block[start..end]);
            start = end;
        }
    }
    push_piece(&mut pieces, &block[start..]);
    pieces
}

/// The text from its first letter or digit on, which must be near: looking
/// further would make a megabyte of punctuation quadratic.
fn next_word(rest: &str) -> &str {
    let mut near = rest.char_indices().take(LOOK_AHEAD);
    near.find(|(_, c)| c.is_alphanumeric()).map_or("", |(at, _)| &rest[at..])
}

fn push_piece(pieces: &mut Vec<String>, piece: &str) {
    let piece = piece.trim();
    if piece.is_empty() {
        return;
    }
    // Stray punctuation belongs to the sentence before it.
    if !piece.contains(char::is_alphanumeric)
        && let Some(last) = pieces.last_mut()
    {
        last.push(' ');
        last.push_str(piece);
        return;
    }
    pieces.push(piece.to_owned());
}

fn is_terminator(c: char) -> bool {
    matches!(c, '.' | '!' | '?' | '…' | '؟' | '۔' | '।' | '॥' | '։') || is_wide_terminator(c)
}

/// Terminators of scripts that put no space after a sentence.
fn is_wide_terminator(c: char) -> bool {
    matches!(c, '。' | '！' | '？' | '．' | '｡')
}

fn is_closing(c: char) -> bool {
    matches!(
        c,
        '"' | '\'' | '”' | '’' | '»' | '›' | ')' | ']' | '}' | '」' | '』' | '）' | '_' | '*'
    )
}

/// Whether the full stop after `before` belongs to its last word. `next` is the
/// text that follows, from its first letter or digit.
fn is_abbreviation(before: &str, next: &str) -> bool {
    let word = before
        .rsplit(|c: char| c.is_whitespace() || matches!(c, '(' | '[' | '"' | '“' | '‘' | '—' | '–'))
        .next()
        .unwrap_or(before);
    if word.is_empty() {
        return false;
    }
    let follows_starter = || {
        let first = next.split(|c: char| !c.is_alphanumeric()).next().unwrap_or("");
        STARTERS.binary_search(&first).is_ok()
    };
    let mut letters = word.chars();
    let (first, second) = (letters.next(), letters.next());
    if let (Some(initial), None) = (first, second) {
        return initial.is_uppercase() && initial != 'I' && !follows_starter();
    }
    let lower = word.to_lowercase();
    if ALWAYS.binary_search(&lower.as_str()).is_ok() {
        return true;
    }
    if BEFORE_NUMBER.binary_search(&lower.as_str()).is_ok() {
        return next.starts_with(|c: char| c.is_ascii_digit()) || starts_with_roman_numeral(next);
    }
    if SOMETIMES.binary_search(&lower.as_str()).is_ok() || is_dotted(word) {
        return !follows_starter();
    }
    false
}

/// "U.S", "D.C", "J.R.R": single letters with full stops between.
fn is_dotted(word: &str) -> bool {
    word.contains('.')
        && word.split('.').all(|part| {
            let mut chars = part.chars();
            chars.next().is_some_and(char::is_alphabetic) && chars.next().is_none()
        })
}

fn starts_with_roman_numeral(text: &str) -> bool {
    let word = text.split(|c: char| !c.is_alphanumeric()).next().unwrap_or("");
    !word.is_empty() && word.chars().all(|c| matches!(c, 'I' | 'V' | 'X' | 'L' | 'C'))
}

/// Never end a sentence. Sorted.
static ALWAYS: &[&str] = &[
    "adm", "capt", "cf", "cmdr", "col", "dr", "e.g", "esp", "fr", "gen", "gov", "hon", "i.e", "lt",
    "maj", "messrs", "mlle", "mme", "mr", "mrs", "ms", "mt", "prof", "rep", "rev", "sen", "sgt",
    "st", "viz", "vs",
];

/// Are abbreviations before a number and words otherwise. Sorted.
static BEFORE_NUMBER: &[&str] = &[
    "apr", "art", "aug", "ch", "chap", "dec", "eq", "eqs", "feb", "fig", "figs", "jan", "jul",
    "jun", "mar", "no", "nos", "nov", "oct", "op", "p", "par", "pp", "sec", "sep", "sept", "vol",
    "vols",
];

/// May end a sentence; decided by what follows. Sorted.
static SOMETIMES: &[&str] = &[
    "a.m", "al", "approx", "assn", "ave", "bros", "ca", "co", "corp", "dept", "ed", "eds", "est",
    "etc", "inc", "jr", "ltd", "p.m", "ph.d", "plc", "sq", "sr", "univ",
];

/// Words that open a sentence far more often than they follow an abbreviation.
/// Sorted.
static STARTERS: &[&str] = &[
    "A", "After", "Also", "Although", "An", "And", "Another", "As", "At", "Because", "Before",
    "Both", "But", "By", "Each", "Every", "For", "From", "He", "Her", "Here", "His", "How",
    "However", "I", "If", "In", "It", "Its", "Many", "Most", "My", "No", "Not", "Now", "On", "One",
    "Our", "She", "Since", "So", "Some", "Such", "That", "The", "Their", "Then", "There", "These",
    "They", "This", "Those", "Though", "Thus", "To", "Under", "Until", "We", "What", "When",
    "Where", "While", "Who", "Why", "With", "Yet", "You", "Your",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(text: &str) -> Vec<String> {
        split(text).into_iter().map(|sentence| sentence.text).collect()
    }

    #[test]
    fn tables_are_sorted() {
        for table in [ALWAYS, BEFORE_NUMBER, SOMETIMES, STARTERS] {
            assert!(table.is_sorted(), "{table:?}");
        }
    }

    #[test]
    fn splits_where_a_reader_would() {
        let cases: &[(&str, &[&str])] = &[
            ("", &[]),
            ("   \n\n ", &[]),
            ("One", &["One"]),
            ("One. Two! Three?", &["One.", "Two!", "Three?"]),
            ("Dr. Smith met Mr. Jones. They spoke.", &["Dr. Smith met Mr. Jones.", "They spoke."]),
            ("Pi is 3.14 or so. It is not 3.", &["Pi is 3.14 or so.", "It is not 3."]),
            ("J. R. R. Tolkien wrote it. He did.", &["J. R. R. Tolkien wrote it.", "He did."]),
            ("Use tools, e.g. Rust, i.e. a language.", &["Use tools, e.g. Rust, i.e. a language."]),
            (
                "He lives in the U.S. The rest do not.",
                &["He lives in the U.S.", "The rest do not."],
            ),
            ("The U.S. Senate met.", &["The U.S. Senate met."]),
            (
                "See Fig. 3 and No. 7. No. It is gone.",
                &["See Fig. 3 and No. 7.", "No.", "It is gone."],
            ),
            (
                "\"Stop!\" he cried. \"Now.\" She did.",
                &["\"Stop!\" he cried.", "\"Now.\"", "She did."],
            ),
            ("Wait... what? Yes… no.", &["Wait... what?", "Yes… no."]),
            ("So did I. Then we left.", &["So did I.", "Then we left."]),
            (
                "Visit example.com. Version 1.2.3 is out.",
                &["Visit example.com.", "Version 1.2.3 is out."],
            ),
            ("今日は。元気ですか？はい。", &["今日は。", "元気ですか？", "はい。"]),
            ("هل أنت بخير؟ نعم.", &["هل أنت بخير؟", "نعم."]),
            ("Great! 😀 Really.", &["Great!", "😀 Really."]),
            ("Done. 😀", &["Done. 😀"]),
        ];
        for (text, expected) in cases {
            assert_eq!(pieces(text), *expected, "{text:?}");
        }
    }

    #[test]
    fn wrapped_lines_are_one_paragraph_and_blocks_are_kept_apart() {
        let text = "# A title\nA line that\nis wrapped.\n\n- first item\n- second item\n1. third\n\n| a | b |\nEnd";
        let sentences = split(text);
        let texts: Vec<_> = sentences.iter().map(|s| s.text.as_str()).collect();
        assert_eq!(
            texts,
            [
                "A title",
                "A line that is wrapped.",
                "first item",
                "second item",
                "third",
                "| a | b |",
                "End"
            ]
        );
        let prose: Vec<_> = sentences.iter().map(|s| s.prose).collect();
        assert_eq!(prose, [false, true, true, true, true, false, true]);
    }

    #[test]
    fn fenced_code_is_not_prose() {
        assert_eq!(pieces("Before.\n```rust\nlet x = 1;\n```\nAfter."), ["Before.", "After."]);
    }

    #[test]
    fn a_megabyte_without_a_full_stop_is_one_sentence() {
        let text = "word ".repeat(200_000);
        assert_eq!(split(&text).len(), 1);
    }
}
