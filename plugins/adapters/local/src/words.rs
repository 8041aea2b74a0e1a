//! A *word* is a run of letters and digits between the word boundaries of
//! Unicode Standard Annex 29, with hyphenated words kept whole.
//!
//! Each word has a *key*: lower case, without a possessive ending and with
//! regular English plurals folded, so that "whale", "Whales" and "whale's" count
//! as one. Keys are for counting; people are shown the word as it was written.

use unicode_segmentation::UnicodeSegmentation;

/// A word and where it stands in its sentence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Word<'a> {
    /// As written.
    pub(crate) text: &'a str,
    /// Byte offset in the sentence.
    pub(crate) start: usize,
    /// Whether punctuation separates it from the word before.
    pub(crate) after_break: bool,
}

/// The words of one sentence, in order.
pub(crate) fn words(sentence: &str) -> Vec<Word<'_>> {
    let mut words: Vec<Word<'_>> = Vec::new();
    let mut after_break = false;
    let mut join = false;
    for (start, piece) in sentence.split_word_bound_indices() {
        if piece.contains(char::is_alphanumeric) {
            match words.last_mut() {
                Some(last) if join => {
                    last.text = &sentence[last.start..start + piece.len()];
                }
                _ => words.push(Word { text: piece, start, after_break }),
            }
            after_break = false;
            join = false;
        } else if piece.trim().is_empty() {
            join = false;
        } else {
            let touches = words.last().is_some_and(|last| last.start + last.text.len() == start);
            join = touches && matches!(piece, "-" | "\u{2010}" | "\u{2011}");
            // Should no word follow at once, the hyphen was a dash after all.
            after_break = true;
        }
    }
    words
}

/// What a word is counted under.
pub(crate) fn key(word: &str) -> String {
    let mut key = word.to_lowercase();
    if key.contains('’') {
        key = key.replace('’', "'");
    }
    if let Some(stem) = key.strip_suffix("'s").or_else(|| key.strip_suffix('\'')) {
        key.truncate(stem.len());
    }
    if key.is_ascii() {
        let folded = singular_length(&key);
        if let Some((length, y)) = folded {
            key.truncate(length);
            if y {
                key.push('y');
            }
        }
    }
    key
}

/// Whether a word starts with a capital.
pub(crate) fn is_capitalised(word: &str) -> bool {
    word.starts_with(char::is_uppercase)
}

/// The length of what remains of a regular plural, and whether a "y" follows.
fn singular_length(key: &str) -> Option<(usize, bool)> {
    let length = key.len();
    if length < 4 || !key.ends_with('s') {
        return None;
    }
    if key.ends_with("ies") && length > 4 && key != "series" && key != "species" {
        return Some((length - 3, true));
    }
    if ["sses", "shes", "ches", "xes", "zzes"].iter().any(|ending| key.ends_with(ending)) {
        return Some((length - 2, false));
    }
    if ["ss", "us", "is", "ies", "as", "'s"].iter().any(|ending| key.ends_with(ending)) {
        return None;
    }
    Some((length - 1, false))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(sentence: &str) -> Vec<&str> {
        words(sentence).into_iter().map(|word| word.text).collect()
    }

    #[test]
    fn words_are_cut_where_a_reader_would() {
        let cases: &[(&str, &[&str])] = &[
            ("", &[]),
            ("… — !", &[]),
            ("Don't stop", &["Don't", "stop"]),
            (
                "a well-known, state-of-the-art thing",
                &["a", "well-known", "state-of-the-art", "thing"],
            ),
            ("pages 10-20 cost 1,000.50", &["pages", "10-20", "cost", "1,000.50"]),
            ("yes - no, dash—dash", &["yes", "no", "dash", "dash"]),
            ("- item", &["item"]),
            ("trailing- hyphen", &["trailing", "hyphen"]),
            ("שלום עולם", &["שלום", "עולם"]),
            ("naïve café 😀 e\u{301}te\u{301}", &["naïve", "café", "e\u{301}te\u{301}"]),
        ];
        for (sentence, expected) in cases {
            assert_eq!(texts(sentence), *expected, "{sentence:?}");
        }
    }

    #[test]
    fn punctuation_breaks_phrases() {
        let breaks: Vec<_> =
            words("one two, three (four) five-six").iter().map(|word| word.after_break).collect();
        assert_eq!(breaks, [false, false, true, true, true]);
    }

    #[test]
    fn offsets_point_into_the_sentence() {
        let sentence = "a state-of-the-art 😀 thing";
        for word in words(sentence) {
            assert_eq!(&sentence[word.start..word.start + word.text.len()], word.text);
        }
    }

    #[test]
    fn keys_fold_case_possessives_and_plurals() {
        for (word, expected) in [
            ("Whales", "whale"),
            ("whale's", "whale"),
            ("whale’s", "whale"),
            ("bodies", "body"),
            ("boxes", "box"),
            ("glass", "glass"),
            ("glasses", "glass"),
            ("species", "species"),
            ("basis", "basis"),
            ("virus", "virus"),
            ("gas", "gas"),
            ("bus", "bus"),
            ("ÉTÉS", "étés"),
            ("U.S.", "u.s."),
        ] {
            assert_eq!(key(word), expected, "{word}");
        }
    }
}
