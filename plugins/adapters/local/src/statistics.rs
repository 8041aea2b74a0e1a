//! *Statistics* are the figures of a text: how long, how varied, how hard to
//! read.
//!
//! Readability is Flesch's reading ease (Flesch, "A new readability yardstick",
//! 1948): 206.835 − 1.015 × words per sentence − 84.6 × syllables per word, for
//! English; 60 to 70 is plain, below 30 is hard. Syllables are counted by rule:
//! groups of vowels, less a silent final "e" or "ed", at least one a word.
//! Reading time takes 238 words a minute (Brysbaert, "How many words do we read
//! per minute?", 2019).

use serde::Serialize;

use crate::document::Document;

const WORDS_PER_MINUTE: f64 = 238.0;

/// The figures of a text.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Statistics {
    /// Unicode characters, white space collapsed.
    pub(crate) characters: usize,
    /// Words.
    pub(crate) words: usize,
    /// Distinct words; forms that differ in case or as a regular plural are one.
    pub(crate) unique_words: usize,
    /// Sentences, headings not counted unless there is nothing else.
    pub(crate) sentences: usize,
    /// Paragraphs, list items and headings.
    pub(crate) paragraphs: usize,
    /// Unique words for each word, 0 to 1. Falls with length: compare texts of
    /// similar length only.
    pub(crate) type_token_ratio: f64,
    /// Letters and digits.
    pub(crate) average_word_length: f64,
    /// Words.
    pub(crate) average_sentence_length: f64,
    /// Words of the longest sentence.
    pub(crate) longest_sentence: usize,
    /// Syllables for each word, by rule.
    pub(crate) syllables_per_word: f64,
    /// Flesch's reading ease; null for text that is not mostly Latin letters.
    pub(crate) flesch_reading_ease: Option<f64>,
    /// Seconds.
    pub(crate) reading_time: u64,
    /// The most frequent words that are not stop words, most frequent first.
    pub(crate) top_words: Vec<TopWord>,
}

/// A frequent word.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct TopWord {
    /// In the form it is counted under.
    pub(crate) word: String,
    /// How often it occurs.
    pub(crate) count: usize,
}

/// Counts everything.
pub(crate) fn count(document: &Document<'_>, top: usize) -> Statistics {
    let words = document.word_count();
    let worded = || document.lines.iter().filter(|line| !line.tokens.is_empty());
    let prose = worded().filter(|line| line.sentence.prose).count();
    let sentences = if prose > 0 { prose } else { worded().count() };
    let mut blocks: Vec<_> = document.lines.iter().map(|l| (l.source, l.sentence.block)).collect();
    blocks.dedup();
    let (mut letters, mut latin, mut syllables) = (0usize, 0usize, 0usize);
    for token in document.lines.iter().flat_map(|line| &line.tokens) {
        for c in token.word.text.chars().filter(|c| c.is_alphanumeric()) {
            letters += 1;
            latin += usize::from(matches!(c, '\0'..='\u{24f}'));
        }
        syllables += count_syllables(token.word.text);
    }
    let prose_words: usize = if prose > 0 {
        worded().filter(|line| line.sentence.prose).map(|line| line.tokens.len()).sum()
    } else {
        words
    };
    let per_sentence = ratio(prose_words, sentences);
    let per_word = ratio(syllables, words);
    let english = words > 0 && latin * 2 > letters;
    Statistics {
        characters: document.lines.iter().map(|line| line.sentence.text.chars().count()).sum(),
        words,
        unique_words: document.terms.len(),
        sentences,
        paragraphs: blocks.len(),
        type_token_ratio: rounded(ratio(document.terms.len(), words), 3),
        average_word_length: rounded(ratio(letters, words), 2),
        average_sentence_length: rounded(per_sentence, 1),
        longest_sentence: worded().map(|line| line.tokens.len()).max().unwrap_or(0),
        syllables_per_word: rounded(per_word, 2),
        flesch_reading_ease: english
            .then(|| rounded(206.835 - 1.015 * per_sentence - 84.6 * per_word, 1)),
        reading_time: (words as f64 / WORDS_PER_MINUTE * 60.0).ceil() as u64,
        top_words: top_words(document, top),
    }
}

impl Statistics {
    /// The figures in one sentence.
    pub(crate) fn in_words(&self) -> String {
        let plural = |count: usize, noun: &str| {
            format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
        };
        let ease = match self.flesch_reading_ease {
            Some(ease) => format!(", reading ease {ease:.0} ({})", describe(ease)),
            None => String::new(),
        };
        let time = match self.reading_time {
            seconds @ 0..=59 => format!("{seconds} s"),
            seconds => format!("{} min", (seconds + 30) / 60),
        };
        format!(
            "{} in {}, {} of them different, {:.1} words a sentence{ease}, {time} to read.",
            plural(self.words, "word"),
            plural(self.sentences, "sentence"),
            self.unique_words,
            self.average_sentence_length,
        )
    }
}

