//! The *cost* of a term is how little it tells about its text: what YAKE calls
//! S(t).
//!
//! Campos, Mangaravite, Pasquali, Jorge, Nunes, Jatowt, "YAKE! Keyword extraction
//! from single documents using multiple local features", Information Sciences 509
//! (2020), 257–289. It needs no corpus and no model: a term tells more the more
//! often it occurs, in the more sentences, the earlier, the more often with a
//! capital inside a sentence, and the fewer different neighbours it has. Where
//! the weights differ from the paper's, the constants say why.

use crate::document::{Document, StableMap};
use crate::words::is_capitalised;

/// How much different neighbours weigh. The paper has 1, which is meant for
/// text without a list of stop words.
const NEIGHBOUR_WEIGHT: f64 = 0.3;

/// How much a capital inside a sentence weighs. The paper has 1, which puts
/// every name of a story before its subject.
const CAPITAL_WEIGHT: f64 = 0.3;

/// The cost of every term: smaller is more telling.
pub(crate) fn term_costs(document: &Document<'_>) -> Vec<f64> {
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
            // Linear, where the paper has a double logarithm that tells twelve times
            // more for the first sentence than for the last of a page.
            let position = 1.0 + median as f64 / lines;
            let frequency = count[t] / (mean + variance.sqrt()).max(1.0);
            let neighbours = variety(left[t]) + variety(right[t]);
            let relatedness = 1.0 + NEIGHBOUR_WEIGHT * neighbours * (count[t] / most);
            let spread = sentences[t].len() as f64 / lines;
            (relatedness * position) / (case + frequency / relatedness + spread / relatedness)
        })
        .collect()
}
