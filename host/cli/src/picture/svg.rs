//! An *SVG* file that needs nothing else: no script, no font, no style sheet.

use super::layout::{Layout, NoLayout, Rect, layout};
use super::paint::{PLAIN, Paint, paint};
use super::{Arrow, Node, Picture, put};
use crate::terminal::one_line;

const MARGIN: f64 = 28.0;
const BOX_HEIGHT: f64 = 50.0;
const LEGEND_ROW: f64 = 22.0;
/// Characters of an id and of the line under it.
const LONGEST_LABEL: usize = 34;
const INK: &str = "#1b1f24";
const SOFT: &str = "#57606a";
const LINE: &str = "#8b949e";

/// The workflow has more tasks and long arrows than a layout can show.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooLarge;

/// Draws the picture as an SVG document.
pub(crate) fn svg(picture: &Picture) -> Result<String, TooLarge> {
    let flat;
    let size = (box_width(picture), BOX_HEIGHT);
    let (picture, layout) = match layout(picture, size) {
        Ok(layout) => (picture, layout),
        Err(NoLayout::Entangled) => {
            flat = without_frames(picture);
            let layout = layout_flat(&flat, size)?;
            (&flat, layout)
        }
        Err(NoLayout::TooLarge) => return Err(TooLarge),
    };
    Ok(draw(picture, &layout))
}

fn layout_flat(picture: &Picture, size: (f64, f64)) -> Result<Layout, TooLarge> {
    layout(picture, size).map_err(|_| TooLarge)
}

/// The same picture with collaborative tasks as boxes that wait for their
/// steps.
fn without_frames(picture: &Picture) -> Picture {
    let mut arrows = picture.arrows.clone();
    let mut nodes = Vec::with_capacity(picture.nodes.len());
    for (from, node) in picture.nodes.iter().enumerate() {
        if let Some(to) = node.frame {
            arrows.push(Arrow { from, to, forward: true, label: String::new() });
        }
        nodes.push(Node { frame: None, steps: Vec::new(), ..node.clone() });
    }
    Picture {
        name: picture.name.clone(),
        roots: (0..nodes.len()).collect(),
        nodes,
        arrows,
        agents: picture.agents.clone(),
        focus: picture.focus,
    }
}

fn draw(picture: &Picture, layout: &Layout) -> String {
    let head = if picture.name.is_empty() { 0.0 } else { 34.0 };
    let name = one_line(&picture.name, 80);
    let inner = layout.width.max(text_width(&name, 17.0)).max(160.0);
    let legend = Legend::new(picture, inner);
    let width = inner + 2.0 * MARGIN;
    let height = layout.height + 2.0 * MARGIN + head + legend.height();
    let mut out = String::new();
    write_head(&mut out, width, height, &name);
    put(&mut out, format_args!("<g transform=\"translate({MARGIN} {})\">\n", n(MARGIN + head)));
    write_frames(&mut out, picture, layout, &picture.roots);
    for (arrow, points) in &layout.lines {
        write_arrow(&mut out, &picture.arrows[*arrow], points);
    }
    for (index, node) in picture.nodes.iter().enumerate().filter(|(_, node)| !node.is_frame()) {
        write_box(&mut out, picture, node, layout.rects[index], picture.focus == Some(index));
    }
    legend.write(&mut out, layout.height);
    out.push_str("</g>\n</svg>\n");
    out
}

fn write_head(out: &mut String, width: f64, height: f64, name: &str) {
    let (w, h) = (n(width), n(height));
    put(
        out,
        format_args!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{w}\" height=\"{h}\" \
             viewBox=\"0 0 {w} {h}\" \
             font-family=\"Inter, 'Segoe UI', Roboto, Helvetica, Arial, sans-serif\">\n\
             <defs><marker id=\"tip\" viewBox=\"0 0 10 10\" refX=\"9\" refY=\"5\" \
             markerWidth=\"7\" markerHeight=\"7\" orient=\"auto\">\
             <path d=\"M0.5 1 L9.5 5 L0.5 9 L2.8 5 Z\" fill=\"{LINE}\"/></marker></defs>\n\
             <rect x=\"0.5\" y=\"0.5\" width=\"{}\" height=\"{}\" rx=\"12\" fill=\"#ffffff\" \
             stroke=\"#e3e6ea\"/>\n",
            n(width - 1.0),
            n(height - 1.0)
        ),
    );
    if !name.is_empty() {
        put(
            out,
            format_args!(
                "<text x=\"{MARGIN}\" y=\"{}\" font-size=\"17\" font-weight=\"600\" \
                 fill=\"{INK}\">{}</text>\n",
                n(MARGIN + 14.0),
                escape(name)
            ),
        );
    }
}

