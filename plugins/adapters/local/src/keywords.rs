//! A *keyword* is a word or phrase that tells what a text is about.
//!
//! Words are weighed by the features of YAKE: Campos, Mangaravite, Pasquali,
//! Jorge, Nunes, Jatowt, "YAKE! Keyword extraction from single documents using
//! multiple local features", Information Sciences 509 (2020), 257–289. It needs
//! no corpus and no model: a word weighs more the more often it occurs, in the
//! more sentences, the earlier, the more often with a capital inside a sentence,
//! and the fewer different neighbours it has.
//!
//! Phrases are put together for readers rather than by the paper's product of
//! weights: plurals and possessives count as the same word; a phrase weighs the
//! geometric mean of its words, more for its length and its frequency; one that
//! occurs once is listed only when it is a proper name, when it is two words of
//! which each recurs, or when the text is short. A phrase is left out when it
//! says little that a better one does not.
//!
//! Time is linear in the length of the text, but for sorting the phrases.

use serde::Serialize;

use crate::document::{Document, StableMap};

/// Phrases kept for thinning; enough for any count asked for.
const MAX_CANDIDATES: usize = 1000;

/// Below so many words that are not stop words a text is short, and what occurs
/// once may be listed.
const SHORT_TEXT: usize = 120;

/// How much more a phrase weighs for each word after the first.
const LENGTH_BONUS: f64 = 0.8;

/// The same for words that stand together only once.
const CHANCE_BONUS: f64 = 0.1;

/// How much different neighbours weigh. The paper has 1, which is meant for
/// text without a list of stop words.
const NEIGHBOUR_WEIGHT: f64 = 0.3;

/// How much frequency weighs for phrases; the weights of their words contain
/// it once already.
const COUNT_EXPONENT: f64 = 0.9;

/// How much a capital inside a sentence weighs. The paper has 1, which puts
/// every name of a story before its subject.
const CAPITAL_WEIGHT: f64 = 0.3;

/// A phrase and what it weighs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Keyword {
    /// In lower case, unless the text always writes it otherwise.
    pub(crate) phrase: String,
    /// Weight relative to the best phrase, which has 1.
    pub(crate) score: f64,
    /// How often it occurs, in any form.
    pub(crate) count: usize,
}

/// The best `count` phrases of at most `max_words` words, best first.
pub(crate) fn extract(document: &Document<'_>, count: usize, max_words: usize) -> Vec<Keyword> {
    let costs = term_costs(document);
    let mut candidates = candidates(document, max_words);
    candidates.retain(|candidate| candidate.recurs(document));
    for candidate in &mut candidates {
        candidate.cost = candidate.cost(&costs);
    }
    candidates.sort_by(|a, b| a.cost.total_cmp(&b.cost).then(a.first.cmp(&b.first)));
    candidates.truncate(MAX_CANDIDATES);
    let chosen = thin(candidates, count);
    let best = chosen.first().map_or(1.0, |c| c.cost);
    let keyword = |c: &Candidate<'_>| Keyword {
        phrase: c.display(),
        score: ((best / c.cost) * 1000.0).round() / 1000.0,
        count: c.count,
    };
    chosen.iter().map(keyword).collect()
}

/// What the paper calls S(t), for every term: smaller is more telling.
fn term_costs(document: &Document<'_>) -> Vec<f64> {
    let terms = document.terms.len();
    let mut sentences: Vec<Vec<usize>> = vec![Vec::new(); terms];
    let mut capital = vec![0usize; terms];
    let mut pairs: StableMap<(usize, usize), usize> = StableMap::default();
    for (number, line) in document.lines.iter().enumerate() {
        for (at, token) in line.tokens.iter().enumerate() {
            if sentences[token.term].last() != Some(&number) {
                sentences[token.term].push(number);
            }
            if at > 0 && line.sentence.prose && is_capitalised(token.word.text) {
                capital[token.term] += 1;
            }
            if at > 0 && !token.word.after_break {
                *pairs.entry((line.tokens[at - 1].term, token.term)).or_default() += 1;
            }
        }
    }
    let (mut left, mut right) = (vec![(0usize, 0usize); terms], vec![(0usize, 0usize); terms]);
    for (&(first, second), &times) in &pairs {
        right[first] = (right[first].0 + 1, right[first].1 + times);
        left[second] = (left[second].0 + 1, left[second].1 + times);
    }

    let count: Vec<f64> = document.terms.iter().map(|term| term.count as f64).collect();
    let content: Vec<f64> =
        document.terms.iter().filter(|t| !t.stopped).map(|t| t.count as f64).collect();
    let mean = content.iter().sum::<f64>() / content.len().max(1) as f64;
    let variance =
        content.iter().map(|c| (c - mean).powi(2)).sum::<f64>() / content.len().max(1) as f64;
    let most = content.iter().copied().fold(1.0, f64::max);
    let lines = document.lines.len().max(1) as f64;
    let variety = |(different, all): (usize, usize)| {
        if all == 0 { 0.0 } else { different as f64 / all as f64 }
    };
    (0..terms)
        .map(|t| {
            let case = CAPITAL_WEIGHT * capital[t] as f64 / (1.0 + count[t].ln());
            let median = sentences[t].get(sentences[t].len() / 2).copied().unwrap_or(0);
            let position = 1.0 + median as f64 / lines;
            let frequency = count[t] / (mean + variance.sqrt()).max(1.0);
            let neighbours = variety(left[t]) + variety(right[t]);
            let relatedness = 1.0 + NEIGHBOUR_WEIGHT * neighbours * (count[t] / most);
            let spread = sentences[t].len() as f64 / lines;
            (relatedness * position) / (case + frequency / relatedness + spread / relatedness)
        })
        .collect()
}

