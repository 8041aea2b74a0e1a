//! A *keyword* is a word or phrase that tells what a text is about.
//!
//! [Terms](crate::term_costs) are weighed by the features of YAKE, and
//! [phrases](crate::phrases) by their terms. A phrase that occurs once is listed
//! only when it is a proper name, when it is two words of which each recurs, or
//! when the text is short; and no phrase is listed that says little beyond a
//! better one.
//!
//! Time is linear in the length of the text, but for sorting the phrases.

use serde::Serialize;

use crate::document::Document;
use crate::phrases::{Phrase, phrases};
use crate::term_costs::term_costs;

/// Phrases kept for thinning; enough for any count asked for.
const MAX_CANDIDATES: usize = 1000;

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
    let mut candidates = phrases(document, max_words);
    candidates.retain(|candidate| candidate.recurs(document));
    for candidate in &mut candidates {
        candidate.cost = candidate.cost_of(&costs);
    }
    candidates.sort_by(|a, b| a.cost.total_cmp(&b.cost).then(a.first.cmp(&b.first)));
    candidates.truncate(MAX_CANDIDATES);
    let chosen = thin(candidates, count);
    let best = chosen.first().map_or(1.0, |c| c.cost);
    let keyword = |c: &Phrase<'_>| Keyword {
        phrase: c.display(),
        score: ((best / c.cost) * 1000.0).round() / 1000.0,
        count: c.count,
    };
    chosen.iter().map(keyword).collect()
}

/// Takes the best `count` candidates that say something new.
fn thin<'a>(candidates: Vec<Phrase<'a>>, count: usize) -> Vec<Phrase<'a>> {
    let mut chosen: Vec<Phrase<'a>> = Vec::new();
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