/// Outer frames first, so that inner ones lie on them.
fn write_frames(out: &mut String, picture: &Picture, layout: &Layout, members: &[usize]) {
    for &index in members.iter().filter(|index| picture.nodes[**index].is_frame()) {
        let (node, rect) = (&picture.nodes[index], layout.rects[index]);
        let pen = if picture.focus == Some(index) { "2.5" } else { "1.2" };
        put(
            out,
            format_args!(
                "<g><title>{}</title><rect {} rx=\"14\" fill=\"#8b949e\" fill-opacity=\"0.07\" \
                 stroke=\"#aab1bb\" stroke-width=\"{pen}\" stroke-dasharray=\"5 4\"/>\
                 <text x=\"{}\" y=\"{}\" font-size=\"12\" font-weight=\"600\" \
                 fill=\"{SOFT}\">{}</text></g>\n",
                escape(&tooltip(picture, node)),
                geometry(rect),
                n(rect.x + 18.0),
                n(rect.y + 25.0),
                escape(&one_line(&node.id, LONGEST_LABEL))
            ),
        );
        write_frames(out, picture, layout, &node.steps);
    }
}

fn write_box(out: &mut String, picture: &Picture, node: &Node, rect: Rect, focus: bool) {
    let Paint { fill, stroke } = if node.agent.is_none() { PLAIN } else { paint(node.agent) };
    let pen = if focus { "3" } else { "1.4" };
    let subtitle = one_line(&picture.subtitle(node), LONGEST_LABEL);
    let x = n(rect.x + rect.width / 2.0);
    let middle = rect.y + rect.height / 2.0;
    let y = if subtitle.is_empty() { middle + 4.5 } else { middle - 3.5 };
    put(
        out,
        format_args!(
            "<g text-anchor=\"middle\"><title>{}</title><rect {} rx=\"10\" fill=\"{fill}\" \
             stroke=\"{stroke}\" stroke-width=\"{pen}\"/><text x=\"{x}\" y=\"{}\" \
             font-size=\"13\" font-weight=\"600\" fill=\"{INK}\">{}</text>",
            escape(&tooltip(picture, node)),
            geometry(rect),
            n(y),
            escape(&one_line(&node.id, LONGEST_LABEL))
        ),
    );
    if !subtitle.is_empty() {
        put(
            out,
            format_args!(
                "<text x=\"{x}\" y=\"{}\" font-size=\"11\" fill=\"{SOFT}\">{}</text>",
                n(middle + 13.5),
                escape(&subtitle)
            ),
        );
    }
    out.push_str("</g>\n");
}

/// Curved between columns, straight where it passes one.
fn write_arrow(out: &mut String, arrow: &Arrow, points: &[(f64, f64)]) {
    let [first, .., last] = points else { return };
    let mut path = format!("M{} {}", n(first.0), n(first.1));
    for (number, (at, next)) in points.iter().zip(&points[1..]).enumerate() {
        let (x, y) = (n(next.0), n(next.1));
        if number % 2 == 1 {
            let middle = n((at.0 + next.0) / 2.0);
            put(&mut path, format_args!(" C{middle} {} {middle} {y} {x} {y}", n(at.1)));
        } else if (next.0 - at.0).abs() > 0.05 {
            put(&mut path, format_args!(" H{x}"));
        }
    }
    let dash = if arrow.forward { "" } else { " stroke-dasharray=\"4 4\"" };
    put(
        out,
        format_args!(
            "<path d=\"{path}\" fill=\"none\" stroke=\"{LINE}\" stroke-width=\"1.5\"{dash} \
             marker-end=\"url(#tip)\"/>\n"
        ),
    );
    if !arrow.label.is_empty() {
        // In the gap before the arrow's end, where it is alone.
        let before = points.len().checked_sub(3).map_or(first, |place| &points[place]);
        put(
            out,
            format_args!(
                "<text x=\"{}\" y=\"{}\" font-size=\"10\" text-anchor=\"middle\" fill=\"{SOFT}\" \
                 stroke=\"#ffffff\" stroke-width=\"3\" paint-order=\"stroke\">{}</text>\n",
                n((before.0 + last.0) / 2.0),
                n((before.1 + last.1) / 2.0 - 5.0),
                escape(&one_line(&arrow.label, 12))
            ),
        );
    }
}

