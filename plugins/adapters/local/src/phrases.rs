//! A *phrase* is one to a few words that stand together and could be a keyword.
//!
//! Forms of a word count as the same, so "solar panel" and "Solar panels" are one
//! phrase. A phrase costs the geometric mean of its words, less the longer it is
//! and the more often it occurs; YAKE's own product of costs lists hardly any
//! phrases of a text of a few pages.

use std::ops::Range;

use crate::document::{Document, Line, StableMap, Token};
use crate::words::is_capitalised;

/// Below so many words that are not stop words a text is short, and what occurs
/// once may be listed.
const SHORT_TEXT: usize = 120;

/// How much more a phrase weighs for each word after the first.
const LENGTH_BONUS: f64 = 0.8;

/// The same for words that stand together only once.
const CHANCE_BONUS: f64 = 0.1;

/// How much frequency weighs for phrases; the weights of their words contain
/// it once already.
const COUNT_EXPONENT: f64 = 0.9;

/// One phrase, in all its forms.
pub(crate) struct Phrase<'a> {
    /// The words; the last is not a stop word, the first only in a name.
    pub(crate) terms: Vec<usize>,
    /// Which of them are.
    stopped: Vec<bool>,
    /// How often it occurs.
    pub(crate) count: usize,
    /// Number of the first occurrence, to order equals.
    pub(crate) first: usize,
    /// The spelling of the first occurrence that does not open a sentence.
    spelling: &'a str,
    /// Whether that occurrence opens a sentence all the same.
    opens: bool,
    /// Occurrences inside a sentence where every word that is not a stop word
    /// has a capital; and all occurrences inside a sentence.
    capitals: (usize, usize),
    /// Smaller is better; not known before [`cost_of`](Self::cost_of) is stored.
    pub(crate) cost: f64,
}

impl Phrase<'_> {
    /// The geometric mean of its words' costs, less for length and frequency.
    pub(crate) fn cost_of(&self, costs: &[f64]) -> f64 {
        let content = || self.terms.iter().zip(&self.stopped).filter(|(_, stopped)| !**stopped);
        let words = content().count().max(1) as f64;
        let logarithms: f64 = content().map(|(&term, _)| costs[term].ln()).sum();
        let bonus = if self.is_established() { LENGTH_BONUS } else { CHANCE_BONUS };
        let bonus = 1.0 + bonus * (words - 1.0);
        (logarithms / words).exp() / (bonus * (self.count as f64).powf(COUNT_EXPONENT))
    }

    /// Whether it is a phrase of the text rather than words that met once.
    pub(crate) fn is_established(&self) -> bool {
        self.count > 1 || self.is_name()
    }

    /// Whether it may be listed.
    pub(crate) fn recurs(&self, document: &Document<'_>) -> bool {
        self.is_established()
            || document.content_words < SHORT_TEXT
            || (self.terms.len() == 2
                && self.terms.iter().all(|&term| document.terms[term].count > 1))
    }

    /// Whether it always has its capitals.
    fn is_name(&self) -> bool {
        self.capitals.0 > 0 && self.capitals.0 == self.capitals.1
    }

    /// As it is shown: in lower case, unless the text writes it otherwise.
    pub(crate) fn display(&self) -> String {
        let acronym = |word: &str| word.chars().filter(|c| c.is_uppercase()).count() > 1;
        if self.is_name() {
            self.spelling.to_owned()
        } else if self.opens || self.capitals.0 * 2 < self.capitals.1 {
            let words = self.spelling.split(' ');
            let lower = words.map(|w| if acronym(w) { w.to_owned() } else { w.to_lowercase() });
            lower.collect::<Vec<_>>().join(" ")
        } else {
            self.spelling.to_owned()
        }
    }
}

/// Every phrase of one to `max_words` words between punctuation that neither
/// starts nor ends with a stop word. Inside, one "of" or "for" may stand.
pub(crate) fn phrases<'a>(document: &Document<'a>, max_words: usize) -> Vec<Phrase<'a>> {
    let mut phrases = Phrases::default();
    for line in &document.lines {
        for start in 0..line.tokens.len() {
            let alone = can_stand(document, line, start);
            if !alone && !opens_name(line, start) {
                continue;
            }
            for end in start..line.tokens.len().min(start + max_words) {
                if end > start && line.tokens[end].word.after_break {
                    break;
                }
                if (alone || end > start) && can_end(document, line, end) {
                    phrases.add(document, line, start..end + 1);
                }
            }
        }
    }
    phrases.found
}

