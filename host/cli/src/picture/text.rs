//! *Text* for the terminal: a whole workflow level by level, one task as two
//! trees, of what it waits for and of what waits for it.

use std::collections::HashSet;

use unicode_width::UnicodeWidthStr as _;

use super::{Node, Picture, put};
use crate::terminal::{counted, one_line};

/// Characters of an id that are shown.
const LONGEST_ID: usize = 60;
/// Dependencies named behind a task.
const MOST_NAMED: usize = 6;
/// Levels of a tree; deeper ones would not fit a terminal.
const DEEPEST: usize = 16;
/// Lines of a tree.
const MOST_LINES: usize = 1_000;

/// Draws the picture as lines of text.
pub(crate) fn text(picture: &Picture) -> String {
    match picture.focus {
        None => by_level(picture),
        Some(focus) => around(picture, focus),
    }
}

fn by_level(picture: &Picture) -> String {
    let deepest = picture.nodes.iter().map(|node| node.level).max().unwrap_or(0);
    let mut levels: Vec<Vec<usize>> = vec![Vec::new(); deepest as usize + 1];
    for (index, node) in picture.nodes.iter().enumerate() {
        levels[node.level as usize].push(index);
    }
    let into = arrows_by(picture, |arrow| (arrow.to, arrow.from));
    let width = picture.nodes.iter().map(|node| id(node).width()).max().unwrap_or(0);
    let agents = picture.nodes.iter().map(|node| about(picture, node).width()).max().unwrap_or(0);

    let mut out = headline(picture, levels.len());
    for (number, level) in levels.iter().enumerate() {
        put(&mut out, format_args!("\n  level {}\n", number + 1));
        for &index in level {
            let node = &picture.nodes[index];
            let waits = if node.is_frame() { &node.steps } else { &into[index] };
            let line = format!(
                "    {}  {}  {}",
                pad(&id(node), width),
                pad(&about(picture, node), agents),
                names(picture, waits)
            );
            put(&mut out, format_args!("{}\n", line.trim_end()));
        }
    }
    out
}

fn headline(picture: &Picture, levels: usize) -> String {
    let name = match &*picture.name {
        "" => String::new(),
        name => format!("{}: ", one_line(name, LONGEST_ID)),
    };
    format!(
        "{name}{}, {}, {}\n",
        counted(picture.nodes.len() as u64, "task"),
        counted(picture.agents.len() as u64, "agent"),
        counted(levels as u64, "level")
    )
}

/// The dependencies behind a task, as far as they fit.
fn names(picture: &Picture, waits: &[usize]) -> String {
    if waits.is_empty() {
        return String::new();
    }
    let named: Vec<String> =
        waits.iter().take(MOST_NAMED).map(|node| id(&picture.nodes[*node])).collect();
    let rest = waits.len() - named.len();
    let more = if rest > 0 { format!(" and {rest} more") } else { String::new() };
    format!("← {}{more}", named.join(", "))
}

fn around(picture: &Picture, focus: usize) -> String {
    let node = &picture.nodes[focus];
    let mut out = line(picture, node);
    out.push('\n');
    let mut into = arrows_by(picture, |arrow| (arrow.to, arrow.from));
    let mut out_of = arrows_by(picture, |arrow| (arrow.from, arrow.to));
    for (index, node) in picture.nodes.iter().enumerate() {
        into[index].extend(&node.steps);
        out_of[index].extend(node.frame);
    }
    for (title, next) in [("waits for", into), ("needed by", out_of)] {
        if next[focus].is_empty() {
            put(&mut out, format_args!("\n{title} nothing\n"));
        } else {
            put(&mut out, format_args!("\n{title}\n"));
            Tree { picture, next: &next, seen: HashSet::new(), lines: 0 }.write(&mut out, focus);
        }
    }
    out
}

/// A walk that shows every task once with all that follows from it; where it
/// comes up again, the tree refers to the first time.
struct Tree<'a> {
    picture: &'a Picture,
    next: &'a [Vec<usize>],
    seen: HashSet<usize>,
    lines: usize,
}

impl Tree<'_> {
    fn write(&mut self, out: &mut String, root: usize) {
        // What is still to be written: a node, what stands before it, and
        // whether it is the last under its parent.
        let mut open: Vec<(usize, String, bool)> = Vec::new();
        self.push_children(&mut open, root, "");
        while let Some((index, before, last)) = open.pop() {
            self.lines += 1;
            if self.lines > MOST_LINES {
                put(out, format_args!("… and more; see --format dot\n"));
                return;
            }
            let node = &self.picture.nodes[index];
            let branch = if last { "└─ " } else { "├─ " };
            let after = format!("{before}{}", if last { "   " } else { "│  " });
            let first = self.seen.insert(index);
            let deep = after.chars().count() / 3 >= DEEPEST;
            let note = match self.next[index].is_empty() {
                false if !first => " (see above)",
                false if deep => " …",
                _ => "",
            };
            put(out, format_args!("{before}{branch}{}{note}\n", line(self.picture, node)));
            if first && !deep {
                self.push_children(&mut open, index, &after);
            }
        }
    }

    fn push_children(&self, open: &mut Vec<(usize, String, bool)>, index: usize, before: &str) {
        let children = &self.next[index];
        for (place, child) in children.iter().enumerate().rev() {
            open.push((*child, before.to_owned(), place + 1 == children.len()));
        }
    }
}

/// For each node, the other ends of its arrows.
fn arrows_by(picture: &Picture, ends: impl Fn(&super::Arrow) -> (usize, usize)) -> Vec<Vec<usize>> {
    let mut by = vec![Vec::new(); picture.nodes.len()];
    for arrow in &picture.arrows {
        let (at, other) = ends(arrow);
        by[at].push(other);
    }
    by
}

fn line(picture: &Picture, node: &Node) -> String {
    match about(picture, node) {
        about if about.is_empty() => id(node),
        about => format!("{}  {about}", id(node)),
    }
}

fn id(node: &Node) -> String {
    one_line(&node.id, LONGEST_ID)
}

fn about(picture: &Picture, node: &Node) -> String {
    if node.is_frame() {
        return counted(node.steps.len() as u64, "step");
    }
    one_line(&picture.subtitle(node), LONGEST_ID)
}

fn pad(text: &str, width: usize) -> String {
    format!("{text}{}", " ".repeat(width.saturating_sub(text.width())))
}
