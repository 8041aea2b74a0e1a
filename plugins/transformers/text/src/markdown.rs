//! *Markdown to plain text*: what a reader would read out.
//!
//! Blocks are separated by an empty line, list items by a line break; an item
//! keeps its bullet or number. Links and images become their words, tables
//! lines of cells separated by " | ", code stays as it is. HTML and rules are
//! left out.

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

/// The plain text of a Markdown document.
pub(crate) fn strip(markdown: &str) -> String {
    let options = Options::ENABLE_TABLES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_FOOTNOTES;
    let mut plain = Plain::default();
    for event in Parser::new_ext(markdown, options) {
        plain.event(event);
    }
    plain.out
}

/// What separates the next piece of text from the last.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
enum Gap {
    #[default]
    None,
    Line,
    Block,
}

#[derive(Default)]
struct Plain {
    out: String,
    gap: Gap,
    /// The next number of each open list; none for bullets.
    lists: Vec<Option<u64>>,
    /// Cells of the open table row so far.
    cells: usize,
    /// Whether text is being left out (the definition of a footnote's HTML).
    in_html: bool,
}

impl Plain {
    fn event(&mut self, event: Event<'_>) {
        match event {
            Event::Start(tag) => self.start(&tag),
            Event::End(tag) => self.end(tag),
            Event::Text(text) | Event::Code(text) if !self.in_html => self.text(&text),
            Event::InlineMath(text) | Event::DisplayMath(text) => self.text(&text),
            Event::SoftBreak => self.text(" "),
            Event::HardBreak => self.text("\n"),
            Event::TaskListMarker(done) => self.text(if done { "[x] " } else { "[ ] " }),
            Event::FootnoteReference(name) => self.text(&format!("[{name}]")),
            Event::Text(_)
            | Event::Code(_)
            | Event::Html(_)
            | Event::InlineHtml(_)
            | Event::Rule => {}
        }
    }

    fn start(&mut self, tag: &Tag<'_>) {
        match tag {
            Tag::List(first) => {
                self.separate(if self.lists.is_empty() { Gap::Block } else { Gap::Line });
                self.lists.push(*first);
            }
            Tag::Item => {
                self.separate(Gap::Line);
                let indent = "  ".repeat(self.lists.len().saturating_sub(1));
                let marker = match self.lists.last_mut() {
                    Some(Some(number)) => {
                        *number += 1;
                        format!("{indent}{}. ", *number - 1)
                    }
                    _ => format!("{indent}- "),
                };
                self.text(&marker);
            }
            Tag::TableHead | Tag::TableRow => {
                self.separate(Gap::Line);
                self.cells = 0;
            }
            Tag::TableCell => {
                if self.cells > 0 {
                    self.text(" | ");
                }
                self.cells += 1;
            }
            Tag::FootnoteDefinition(name) => {
                self.separate(Gap::Block);
                self.text(&format!("[{name}] "));
            }
            Tag::HtmlBlock => self.in_html = true,
            _ => {}
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::HtmlBlock => self.in_html = false,
            TagEnd::List(_) => {
                self.lists.pop();
                self.separate(if self.lists.is_empty() { Gap::Block } else { Gap::Line });
            }
            TagEnd::Item => self.separate(Gap::Line),
            TagEnd::Paragraph if !self.lists.is_empty() => self.separate(Gap::Line),
            TagEnd::Paragraph
            | TagEnd::Heading(_)
            | TagEnd::BlockQuote(_)
            | TagEnd::CodeBlock
            | TagEnd::Table
            | TagEnd::FootnoteDefinition => self.separate(Gap::Block),
            _ => {}
        }
    }

    fn separate(&mut self, gap: Gap) {
        self.gap = self.gap.max(gap);
    }

    /// Adds text, after the gap that is due.
    fn text(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        if self.gap != Gap::None {
            self.out.truncate(self.out.trim_end().len());
            if !self.out.is_empty() {
                self.out.push_str(if self.gap == Gap::Line { "\n" } else { "\n\n" });
            }
            self.gap = Gap::None;
        }
        self.out.push_str(text);
    }
}