struct Candidate<'a> {
    /// The words; the first and last are not stop words.
    terms: Vec<usize>,
    stopped: Vec<bool>,
    count: usize,
    /// Number of the first occurrence, to order equals.
    first: usize,
    /// The spelling of the first occurrence that does not open a sentence.
    spelling: &'a str,
    /// Whether that occurrence opens a sentence all the same.
    opens: bool,
    /// Occurrences inside a sentence where every word that is not a stop word
    /// has a capital; and all occurrences inside a sentence.
    capitals: (usize, usize),
    cost: f64,
}

impl Candidate<'_> {
    /// Smaller is better.
    fn cost(&self, costs: &[f64]) -> f64 {
        let content = || self.terms.iter().zip(&self.stopped).filter(|(_, stopped)| !**stopped);
        let words = content().count().max(1) as f64;
        let logarithms: f64 = content().map(|(&term, _)| costs[term].ln()).sum();
        let bonus = if self.is_established() { LENGTH_BONUS } else { CHANCE_BONUS };
        let bonus = 1.0 + bonus * (words - 1.0);
        (logarithms / words).exp() / (bonus * (self.count as f64).powf(COUNT_EXPONENT))
    }

    /// Whether it is a phrase of the text rather than words that met once.
    fn is_established(&self) -> bool {
        self.count > 1 || self.is_name()
    }

    /// Whether it may be listed.
    fn recurs(&self, document: &Document<'_>) -> bool {
        self.is_established()
            || document.content_words < SHORT_TEXT
            || (self.terms.len() == 2
                && self.terms.iter().all(|&term| document.terms[term].count > 1))
    }

    fn is_name(&self) -> bool {
        self.capitals.0 > 0 && self.capitals.0 == self.capitals.1
    }

    fn display(&self) -> String {
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
fn candidates<'a>(document: &Document<'a>, max_words: usize) -> Vec<Candidate<'a>> {
    let mut candidates: Vec<Candidate<'a>> = Vec::new();
    let mut ids: StableMap<Vec<usize>, usize> = StableMap::default();
    for line in &document.lines {
        let usable = |at: usize| {
            let token = &line.tokens[at];
            !document.terms[token.term].stopped
                && is_telling(token.word.text)
                && !is_adverb(token.word.text)
        };
        // "New" in "New York": a stop word that is part of the name.
        let opens_name = |at: usize| {
            let capitalised = |at: usize| {
                line.tokens.get(at).is_some_and(|token| is_capitalised(token.word.text))
            };
            at > 0
                && line.sentence.prose
                && !line.tokens[at].word.after_break
                && line.tokens[at].word.text.len() > 2
                && capitalised(at)
                && capitalised(at + 1)
                && !line.tokens[at + 1].word.after_break
        };
        for start in 0..line.tokens.len() {
            if !usable(start) && !opens_name(start) {
                continue;
            }
            for end in start..line.tokens.len().min(start + max_words) {
                if end > start && line.tokens[end].word.after_break {
                    break;
                }
                if start == end && !usable(start) {
                    continue;
                }
                if !usable(end) || is_participle(line.tokens[end].word.text) {
                    continue;
                }
                let span = &line.tokens[start..=end];
                let terms: Vec<usize> = span.iter().map(|token| token.term).collect();
                let stopped: Vec<bool> =
                    terms.iter().map(|&term| document.terms[term].stopped).collect();
                let mut inside = span.iter().zip(&stopped).skip(1).filter(|(_, stopped)| **stopped);
                if inside.next().is_some_and(|(t, _)| !matches!(t.word.text, "of" | "for"))
                    || inside.next().is_some()
                {
                    continue;
                }
                let (first, last) = (span[0].word, span[span.len() - 1].word);
                let spelling = &line.sentence.text[first.start..last.start + last.text.len()];
                let opens = start == 0 || !line.sentence.prose;
                let capitals = span
                    .iter()
                    .zip(&stopped)
                    .all(|(token, stopped)| *stopped || is_capitalised(token.word.text));
                let next = candidates.len();
                let id = *ids.entry(terms.clone()).or_insert(next);
                if id == next {
                    candidates.push(Candidate {
                        terms,
                        stopped,
                        count: 0,
                        first: next,
                        spelling,
                        opens,
                        capitals: (0, 0),
                        cost: 0.0,
                    });
                }
                let candidate = &mut candidates[id];
                candidate.count += 1;
                if !opens {
                    candidate.capitals.0 += usize::from(capitals);
                    candidate.capitals.1 += 1;
                    if candidate.opens {
                        (candidate.spelling, candidate.opens) = (spelling, false);
                    }
                }
            }
        }
    }
    candidates
}

