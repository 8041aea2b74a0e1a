//! Every bound on what a document may hold, in one place.
//!
//! A document comes from anyone. Whatever is in it, reading and compiling it
//! ends soon, within memory in proportion to its size, and with a problem that
//! names the bound it broke.

/// Bytes of a document.
pub const MAX_DOCUMENT: usize = 1 << 30;

/// Levels of lists and objects within each other; JSON counts from each task.
pub const MAX_DEPTH: usize = 128;

/// Levels of collaborative tasks within collaborative tasks.
pub const MAX_NESTING: usize = 32;

/// Bytes of one string within `input`, `metadata` and other free values.
pub const MAX_STRING: usize = 16 << 20;

/// Bytes of a task id, an agent's name, a type or a label.
pub const MAX_NAME: usize = 512;

/// Bytes of a URL.
pub const MAX_URL: usize = 8 << 10;

/// Bytes of a description without gaps.
pub const MAX_TEXT: usize = 4 << 20;

/// Bytes of a template.
pub const MAX_TEMPLATE: usize = 256 << 10;

/// Tokens of one expression: a `when`, a `for_each`, or one gap of a template.
/// It bounds how deep the expression can be, over which minijinja recurses.
pub const MAX_EXPRESSION: usize = 1_000;

/// Gaps and statements of a template, for the same reason.
pub const MAX_STATEMENTS: usize = 1_000;

/// Items of a literal `for_each`.
pub const MAX_ITEMS: usize = 1_000_000;

/// Tasks of a workflow, steps included.
pub const MAX_TASKS: usize = 10_000_000;

/// Edges that nobody wrote: those between steps, and from what a collaborative
/// task waits for to its steps. A thousand parallel steps that follow a thousand
/// parallel steps have a million.
pub const MAX_IMPLIED_EDGES: usize = 2_000_000;

/// Seconds of any span: a year.
pub const MAX_SECONDS: f64 = 366.0 * 86_400.0;

/// Tasks that are started together.
pub const MAX_BATCH: u64 = 1_000;

/// Problems that are reported; the rest is only counted.
pub const MAX_PROBLEMS: usize = 1_000;

/// Problems for which a name that is near is looked for.
pub const MAX_SUGGESTIONS: usize = 100;

/// Names that are compared to find a near one.
pub const MAX_COMPARED: usize = 10_000;

/// Bytes of the author's text that a message quotes.
pub const MAX_QUOTED: usize = 120;

/// YAML: events that aliases may add to a document, all together.
pub const MAX_ALIASED: usize = 1_000_000;
