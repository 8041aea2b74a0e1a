//! A *dot* file, for Graphviz.

use super::paint::paint;
use super::{Picture, put};
use crate::terminal::one_line;

const HEAD: &str = "  rankdir=LR; compound=true; fontname=\"Helvetica\"; fontsize=12;
  node [shape=box, style=\"rounded,filled\", fontname=\"Helvetica\", fontsize=12, margin=\"0.18,0.09\"];
  edge [color=\"#7a828e\", fontname=\"Helvetica\", fontsize=10];
";

/// Draws the picture as a Graphviz digraph; frames are clusters.
pub(crate) fn dot(picture: &Picture) -> String {
    let mut out = format!("digraph \"{}\" {{\n{HEAD}", escape(&picture.name));
    for node in &picture.roots {
        write_node(&mut out, picture, *node, 1);
    }
    for arrow in &picture.arrows {
        let (from, tail) = end(picture, arrow.from);
        let mut attributes = Vec::new();
        if let Some(cluster) = tail {
            attributes.push(format!("ltail=cluster_t{cluster}"));
        }
        if !arrow.forward {
            attributes.push("style=dashed".to_owned());
        }
        if !arrow.label.is_empty() {
            attributes.push(format!("label=\"{}\"", escape(&arrow.label)));
        }
        let attributes = match attributes.is_empty() {
            true => String::new(),
            false => format!(" [{}]", attributes.join(", ")),
        };
        put(&mut out, format_args!("  t{from} -> t{}{attributes};\n", arrow.to));
    }
    out.push_str("}\n");
    out
}

fn write_node(out: &mut String, picture: &Picture, index: usize, depth: usize) {
    let node = &picture.nodes[index];
    let indent = "  ".repeat(depth);
    let id = escape(&node.id);
    let focus = picture.focus == Some(index);
    if node.is_frame() {
        let pen = if focus { 3 } else { 1 };
        put(
            out,
            format_args!(
                "{indent}subgraph cluster_t{index} {{\n{indent}  label=\"{id}\"; labeljust=l; \
                 style=rounded; color=\"#aab1bb\"; penwidth={pen};\n"
            ),
        );
        for step in &node.steps {
            write_node(out, picture, *step, depth + 1);
        }
        put(out, format_args!("{indent}}}\n"));
        return;
    }
    let paint = paint(node.agent);
    let subtitle = match picture.subtitle(node) {
        subtitle if subtitle.is_empty() => subtitle,
        subtitle => format!("\\n{}", escape(&subtitle)),
    };
    let pen = if focus { ", penwidth=3" } else { "" };
    put(
        out,
        format_args!(
            "{indent}t{index} [label=\"{id}{subtitle}\", fillcolor=\"{}\", color=\"{}\"{pen}];\n",
            paint.fill, paint.stroke
        ),
    );
}

/// Arrows go from box to box: one from a frame starts at a box inside and is
/// cut off at the frame.
fn end(picture: &Picture, index: usize) -> (usize, Option<usize>) {
    let mut at = index;
    while let Some(step) = picture.nodes[at].steps.last() {
        at = *step;
    }
    (at, (at != index).then_some(index))
}

fn escape(text: &str) -> String {
    one_line(text, 200).replace('\\', "\\\\").replace('"', "\\\"")
}
