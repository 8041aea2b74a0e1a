//! The *paint*: one colour for each agent, readable on white and the same in
//! every format.

/// A box's colours, as `#rrggbb`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Paint {
    /// The inside.
    pub(crate) fill: &'static str,
    /// The outline.
    pub(crate) stroke: &'static str,
}

/// Light insides with dark text on them keep a contrast above 10:1; hues are
/// spaced so that neighbours in the list differ for colour-blind readers too.
const PAINTS: [Paint; 10] = [
    Paint { fill: "#dbeafe", stroke: "#3b76d6" },
    Paint { fill: "#fde7c7", stroke: "#d0821b" },
    Paint { fill: "#d5f0df", stroke: "#2f9862" },
    Paint { fill: "#f3dcf4", stroke: "#a854b0" },
    Paint { fill: "#fbdcdc", stroke: "#cf5151" },
    Paint { fill: "#d3f0f2", stroke: "#24909b" },
    Paint { fill: "#f4efc2", stroke: "#9c8a17" },
    Paint { fill: "#e2e0fb", stroke: "#6a61cf" },
    Paint { fill: "#e6e9d8", stroke: "#758045" },
    Paint { fill: "#efe2da", stroke: "#96705a" },
];

/// For collaborative tasks that are drawn as a box.
pub(crate) const PLAIN: Paint = Paint { fill: "#f4f5f7", stroke: "#7a828e" };

/// The colours of an agent; after ten agents they come round again.
pub(crate) fn paint(agent: Option<usize>) -> Paint {
    agent.map_or(PLAIN, |agent| PAINTS[agent % PAINTS.len()])
}
