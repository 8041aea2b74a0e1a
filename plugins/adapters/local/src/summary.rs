//! A *summary* is the few sentences of a text that say most of it, in the order
//! they stand in.
//!
//! The method is LexRank: Erkan, Radev, "LexRank: Graph-based lexical centrality
//! as salience in text summarization", JAIR 22 (2004), 457–479. Sentences are
//! TF-IDF vectors, the cosine of two is the weight of the edge between them, and
//! the principal eigenvector of that graph ranks them. Ranks are then weighed:
//! early sentences, sentences of readable length and of some substance, and
//! sentences that stand on their own are preferred. At last sentences are taken
//! by maximal marginal relevance (Carbonell, Goldstein, SIGIR 1998), so that no
//! two say the same.
//!
//! Comparing sentences is quadratic, so at most [`MAX_RANKED`] are compared. Of
//! a longer text those go in whose words are on average the most frequent
//! (SumBasic: Nenkova, Vanderwende, 2005), and the result says how many did.

use crate::document::{Document, Line};

/// Sentences compared with each other.
pub(crate) const MAX_RANKED: usize = 400;

/// Words after which a sentence is cut, with "…". Text without punctuation is
/// one endless sentence otherwise.
const MAX_SENTENCE_WORDS: usize = 150;

const DAMPING: f64 = 0.85;
const ITERATIONS: usize = 60;
/// How much being central counts against being new.
const RELEVANCE: f64 = 0.7;

/// The chosen sentences.
#[derive(Debug, PartialEq)]
pub(crate) struct Summary {
    /// In the order they stand in.
    pub(crate) sentences: Vec<Chosen>,
    /// Sentences of the text that could have been chosen.
    pub(crate) available: usize,
    /// Those that were compared.
    pub(crate) ranked: usize,
}

/// One chosen sentence.
#[derive(Debug, PartialEq)]
pub(crate) struct Chosen {
    /// The sentence.
    pub(crate) text: String,
    /// An index into the sources.
    pub(crate) source: usize,
    /// Its number within the source, from 0.
    pub(crate) position: usize,
    /// Its rank relative to the best, which has 1.
    pub(crate) score: f64,
}

/// Chooses `count` sentences, or all when there are no more.
pub(crate) fn summarise(document: &Document<'_>, count: usize) -> Summary {
    let candidates = candidates(document);
    let available = candidates.len();
    let candidates = preselect(document, candidates);
    let vectors: Vec<Vector> = vectors(document, &candidates);
    let ranks = weigh(document, &candidates, &rank(&vectors));
    let best = ranks.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
    let mut chosen = choose(&vectors, &ranks, count);
    chosen.sort_unstable();
    let sentences = chosen
        .into_iter()
        .map(|at| {
            let line = candidates[at];
            Chosen {
                text: cut(line),
                source: line.source,
                position: line.position,
                score: ((ranks[at] / best) * 1000.0).round() / 1000.0,
            }
        })
        .collect();
    Summary { sentences, available, ranked: candidates.len() }
}

/// The sentences that can stand in a summary: prose where there is any, each
/// wording once.
fn candidates<'d, 't>(document: &'d Document<'t>) -> Vec<&'d Line<'t>> {
    let worded = || document.lines.iter().filter(|line| !line.tokens.is_empty());
    let prose: Vec<_> = worded().filter(|line| line.sentence.prose).collect();
    let lines = if prose.is_empty() { worded().collect() } else { prose };
    let mut seen = std::collections::BTreeSet::new();
    lines.into_iter().filter(|line| seen.insert(line.sentence.text.as_str())).collect()
}

fn preselect<'d, 't>(document: &Document<'_>, candidates: Vec<&'d Line<'t>>) -> Vec<&'d Line<'t>> {
    if candidates.len() <= MAX_RANKED {
        return candidates;
    }
    let mean = |line: &Line<'_>| {
        let (mut sum, mut words) = (0usize, 0usize);
        for token in &line.tokens {
            let term = &document.terms[token.term];
            if !term.stopped {
                sum += term.count;
                words += 1;
            }
        }
        // Three words at least, so that exclamations do not win.
        sum as f64 / words.max(3) as f64
    };
    let mut order: Vec<(f64, usize)> =
        candidates.iter().enumerate().map(|(at, line)| (mean(line), at)).collect();
    order.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    order.truncate(MAX_RANKED);
    order.sort_by_key(|&(_, at)| at);
    order.into_iter().map(|(_, at)| candidates[at]).collect()
}

