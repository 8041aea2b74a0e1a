//! *Truncation* cuts text at a limit and marks the cut with an ellipsis, which
//! counts against limits in characters. It never cuts inside a grapheme, what
//! readers see as one character, and leaves no white space before the ellipsis.

use std::borrow::Cow;

use unicode_segmentation::UnicodeSegmentation;

use crate::config::Config;

/// Cuts text to the strictest of the configured limits.
pub(crate) fn apply<'a>(config: &Config, text: Cow<'a, str>) -> Cow<'a, str> {
    let ellipsis = &config.ellipsis;
    let cuts = [
        config.max_chars.and_then(|limit| {
            let room = limit - ellipsis.chars().count();
            cut(&text, limit, room, |grapheme| grapheme.chars().count())
        }),
        config.max_graphemes.and_then(|limit| {
            let room = limit - ellipsis.graphemes(true).count();
            cut(&text, limit, room, |_| 1)
        }),
        config.max_words.and_then(|limit| cut_words(&text, limit)),
    ];
    match cuts.into_iter().flatten().min() {
        Some(end) => Cow::Owned(format!("{}{ellipsis}", text[..end].trim_end())),
        None => text,
    }
}

/// Where to cut for `room` when the text is longer than `limit`; graphemes
/// are measured by `size`.
fn cut(text: &str, limit: usize, room: usize, size: impl Fn(&str) -> usize) -> Option<usize> {
    // No grapheme is shorter than a byte.
    if text.len() <= limit {
        return None;
    }
    let (mut used, mut end) = (0, 0);
    for (at, grapheme) in text.grapheme_indices(true) {
        used += size(grapheme);
        if used <= room {
            end = at + grapheme.len();
        }
        if used > limit {
            return Some(end);
        }
    }
    None
}

/// The end of word number `limit`, when there is another one after it.
fn cut_words(text: &str, limit: usize) -> Option<usize> {
    let mut words = text.split_whitespace();
    let last = words.nth(limit.checked_sub(1)?)?;
    words.next()?;
    Some(last.as_ptr() as usize - text.as_ptr() as usize + last.len())
}
