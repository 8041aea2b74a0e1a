//! A *document* is the material of one task, read once: every sentence of every
//! source, cut into words, and every word interned under its key.
//!
//! All operations work on it, so that they agree on what a sentence and a word
//! are. Reading is linear in the length of the text.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, DefaultHasher};

use crate::sentences::{self, Sentence};
use crate::stop_words::is_stop_word;
use crate::words::{self, key, words};

/// A hash map whose order depends on nothing but its content, and that needs
/// no random numbers from the host.
pub(crate) type StableMap<K, V> = HashMap<K, V, BuildHasherDefault<DefaultHasher>>;

/// Where text came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Source {
    /// `input`, `description`, or the name of a dependency.
    pub(crate) name: String,
    /// The text.
    pub(crate) text: String,
}

/// One word of one sentence.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Token<'a> {
    /// As written, and where.
    pub(crate) word: words::Word<'a>,
    /// An index into [`Document::terms`].
    pub(crate) term: usize,
}

/// A sentence with its words.
#[derive(Debug)]
pub(crate) struct Line<'a> {
    /// An index into the sources.
    pub(crate) source: usize,
    /// The sentence's number within its source, from 0.
    pub(crate) position: usize,
    /// The sentence.
    pub(crate) sentence: &'a Sentence,
    /// Its words.
    pub(crate) tokens: Vec<Token<'a>>,
}

/// A distinct word, whatever its form.
#[derive(Debug)]
pub(crate) struct Term {
    /// What it is counted under; see [`words::key`].
    pub(crate) key: String,
    /// Whether it is a stop word or holds no letter.
    pub(crate) stopped: bool,
    /// How often it occurs.
    pub(crate) count: usize,
}

/// The sentences of all sources, the owner of what a [`Document`] refers to.
pub(crate) struct Sentences(Vec<(usize, Vec<Sentence>)>);

impl Sentences {
    /// Splits every source.
    pub(crate) fn of(sources: &[Source]) -> Self {
        let split = |(at, source): (usize, &Source)| (at, sentences::split(&source.text));
        Self(sources.iter().enumerate().map(split).collect())
    }
}

/// The material of one task.
#[derive(Debug, Default)]
pub(crate) struct Document<'a> {
    /// All sentences, in order.
    pub(crate) lines: Vec<Line<'a>>,
    /// All distinct words, in order of first occurrence.
    pub(crate) terms: Vec<Term>,
    /// Words that are not stop words, every occurrence counted.
    pub(crate) content_words: usize,
}

impl<'a> Document<'a> {
    /// Reads the sentences; `extra_stop_words` are stopped too, whatever their
    /// case.
    pub(crate) fn read(sentences: &'a Sentences, extra_stop_words: &[String]) -> Self {
        let mut extra: Vec<String> = extra_stop_words.iter().map(|word| key(word)).collect();
        extra.sort_unstable();
        let mut document = Self::default();
        let mut ids: StableMap<String, usize> = StableMap::default();
        for (source, of_source) in &sentences.0 {
            for (position, sentence) in of_source.iter().enumerate() {
                let mut tokens = Vec::new();
                for word in words(&sentence.text) {
                    let key = key(word.text);
                    let term = match ids.get(&key) {
                        Some(&term) => term,
                        None => {
                            let term = document.terms.len();
                            let stopped = is_stop_word(word.text)
                                || is_stop_word(&key)
                                || !key.contains(char::is_alphabetic)
                                || extra.binary_search(&key).is_ok();
                            ids.insert(key.clone(), term);
                            document.terms.push(Term { key, stopped, count: 0 });
                            term
                        }
                    };
                    document.terms[term].count += 1;
                    document.content_words += usize::from(!document.terms[term].stopped);
                    tokens.push(Token { word, term });
                }
                document.lines.push(Line { source: *source, position, sentence, tokens });
            }
        }
        document
    }

    /// The number of words.
    pub(crate) fn word_count(&self) -> usize {
        self.lines.iter().map(|line| line.tokens.len()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_of_a_word_are_one_term() {
        let sources =
            [Source { name: "input".into(), text: "Whales swim. The whale’s tail.".into() }];
        let sentences = Sentences::of(&sources);
        let document = Document::read(&sentences, &["TAILS".into()]);
        let terms: Vec<_> =
            document.terms.iter().map(|t| (t.key.as_str(), t.stopped, t.count)).collect();
        assert_eq!(
            terms,
            [("whale", false, 2), ("swim", false, 1), ("the", true, 1), ("tail", true, 1)]
        );
        assert_eq!((document.word_count(), document.lines.len()), (5, 2));
    }
}