/// Whether a phrase can start or end with a word.
fn can_stand(document: &Document<'_>, line: &Line<'_>, at: usize) -> bool {
    let token = &line.tokens[at];
    !document.terms[token.term].stopped
        && is_telling(token.word.text)
        && !is_adverb(token.word.text)
}

fn can_end(document: &Document<'_>, line: &Line<'_>, at: usize) -> bool {
    can_stand(document, line, at) && !is_participle(line.tokens[at].word.text)
}

/// Whether a stop word is part of a name, as "New" in "New York".
fn opens_name(line: &Line<'_>, at: usize) -> bool {
    let (word, Some(next)) = (line.tokens[at].word, line.tokens.get(at + 1)) else { return false };
    at > 0
        && line.sentence.prose
        && word.text.len() > 2
        && [word, next.word].iter().all(|word| is_capitalised(word.text) && !word.after_break)
}

#[derive(Default)]
struct Phrases<'a> {
    found: Vec<Phrase<'a>>,
    ids: StableMap<Vec<usize>, usize>,
}

impl<'a> Phrases<'a> {
    /// Counts the words of a span, unless stop words inside forbid it.
    fn add(&mut self, document: &Document<'a>, line: &Line<'a>, span: Range<usize>) {
        let opens = span.start == 0 || !line.sentence.prose;
        let span = &line.tokens[span];
        let is_stopped = |token: &Token<'_>| document.terms[token.term].stopped;
        let mut inside = span.iter().skip(1).filter(|token| is_stopped(token));
        let joined = inside.next().is_none_or(|token| matches!(token.word.text, "of" | "for"));
        let (Some(first), Some(last)) = (span.first(), span.last()) else { return };
        if !joined || inside.next().is_some() {
            return;
        }
        let end = last.word.start + last.word.text.len();
        let spelling = &line.sentence.text[first.word.start..end];
        let terms: Vec<usize> = span.iter().map(|token| token.term).collect();
        let next = self.found.len();
        let id = *self.ids.entry(terms.clone()).or_insert(next);
        if id == next {
            self.found.push(Phrase {
                terms,
                stopped: span.iter().map(is_stopped).collect(),
                count: 0,
                first: next,
                spelling,
                opens,
                capitals: (0, 0),
                cost: 0.0,
            });
        }
        let phrase = &mut self.found[id];
        phrase.count += 1;
        if !opens {
            let capitals = span.iter().all(|t| is_stopped(t) || is_capitalised(t.word.text));
            phrase.capitals.0 += usize::from(capitals);
            phrase.capitals.1 += 1;
            if phrase.opens {
                (phrase.spelling, phrase.opens) = (spelling, false);
            }
        }
    }
}

/// Whether a word can open or close a phrase: three letters, or fewer where
/// letters are capitals or a script writes words with fewer.
fn is_telling(word: &str) -> bool {
    let mut letters = word.chars().filter(|c| c.is_alphabetic());
    let telling = |c: char| !c.is_ascii_lowercase();
    match (letters.next(), letters.next(), letters.next()) {
        (Some(_), Some(_), Some(_)) => true,
        (Some(a), Some(b), None) => telling(a) && telling(b),
        (Some(a), None, None) => !a.is_ascii() && !a.is_lowercase() && !a.is_uppercase(),
        _ => false,
    }
}

/// Whether a word looks like an English adverb: no phrase starts or ends with it.
fn is_adverb(word: &str) -> bool {
    word.len() > 5
        && word.ends_with("ly")
        && !["family", "assembly", "supply", "butterfly", "monopoly", "anomaly"].contains(&word)
        && !is_capitalised(word)
}

/// Whether a word looks like an English past participle: no phrase ends with it.
fn is_participle(word: &str) -> bool {
    word.len() > 4 && word.ends_with("ed") && !word.ends_with("eed") && !is_capitalised(word)
}