/// Weights by term, sorted by term, of length 1; empty for a sentence of stop
/// words only.
type Vector = Vec<(usize, f64)>;

fn vectors(document: &Document<'_>, candidates: &[&Line<'_>]) -> Vec<Vector> {
    let mut found_in = vec![0usize; document.terms.len()];
    let counts: Vec<Vec<(usize, f64)>> = candidates
        .iter()
        .map(|line| {
            let mut terms: Vec<usize> = line
                .tokens
                .iter()
                .map(|token| token.term)
                .filter(|&term| !document.terms[term].stopped)
                .collect();
            terms.sort_unstable();
            let mut counts: Vec<(usize, f64)> = Vec::with_capacity(terms.len());
            for term in terms {
                match counts.last_mut() {
                    Some((last, count)) if *last == term => *count += 1.0,
                    _ => {
                        found_in[term] += 1;
                        counts.push((term, 1.0));
                    }
                }
            }
            counts
        })
        .collect();
    let all = candidates.len() as f64;
    counts
        .into_iter()
        .map(|mut vector| {
            for (term, weight) in &mut vector {
                *weight *= (1.0 + all / found_in[*term] as f64).ln();
            }
            let length = vector.iter().map(|(_, weight)| weight * weight).sum::<f64>().sqrt();
            for (_, weight) in &mut vector {
                *weight /= length;
            }
            vector
        })
        .collect()
}

fn cosine(a: &Vector, b: &Vector) -> f64 {
    let (mut i, mut j, mut sum) = (0, 0, 0.0);
    while i < a.len() && j < b.len() {
        match a[i].0.cmp(&b[j].0) {
            std::cmp::Ordering::Less => i += 1,
            std::cmp::Ordering::Greater => j += 1,
            std::cmp::Ordering::Equal => {
                sum += a[i].1 * b[j].1;
                (i, j) = (i + 1, j + 1);
            }
        }
    }
    sum
}

/// Power iteration over the row-normalised similarities.
fn rank(vectors: &[Vector]) -> Vec<f64> {
    let n = vectors.len();
    let mut similar = vec![0.0f64; n * n];
    for i in 0..n {
        for j in 0..i {
            let cosine = cosine(&vectors[i], &vectors[j]);
            similar[i * n + j] = cosine;
            similar[j * n + i] = cosine;
        }
    }
    for row in similar.chunks_exact_mut(n.max(1)) {
        let sum: f64 = row.iter().sum();
        if sum > 0.0 {
            row.iter_mut().for_each(|weight| *weight /= sum);
        }
    }
    let uniform = 1.0 / n.max(1) as f64;
    let mut ranks = vec![uniform; n];
    for _ in 0..ITERATIONS {
        let mut next = vec![(1.0 - DAMPING) * uniform; n];
        for (from, row) in similar.chunks_exact(n.max(1)).enumerate() {
            let given = DAMPING * ranks[from];
            for (to, weight) in row.iter().enumerate() {
                next[to] += given * weight;
            }
        }
        let change: f64 = next.iter().zip(&ranks).map(|(a, b)| (a - b).abs()).sum();
        ranks = next;
        if change < 1e-6 {
            break;
        }
    }
    ranks
}

/// Multiplies ranks by the preferences for place, length, substance and footing.
fn weigh(document: &Document<'_>, candidates: &[&Line<'_>], ranks: &[f64]) -> Vec<f64> {
    let mut lines_of = Vec::new();
    for line in &document.lines {
        if lines_of.len() <= line.source {
            lines_of.resize(line.source + 1, 0usize);
        }
        lines_of[line.source] += 1;
    }
    let weight = |(line, rank): (&&Line<'_>, &f64)| {
        let through = line.position as f64 / lines_of[line.source] as f64;
        let place = if line.position == 0 { 1.2 } else { 1.1 - 0.2 * through };
        rank * place * readable(line.tokens.len()) * substance(document, line) * footing(line)
    };
    candidates.iter().zip(ranks).map(weight).collect()
}

/// 1 up to 35 words, less for longer sentences.
fn readable(words: usize) -> f64 {
    match words {
        0..=35 => 1.0,
        _ => (35.0 / words as f64).sqrt(),
    }
}

/// 1 for a sentence with eight words that are not stop words, less for others:
/// short sentences are central easily, having little that could differ.
fn substance(document: &Document<'_>, line: &Line<'_>) -> f64 {
    let content = line.tokens.iter().filter(|token| !document.terms[token.term].stopped).count();
    (content.min(8) as f64 / 8.0).max(0.05)
}

