//! A *sentence* is what a reader would take as one: up to its full stop, but not
//! up to the full stop of "Mr." or of "3.14".
//!
//! No sentence crosses a [block](crate::blocks).
//!
//! A full stop ends a sentence unless the word before it is an abbreviation or
//! an initial, or the next word starts in lower case. An abbreviation that can
//! end a sentence ("U.S.", "etc.") ends one when a typical first word follows.

use crate::abbreviations::is_abbreviation;
use crate::blocks::blocks;

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

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(text: &str) -> Vec<String> {
        split(text).into_iter().map(|sentence| sentence.text).collect()
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
            ("See p. 12 and pp. 3. So.", &["See p. 12 and pp. 3.", "So."]),
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
