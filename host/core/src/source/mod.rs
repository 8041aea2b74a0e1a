//! A *source* is the text a workflow was read from: where in it the parts of
//! the document stand, and what a reader is shown of it.
//!
//! The compiler works on values, which have forgotten where they stood. Only
//! when there are problems is the text walked once more to find the places that
//! their paths name.
//!
//! * [`locate`]: from the paths of problems to places, through
//!   * `json` and `yaml`, which walk a text and say what they pass,
//!   * `walk`, which follows the paths somebody asked for,
//!   * `wanted`, which holds those paths, and
//!   * `lines`, which counts lines and columns.
//! * `numbers`: those that are not what they say once they have been read.
//! * `excerpt`: the few lines around a place.

mod excerpt;
mod ids;
mod json;
mod lines;
mod locate;
mod numbers;
mod walk;
mod wanted;
mod yaml;

use std::borrow::Cow;

pub(crate) use excerpt::{Excerpt, Shown, printable};
pub(crate) use lines::place;
pub use locate::locate;
pub(crate) use numbers::inexact_numbers;

use crate::problem::Span;
use crate::spec::Format;

/// Hears what a walk through a text passes, in order. A text that stops making
/// sense was understood up to there: what is open may never be closed.
trait Listener {
    /// The key of the next value. Keys that are not scalars are passed as empty.
    fn key(&mut self, name: &str, span: Span);

    /// A list or an object starts. Without `true`, nothing inside it is said
    /// and neither is its end.
    fn open(&mut self, kind: Kind, offset: usize) -> bool;

    /// The innermost list or object that was opened ends before this offset.
    fn close(&mut self, end: usize);

    /// A value that is neither.
    fn scalar<'t>(&mut self, span: Span, text: impl FnOnce() -> Cow<'t, str>);
}

/// What contains other values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    List,
    Object,
}

/// Walks a text.
fn walk(text: &str, format: Format, listener: &mut impl Listener) {
    match format {
        Format::Json => json::walk(text, listener),
        Format::Yaml => yaml::walk(text, listener),
    }
}
