//! An *abbreviation* ends in a full stop that need not end a sentence.

/// Whether the full stop after `before` belongs to its last word. `next` is the
/// text that follows, from its first letter or digit.
pub(crate) fn is_abbreviation(before: &str, next: &str) -> bool {
    let word = before
        .rsplit(|c: char| c.is_whitespace() || matches!(c, '(' | '[' | '"' | '“' | '‘' | '—' | '–'))
        .next()
        .unwrap_or(before);
    if word.is_empty() {
        return false;
    }
    let lower = word.to_lowercase();
    if BEFORE_NUMBER.binary_search(&lower.as_str()).is_ok() {
        return next.starts_with(|c: char| c.is_ascii_digit()) || starts_with_roman_numeral(next);
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
    if ALWAYS.binary_search(&lower.as_str()).is_ok() {
        return true;
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

    #[test]
    fn tables_are_sorted() {
        for table in [ALWAYS, BEFORE_NUMBER, SOMETIMES, STARTERS] {
            assert!(table.is_sorted(), "{table:?}");
        }
    }
}