/// Flesch's own names for the ranges of his scale.
fn describe(ease: f64) -> &'static str {
    match ease {
        90.0.. => "very easy",
        80.0.. => "easy",
        70.0.. => "fairly easy",
        60.0.. => "plain English",
        50.0.. => "fairly difficult",
        30.0.. => "difficult",
        _ => "very difficult",
    }
}

fn top_words(document: &Document<'_>, top: usize) -> Vec<TopWord> {
    let mut words: Vec<_> = document.terms.iter().filter(|term| !term.stopped).collect();
    // Stable, so words of equal count stay in order of first occurrence.
    words.sort_by_key(|term| std::cmp::Reverse(term.count));
    words.truncate(top);
    words.into_iter().map(|t| TopWord { word: t.key.clone(), count: t.count }).collect()
}

/// Syllables of an English word, by rule.
fn count_syllables(word: &str) -> usize {
    let letters: Vec<char> =
        word.chars().flat_map(char::to_lowercase).filter(|c| c.is_alphabetic()).collect();
    let is_vowel = |c: char| "aeiouyàáâäãåæèéêëìíîïòóôöõøœùúûüý".contains(c);
    let mut groups = 0;
    let mut in_group = false;
    for &c in &letters {
        let vowel = is_vowel(c);
        groups += usize::from(vowel && !in_group);
        in_group = vowel;
    }
    let silent = match letters[..] {
        // "candle" and "people" keep theirs, "make" does not.
        [.., before, 'l', 'e'] if !is_vowel(before) => false,
        [.., before, 'e'] if !is_vowel(before) => true,
        [.., before, 'e', 'd'] if !is_vowel(before) && !matches!(before, 't' | 'd') => true,
        [.., before, 'e', 's'] => {
            !is_vowel(before) && !matches!(before, 's' | 'x' | 'z' | 'c' | 'g' | 'h' | 'l')
        }
        _ => false,
    };
    (groups - usize::from(silent && groups > 1)).max(1)
}

fn ratio(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

fn rounded(value: f64, digits: i32) -> f64 {
    let scale = 10f64.powi(digits);
    (value * scale).round() / scale
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::{Sentences, Source};

    fn statistics(text: &str) -> Statistics {
        let sources = [Source { name: "input".into(), text: text.into() }];
        let sentences = Sentences::of(&sources);
        count(&Document::read(&sentences, &[]), 3)
    }

    #[test]
    fn syllables_are_about_right() {
        for (word, expected) in [
            ("cat", 1),
            ("make", 1),
            ("makes", 1),
            ("candle", 2),
            ("people", 2),
            ("walked", 1),
            ("wanted", 2),
            ("needed", 2),
            ("boxes", 2),
            ("species", 2),
            ("the", 1),
            ("naturalist", 4),
            ("queue", 1),
            ("rhythm", 1),
            ("42", 1),
            ("é", 1),
            ("independently", 5),
        ] {
            assert_eq!(count_syllables(word), expected, "{word}");
        }
    }

    #[test]
    fn figures_of_a_known_text() {
        let text = "# Pets\n\nThe cat sat on the mat. The dogs ran! A dog is not a cat.";
        let found = statistics(text);
        assert_eq!((found.words, found.unique_words, found.sentences), (16, 11, 3));
        assert_eq!((found.paragraphs, found.longest_sentence), (2, 6));
        assert_eq!(found.average_sentence_length, 5.0);
        assert_eq!(found.reading_time, 5);
        let top: Vec<_> =
            found.top_words.iter().map(|top| (top.word.as_str(), top.count)).collect();
        assert_eq!(top, [("cat", 2), ("dog", 2), ("pet", 1)]);
        // 206.835 − 1.015 × 5 − 84.6 × 1: every word has one syllable.
        assert_eq!(found.flesch_reading_ease, Some(117.2));
        assert!(found.in_words().contains("(very easy)"), "{}", found.in_words());
    }

    #[test]
    fn reading_ease_is_for_latin_letters_only() {
        assert_eq!(statistics("שלום עולם. מה שלומך?").flesch_reading_ease, None);
        let nothing = statistics("");
        assert_eq!((nothing.words, nothing.flesch_reading_ease), (0, None));
    }
}
