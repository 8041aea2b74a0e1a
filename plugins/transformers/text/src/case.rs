//! *Case*, as Unicode's tables have it; no language has rules of its own here.

use std::borrow::Cow;

use unicode_segmentation::UnicodeSegmentation;

use crate::config::Case;

/// Changes the case of letters as configured.
pub(crate) fn apply(case: Case, text: Cow<'_, str>) -> Cow<'_, str> {
    match case {
        Case::Keep => text,
        Case::Lower => Cow::Owned(text.to_lowercase()),
        Case::Upper => Cow::Owned(text.to_uppercase()),
        Case::Title => Cow::Owned(title(&text)),
    }
}

/// Gives every word a capital and the rest of it lower case.
fn title(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for piece in text.split_word_bounds() {
        let mut chars = piece.chars();
        if let Some(first) = chars.next() {
            out.extend(first.to_uppercase());
            out.push_str(&chars.as_str().to_lowercase());
        }
    }
    out
}