/// Which colour is whose.
struct Legend {
    /// Left edge, row and name of each agent.
    entries: Vec<(f64, usize, String)>,
}

impl Legend {
    fn new(picture: &Picture, width: f64) -> Self {
        let (mut x, mut row) = (0.0, 0);
        let mut entries = Vec::with_capacity(picture.agents.len());
        for agent in &picture.agents {
            let name = one_line(agent, LONGEST_LABEL);
            let space = text_width(&name, 11.0) + 38.0;
            if x > 0.0 && x + space > width {
                (x, row) = (0.0, row + 1);
            }
            entries.push((x, row, name));
            x += space;
        }
        Self { entries }
    }

    fn height(&self) -> f64 {
        self.entries.last().map_or(0.0, |(_, row, _)| 20.0 + LEGEND_ROW * (*row as f64 + 1.0))
    }

    fn write(&self, out: &mut String, top: f64) {
        for (agent, (x, row, name)) in self.entries.iter().enumerate() {
            let y = top + 20.0 + LEGEND_ROW * (*row as f64) + 10.0;
            let Paint { fill, stroke } = paint(Some(agent));
            put(
                out,
                format_args!(
                    "<rect x=\"{}\" y=\"{}\" width=\"14\" height=\"14\" rx=\"4\" \
                     fill=\"{fill}\" stroke=\"{stroke}\"/><text x=\"{}\" y=\"{}\" \
                     font-size=\"11\" fill=\"{SOFT}\">{}</text>\n",
                    n(*x),
                    n(y - 7.0),
                    n(x + 20.0),
                    n(y + 4.0),
                    escape(name)
                ),
            );
        }
    }
}

/// What a viewer shows when the pointer rests on a task.
fn tooltip(picture: &Picture, node: &Node) -> String {
    let parts = [one_line(&node.id, 200), picture.subtitle(node), one_line(&node.description, 400)];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" — ")
}

/// Wide enough for the longest label; the same for all, so that columns align.
fn box_width(picture: &Picture) -> f64 {
    let label = |node: &Node| {
        let id = text_width(&one_line(&node.id, LONGEST_LABEL), 13.5);
        id.max(text_width(&one_line(&picture.subtitle(node), LONGEST_LABEL), 11.0))
    };
    let longest = picture.nodes.iter().map(label).fold(0.0, f64::max);
    (longest + 32.0).clamp(110.0, 320.0).round()
}

/// About how wide a sans-serif font sets `text`, a little generous.
fn text_width(text: &str, size: f64) -> f64 {
    let em = |c: char| match c {
        'i' | 'j' | 'l' | '.' | ',' | ':' | ';' | '\'' | '|' | '!' => 0.28,
        'f' | 't' | 'r' | ' ' | '-' | '(' | ')' | '/' | '·' => 0.38,
        'm' | 'w' | 'M' | 'W' | '@' | '%' => 0.9,
        c if c.is_ascii_uppercase() => 0.7,
        c if c.is_ascii() => 0.58,
        _ => 1.0,
    };
    text.chars().map(em).sum::<f64>() * size
}

fn geometry(rect: Rect) -> String {
    format!(
        "x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"",
        n(rect.x),
        n(rect.y),
        n(rect.width),
        n(rect.height)
    )
}

/// A coordinate with at most one decimal, never `-0`.
fn n(value: f64) -> String {
    let rounded = (value * 10.0).round() / 10.0;
    format!("{}", if rounded == 0.0 { 0.0 } else { rounded })
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}