/// Takes the best `count` candidates that say something new.
fn thin<'a>(candidates: Vec<Candidate<'a>>, count: usize) -> Vec<Candidate<'a>> {
    let mut chosen: Vec<Candidate<'a>> = Vec::new();
    for candidate in candidates {
        if chosen.len() == count {
            break;
        }
        let said = chosen.iter().any(|better| {
            let (short, long) = if better.terms.len() < candidate.terms.len() {
                (better, &candidate)
            } else {
                (&candidate, better)
            };
            // The longer adds little when it is one of many uses of the shorter,
            // the shorter when it is mostly used inside the longer.
            let repeats = contains(&long.terms, &short.terms)
                && (2 * long.count > short.count || long.count == 1);
            let overlaps = !candidate.is_established()
                && better.terms.len() > 1
                && candidate.terms.iter().any(|term| better.terms.contains(term));
            repeats || overlaps
        });
        if !said {
            chosen.push(candidate);
        }
    }
    chosen
}

fn contains(long: &[usize], short: &[usize]) -> bool {
    long.windows(short.len()).any(|window| window == short)
}

fn is_capitalised(word: &str) -> bool {
    word.starts_with(char::is_uppercase)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::{Sentences, Source};

    fn keywords(text: &str, count: usize) -> Vec<Keyword> {
        let sources = [Source { name: "input".into(), text: text.into() }];
        let sentences = Sentences::of(&sources);
        extract(&Document::read(&sentences, &[]), count, 3)
    }

    fn phrases(text: &str, count: usize) -> Vec<String> {
        keywords(text, count).into_iter().map(|keyword| keyword.phrase).collect()
    }

    #[test]
    fn a_text_about_something_yields_it() {
        let text = "Solar panels turn light into power. The price of solar panels has fallen. \
            Every roof could carry a solar panel, and New York wants one on each roof.";
        assert_eq!(phrases(text, 3), ["solar panels", "roof", "power"]);
    }

    #[test]
    fn names_keep_their_capitals_and_everything_else_loses_them() {
        let text = "We met in New York. Nobody leaves New York. Everything about IBM and its \
            Machines bores me. The machines hum; some machines do not.";
        let found = phrases(text, 8);
        for phrase in ["New York", "IBM", "machines"] {
            assert!(found.contains(&phrase.to_owned()), "{phrase} is not in {found:?}");
        }
    }

    #[test]
    fn scores_fall_from_one_and_counts_are_right() {
        let found = keywords("Tea, tea and more tea. Coffee and tea. Coffee.", 5);
        assert_eq!(found[0], Keyword { phrase: "tea".into(), score: 1.0, count: 4 });
        assert_eq!((found[1].phrase.as_str(), found[1].count), ("coffee", 2));
        assert!(found.windows(2).all(|pair| pair[0].score >= pair[1].score), "{found:?}");
    }

    #[test]
    fn weird_texts_yield_what_they_hold() {
        let cases: &[(&str, &[&str])] = &[
            ("", &[]),
            ("the of and", &[]),
            ("1 2 3 4.5", &[]),
            ("😀 🎉", &[]),
            ("Research topic", &["research topic"]),
            ("שלום עולם", &["שלום עולם"]),
        ];
        for (text, expected) in cases {
            assert_eq!(phrases(text, 1), *expected, "{text:?}");
        }
    }

    #[test]
    fn a_phrase_inside_a_better_one_is_not_repeated() {
        let found =
            phrases("Machine learning is fun. Machine learning is hard. Machine learning.", 5);
        assert_eq!(found[0], "machine learning");
        assert!(!found.contains(&"machine".to_owned()), "{found:?}");
        assert!(!found.contains(&"learning".to_owned()), "{found:?}");
    }
}
