//! A *Mermaid* flow chart, as Markdown on code hosts shows it.

use super::paint::paint;
use super::{Node, Picture, put};
use crate::terminal::one_line;

/// Draws the picture as the text of a Mermaid diagram.
pub(crate) fn mermaid(picture: &Picture) -> String {
    let mut out = String::from("flowchart LR\n");
    for node in &picture.roots {
        write_node(&mut out, picture, *node, 1);
    }
    for arrow in &picture.arrows {
        let line = if arrow.forward { "-->" } else { "-.->" };
        let label = match arrow.label.as_str() {
            "" => String::new(),
            label => format!("|\"{}\"|", escape(label)),
        };
        put(&mut out, format_args!("  t{} {line}{label} t{}\n", arrow.from, arrow.to));
    }
    write_classes(&mut out, picture);
    out
}

fn write_node(out: &mut String, picture: &Picture, index: usize, depth: usize) {
    let node = &picture.nodes[index];
    let indent = "  ".repeat(depth);
    if node.is_frame() {
        put(out, format_args!("{indent}subgraph t{index}[\"{}\"]\n", escape(&node.id)));
        for step in &node.steps {
            write_node(out, picture, *step, depth + 1);
        }
        put(out, format_args!("{indent}end\n"));
    } else {
        put(out, format_args!("{indent}t{index}(\"{}\")\n", label(picture, node)));
    }
}

fn label(picture: &Picture, node: &Node) -> String {
    match picture.subtitle(node) {
        subtitle if subtitle.is_empty() => escape(&node.id),
        subtitle => format!("<b>{}</b><br/>{}", escape(&node.id), escape(&subtitle)),
    }
}

/// One class for each agent, and one for the task that was asked for.
fn write_classes(out: &mut String, picture: &Picture) {
    for agent in 0..picture.agents.len() {
        let members: Vec<String> = (0..picture.nodes.len())
            .filter(|node| picture.nodes[*node].agent == Some(agent))
            .map(|node| format!("t{node}"))
            .collect();
        let paint = paint(Some(agent));
        put(
            out,
            format_args!(
                "  classDef a{agent} fill:{},stroke:{},color:#1b1f24\n  class {} a{agent}\n",
                paint.fill,
                paint.stroke,
                members.join(",")
            ),
        );
    }
    if let Some(focus) = picture.focus {
        put(out, format_args!("  style t{focus} stroke-width:4px\n"));
    }
}

/// Mermaid's own entities: what it reads in quotes is HTML with `#` for `&`.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in one_line(text, 200).chars() {
        match c {
            '"' => out.push_str("#quot;"),
            '<' => out.push_str("#lt;"),
            '>' => out.push_str("#gt;"),
            '&' => out.push_str("#amp;"),
            '#' => out.push_str("#35;"),
            '`' => out.push_str("#96;"),
            '\\' => out.push_str("#92;"),
            c => out.push(c),
        }
    }
    out
}