/// 1 for a sentence that stands on its own, less for one that leans on what was
/// said before, and for questions and exclamations.
fn footing(line: &Line<'_>) -> f64 {
    let leans = line.tokens.first().is_some_and(|first| {
        LEANING.binary_search(&first.word.text.to_lowercase().as_str()).is_ok()
    });
    let asks = line.sentence.text.ends_with(['?', '!', '？', '！']);
    (if leans { 0.75 } else { 1.0 }) * (if asks { 0.6 } else { 1.0 })
}

/// First words that point back. Sorted.
static LEANING: &[&str] = &[
    "also",
    "and",
    "because",
    "but",
    "he",
    "hence",
    "her",
    "his",
    "however",
    "it",
    "its",
    "nor",
    "or",
    "she",
    "so",
    "such",
    "that",
    "their",
    "then",
    "therefore",
    "these",
    "they",
    "this",
    "those",
    "thus",
    "yet",
];

fn choose(vectors: &[Vector], ranks: &[f64], count: usize) -> Vec<usize> {
    let best = ranks.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
    let mut nearest = vec![0.0f64; ranks.len()];
    let mut chosen: Vec<usize> = Vec::new();
    while chosen.len() < count.min(ranks.len()) {
        let value = |at: usize| RELEVANCE * ranks[at] / best - (1.0 - RELEVANCE) * nearest[at];
        let next = (0..ranks.len())
            .filter(|at| !chosen.contains(at))
            .max_by(|&a, &b| value(a).total_cmp(&value(b)).then(b.cmp(&a)));
        let Some(next) = next else { break };
        for (at, near) in nearest.iter_mut().enumerate() {
            *near = near.max(cosine(&vectors[at], &vectors[next]));
        }
        chosen.push(next);
    }
    chosen
}

fn cut(line: &Line<'_>) -> String {
    match line.tokens.get(MAX_SENTENCE_WORDS) {
        Some(token) => format!("{} …", line.sentence.text[..token.word.start].trim_end()),
        None => line.sentence.text.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::{Sentences, Source};

    fn summary(texts: &[&str], count: usize) -> Summary {
        let source = |text: &&str| Source { name: "input".into(), text: (*text).into() };
        let sources: Vec<Source> = texts.iter().map(source).collect();
        let sentences = Sentences::of(&sources);
        summarise(&Document::read(&sentences, &[]), count)
    }

    fn texts(summary: &Summary) -> Vec<&str> {
        summary.sentences.iter().map(|chosen| chosen.text.as_str()).collect()
    }

    #[test]
    fn the_table_is_sorted() {
        assert!(LEANING.is_sorted());
    }

    #[test]
    fn the_central_sentence_is_found_and_small_talk_is_not() {
        let text = "It was a sunny Tuesday in March. Solar panels turn sunlight into electric \
            power for whole towns. The price of solar panels and electric power has fallen every \
            year. Somebody coughed. Towns that build solar panels sell electric power at a good \
            price. What a day!";
        let found = summary(&[text], 1);
        let chosen = texts(&found)[0];
        assert!(chosen.contains("solar panels"), "{chosen}");
        assert_eq!((found.available, found.ranked), (6, 6));
    }

    #[test]
    fn sentences_come_in_the_order_they_stand_in_and_none_twice() {
        let text = "Cats chase mice in the barn. Dogs chase cats in the garden. Cats chase mice in \
            the barn. Mice fear cats and dogs in the barn.";
        let found = summary(&[text, "Barn owls chase mice too, in the barn."], 10);
        let places: Vec<_> =
            found.sentences.iter().map(|chosen| (chosen.source, chosen.position)).collect();
        assert_eq!(places, [(0, 0), (0, 1), (0, 3), (1, 0)]);
    }

    #[test]
    fn headings_are_left_out_unless_there_is_nothing_else() {
        assert_eq!(texts(&summary(&["# Bees\n\nBees visit flowers."], 5)), ["Bees visit flowers."]);
        assert_eq!(texts(&summary(&["# Bees"], 5)), ["Bees"]);
        assert_eq!(texts(&summary(&["", "..."], 5)), Vec::<&str>::new());
    }

    #[test]
    fn an_endless_sentence_is_cut() {
        let found = summary(&[&"word ".repeat(10_000)], 1);
        let words = texts(&found)[0].split(' ').count();
        assert_eq!(words, MAX_SENTENCE_WORDS + 1, "the words and the ellipsis");
    }
}
