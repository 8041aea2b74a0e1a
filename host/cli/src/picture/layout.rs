//! A *layout* says where everything is: boxes and frames as rectangles, arrows
//! as lines through free space.
//!
//! Frames are laid out from the inside out; in the frame around it, a frame is
//! one large box. Each level is a layered drawing after Sugiyama: tasks stand
//! in columns by how much comes before them, an arrow over several columns gets
//! a place of its own in each, and the order in a column keeps crossings few.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use rust_sugiyama::configure::{Config, RankingType};

use super::Picture;

/// Space round the steps of a frame.
const PADDING: f64 = 18.0;
/// Height of a frame's title.
const TITLE: f64 = 26.0;
/// Space between columns.
const COLUMN_GAP: f64 = 64.0;
/// Space between boxes of a column.
const ROW_GAP: f64 = 20.0;
/// How much of a column an arrow that passes needs.
const LANE: f64 = 8.0;
/// Tasks and passing arrows that are laid out: beyond this it takes seconds,
/// and nobody could read it.
const MOST_PLACES: usize = 4_000;

/// A rectangle or, without a size, a point.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Rect {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) width: f64,
    pub(super) height: f64,
}

/// Where everything is.
#[derive(Debug, Default)]
pub(super) struct Layout {
    /// For each node, its box or frame.
    pub(super) rects: Vec<Rect>,
    /// For each arrow that is drawn, its index and an even number of points:
    /// straight from the first to the second, curved to the third, and so on.
    pub(super) lines: Vec<(usize, Vec<(f64, f64)>)>,
    pub(super) width: f64,
    pub(super) height: f64,
}

/// Why there is no layout.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NoLayout {
    /// Two frames wait for parts of each other, so neither can stand before
    /// the other.
    Entangled,
    /// It needs more places than anybody could look at.
    TooLarge,
}

/// Places boxes of `size` so that arrows point to the right.
pub(super) fn layout(picture: &Picture, size: (f64, f64)) -> Result<Layout, NoLayout> {
    let mut placer = Placer {
        picture,
        size,
        links: links(picture),
        rects: vec![Rect::default(); picture.nodes.len()],
        columns: vec![(0.0, 0.0); picture.nodes.len()],
        bends: HashMap::new(),
        places: 0,
    };
    let (width, height) = placer.place(None, &picture.roots)?;
    placer.shift(&picture.roots, 0.0, 0.0);
    let lines = placer.lines();
    Ok(Layout { rects: placer.rects, lines, width, height })
}

/// An arrow seen from the frame both ends are in: between the two members of
/// that frame that hold its ends.
type Link = (usize, usize);

/// The arrows of each frame as links between its members.
fn links(picture: &Picture) -> HashMap<Option<usize>, BTreeSet<Link>> {
    let mut links: HashMap<Option<usize>, BTreeSet<Link>> = HashMap::new();
    for arrow in &picture.arrows {
        let (frame, link) = lift(picture, arrow.from, arrow.to);
        links.entry(frame).or_default().insert(link);
    }
    links
}

/// The innermost frame that holds both, and its members that hold each.
fn lift(picture: &Picture, from: usize, to: usize) -> (Option<usize>, Link) {
    let frames_of = |node: usize| {
        let up = |at: &Option<usize>| at.and_then(|at| picture.nodes[at].frame);
        std::iter::successors(Some(Some(node)), move |at| at.is_some().then(|| up(at)))
    };
    // Both lists end with `None`, the picture itself.
    let from: Vec<Option<usize>> = frames_of(from).collect();
    let to: Vec<Option<usize>> = frames_of(to).collect();
    let shared = from.iter().rev().zip(to.iter().rev()).take_while(|(a, b)| a == b).count();
    let member = |path: &[Option<usize>]| {
        let at = path.len().saturating_sub(shared + 1);
        path[at].expect("only the last of a path is the picture itself, and that is shared")
    };
    (from[from.len() - shared], (member(&from), member(&to)))
}

struct Placer<'a> {
    picture: &'a Picture,
    /// Of a box.
    size: (f64, f64),
    links: HashMap<Option<usize>, BTreeSet<Link>>,
    /// Relative to the frame around until `shift` makes them absolute.
    rects: Vec<Rect>,
    /// Left and right edge of the column a node is in.
    columns: Vec<(f64, f64)>,
    /// Where long links pass columns: left and right edge of each.
    bends: HashMap<Link, Vec<(f64, f64)>>,
    /// Tasks and passing arrows so far.
    places: usize,
}

impl Placer<'_> {
    /// Places the members of a frame and all inside them; returns the size.
    fn place(&mut self, frame: Option<usize>, members: &[usize]) -> Result<(f64, f64), NoLayout> {
        for &member in members {
            let (width, height) = match self.picture.nodes[member].steps.as_slice() {
                [] => self.size,
                steps => {
                    let (width, height) = self.place(Some(member), steps)?;
                    (width + 2.0 * PADDING, height + 2.0 * PADDING + TITLE)
                }
            };
            self.rects[member] = Rect { width, height, ..Rect::default() };
        }
        let links = self.links.remove(&frame).unwrap_or_default();
        let columns = columns(members, &links).ok_or(NoLayout::Entangled)?;
        let grid = Grid::new(members, &links, &columns);
        self.places += grid.places.len();
        if self.places > MOST_PLACES {
            return Err(NoLayout::TooLarge);
        }
        Ok(self.place_grid(&grid))
    }

    fn place_grid(&mut self, grid: &Grid) -> (f64, f64) {
        let mut parts: Vec<Part> = grid
            .connected()
            .iter()
            .map(|places| self.part(grid, places, centres(&self.sizes(grid, places), grid, places)))
            .collect();
        let size = pack(&mut parts);
        for part in &parts {
            self.keep(grid, part);
        }
        size
    }

    fn sizes(&self, grid: &Grid, places: &[usize]) -> Vec<(f64, f64)> {
        let size = |place: &usize| match grid.places[*place].node {
            Some(node) => (self.rects[node].width, self.rects[node].height),
            None => (0.0, LANE),
        };
        places.iter().map(size).collect()
    }

    /// One connected part, moved so that it begins at the origin.
    fn part(&self, grid: &Grid, places: &[usize], centres: Vec<(f64, f64)>) -> Part {
        let mut rects: BTreeMap<usize, Rect> = places
            .iter()
            .zip(centres.into_iter().zip(self.sizes(grid, places)))
            .map(|(place, ((x, y), (width, height)))| {
                (*place, Rect { x: x - width / 2.0, y: y - height / 2.0, width, height })
            })
            .collect();
        let least = |of: fn(&Rect) -> f64| rects.values().map(of).fold(f64::INFINITY, f64::min);
        let (left, top) = (least(|rect| rect.x), least(|rect| rect.y));
        for rect in rects.values_mut() {
            rect.x -= left;
            rect.y -= top;
        }
        let most = |of: fn(&Rect) -> f64| rects.values().map(of).fold(0.0, f64::max);
        Part {
            width: most(|rect| rect.x + rect.width),
            height: most(|rect| rect.y + rect.height),
            rects,
            at: (0.0, 0.0),
        }
    }

    /// Notes where the nodes of a part are and where its long links pass.
    fn keep(&mut self, grid: &Grid, part: &Part) {
        let (dx, dy) = part.at;
        let mut columns: HashMap<usize, (f64, f64)> = HashMap::new();
        for (place, rect) in &part.rects {
            let (left, right) = columns
                .entry(grid.places[*place].column)
                .or_insert((f64::INFINITY, f64::NEG_INFINITY));
            *left = left.min(rect.x + dx);
            *right = right.max(rect.x + rect.width + dx);
        }
        for (place, rect) in &part.rects {
            let (x, y) = (rect.x + dx, rect.y + dy);
            let place = &grid.places[*place];
            if let Some(node) = place.node {
                (self.rects[node].x, self.rects[node].y) = (x, y);
                self.columns[node] = columns[&place.column];
            } else if let Some(link) = place.link {
                let (left, right) = columns[&place.column];
                let y = y + LANE / 2.0;
                self.bends.entry(link).or_default().extend([(left, y), (right, y)]);
            }
        }
    }

    /// Makes everything inside the frame at `x`, `y` absolute.
    fn shift(&mut self, members: &[usize], x: f64, y: f64) {
        let inside: BTreeSet<usize> = members.iter().copied().collect();
        for (link, bends) in &mut self.bends {
            if inside.contains(&link.0) {
                for bend in bends {
                    bend.0 += x;
                    bend.1 += y;
                }
            }
        }
        for &member in members {
            let rect = &mut self.rects[member];
            rect.x += x;
            rect.y += y;
            self.columns[member].0 += x;
            self.columns[member].1 += x;
            let (x, y) = (rect.x + PADDING, rect.y + PADDING + TITLE);
            let steps = &self.picture.nodes[member].steps;
            if !steps.is_empty() {
                self.shift(steps, x, y);
            }
        }
    }

    /// The arrows as they are drawn: into a frame all of whose first steps wait
    /// for the same task there is one, which ends at the frame.
    fn lines(&self) -> Vec<(usize, Vec<(f64, f64)>)> {
        let arrows: BTreeSet<Link> =
            self.picture.arrows.iter().map(|arrow| (arrow.from, arrow.to)).collect();
        let mut drawn: BTreeSet<Link> = BTreeSet::new();
        let mut lines = Vec::new();
        for (index, arrow) in self.picture.arrows.iter().enumerate() {
            let (_, link) = lift(self.picture, arrow.from, arrow.to);
            let target = self.target(arrow.from, arrow.to, link.1, &arrows);
            if !drawn.insert((arrow.from, target)) {
                continue;
            }
            lines.push((index, self.points(arrow.from, target, link)));
        }
        lines
    }

    /// From the right of one node to the left of another, straight as far as
    /// the column of each goes, and through the columns between them.
    fn points(&self, from: usize, to: usize, link: Link) -> Vec<(f64, f64)> {
        let (start, end) = (&self.rects[from], &self.rects[to]);
        let (right, left) = (start.x + start.width, end.x);
        let (above, below) = (start.y + start.height / 2.0, end.y + end.height / 2.0);
        let leaves = if from == link.0 { self.columns[from].1 } else { right };
        let arrives = if to == link.1 { self.columns[to].0 } else { left };
        let mut points = vec![(right, above), (leaves, above)];
        let mut bends = self.bends.get(&link).cloned().unwrap_or_default();
        bends.sort_by(|a, b| a.0.total_cmp(&b.0));
        points.extend(bends);
        points.extend([(arrives, below), (left, below)]);
        points
    }

    /// The outermost frame between `to` and `outer` that stands for it.
    fn target(&self, from: usize, to: usize, outer: usize, arrows: &BTreeSet<Link>) -> usize {
        let mut target = to;
        let mut at = to;
        while at != outer {
            let Some(frame) = self.picture.nodes[at].frame else { break };
            let mut steps = self.first_boxes(frame).into_iter();
            if !steps.all(|step| arrows.contains(&(from, step))) {
                break;
            }
            target = frame;
            at = frame;
        }
        target
    }

    /// The boxes in a frame, at any depth, that wait for nothing in it.
    fn first_boxes(&self, frame: usize) -> Vec<usize> {
        let mut boxes = Vec::new();
        let mut open = vec![frame];
        while let Some(at) = open.pop() {
            match self.picture.nodes[at].steps.as_slice() {
                [] => boxes.push(at),
                steps => open.extend(steps),
            }
        }
        let inside: BTreeSet<usize> = boxes.iter().copied().collect();
        let waiting: BTreeSet<usize> = self
            .picture
            .arrows
            .iter()
            .filter(|arrow| inside.contains(&arrow.from) || self.is_inside(arrow.from, frame))
            .map(|arrow| arrow.to)
            .collect();
        boxes.retain(|node| !waiting.contains(node));
        boxes
    }

    fn is_inside(&self, node: usize, frame: usize) -> bool {
        let up = |at: &usize| self.picture.nodes[*at].frame;
        std::iter::successors(up(&node), up).any(|at| at == frame)
    }
}

/// A place in a column: for a node, or for a link that passes.
struct Place {
    node: Option<usize>,
    link: Option<Link>,
    column: usize,
}

/// All places of one frame and the short edges between neighbouring columns.
struct Grid {
    places: Vec<Place>,
    edges: Vec<(u32, u32)>,
}

impl Grid {
    fn new(members: &[usize], links: &BTreeSet<Link>, columns: &HashMap<usize, usize>) -> Self {
        let number: HashMap<usize, u32> = members.iter().copied().zip(0..).collect();
        let mut places: Vec<Place> = members
            .iter()
            .map(|node| Place { node: Some(*node), link: None, column: columns[node] })
            .collect();
        let mut edges = Vec::new();
        for link in links {
            let (mut at, to) = (number[&link.0], number[&link.1]);
            for column in columns[&link.0] + 1..columns[&link.1] {
                if places.len() > MOST_PLACES {
                    return Self { places, edges };
                }
                let place = places.len() as u32;
                places.push(Place { node: None, link: Some(*link), column });
                edges.push((at, place));
                at = place;
            }
            edges.push((at, to));
        }
        Self { places, edges }
    }

    /// The places by the part they hang together in, in order.
    fn connected(&self) -> Vec<Vec<usize>> {
        let mut neighbours = vec![Vec::new(); self.places.len()];
        for &(from, to) in &self.edges {
            neighbours[from as usize].push(to as usize);
            neighbours[to as usize].push(from as usize);
        }
        let mut seen = vec![false; self.places.len()];
        let mut parts = Vec::new();
        for first in 0..self.places.len() {
            let mut part = Vec::new();
            let mut open = vec![first];
            while let Some(place) = open.pop() {
                if !std::mem::replace(&mut seen[place], true) {
                    part.push(place);
                    open.extend(&neighbours[place]);
                }
            }
            if !part.is_empty() {
                part.sort_unstable();
                parts.push(part);
            }
        }
        parts
    }
}

/// Where the centres of connected places are. The library's layers are rows one
/// below the other, ours are columns: its x is our y.
fn centres(sizes: &[(f64, f64)], grid: &Grid, places: &[usize]) -> Vec<(f64, f64)> {
    if places.len() == 1 {
        return vec![(0.0, 0.0)];
    }
    let number: HashMap<usize, u32> = places.iter().copied().zip(0..).collect();
    let edges: Vec<(u32, u32)> = grid
        .edges
        .iter()
        .filter_map(|(from, to)| {
            Some((*number.get(&(*from as usize))?, *number.get(&(*to as usize))?))
        })
        .collect();
    let sizes: Vec<(u32, (f64, f64))> = (0..)
        .zip(sizes)
        .map(|(number, (width, height))| (number, (*height, width + COLUMN_GAP - ROW_GAP)))
        .collect();
    let config =
        Config { vertex_spacing: ROW_GAP, ranking_type: RankingType::Up, ..Config::default() };
    let mut centres = vec![(0.0, 0.0); places.len()];
    for (positions, _, _) in rust_sugiyama::from_vertices_and_edges(&sizes, &edges, &config) {
        for (number, (y, x)) in positions {
            centres[number] = (x, y);
        }
    }
    centres
}

/// For each member the length of the longest path of links to it, or nothing if
/// they go in a circle.
fn columns(members: &[usize], links: &BTreeSet<Link>) -> Option<HashMap<usize, usize>> {
    let mut columns: HashMap<usize, usize> = members.iter().map(|node| (*node, 0)).collect();
    let mut waits: HashMap<usize, usize> = columns.clone();
    let mut after: HashMap<usize, Vec<usize>> = HashMap::new();
    for &(from, to) in links {
        *waits.entry(to).or_default() += 1;
        after.entry(from).or_default().push(to);
    }
    let mut open: Vec<usize> = members.iter().copied().filter(|node| waits[node] == 0).collect();
    let mut done = 0;
    while let Some(node) = open.pop() {
        done += 1;
        let column = columns[&node] + 1;
        for next in after.get(&node).into_iter().flatten() {
            columns.entry(*next).and_modify(|old| *old = column.max(*old));
            let waits = waits.entry(*next).or_default();
            *waits -= 1;
            if *waits == 0 {
                open.push(*next);
            }
        }
    }
    (done == members.len()).then_some(columns)
}

/// A connected part of a frame's content.
struct Part {
    rects: BTreeMap<usize, Rect>,
    width: f64,
    height: f64,
    at: (f64, f64),
}

/// Puts parts side by side in rows, about as wide as is comfortable to read;
/// returns the size of all.
fn pack(parts: &mut [Part]) -> (f64, f64) {
    let area: f64 = parts.iter().map(|part| (part.width + ROW_GAP) * (part.height + ROW_GAP)).sum();
    let widest = parts.iter().map(|part| part.width).fold(0.0, f64::max);
    let limit = (area * 1.8).sqrt().max(widest);
    let (mut x, mut y, mut row, mut width) = (0.0f64, 0.0, 0.0f64, 0.0f64);
    for part in parts {
        if x > 0.0 && x + part.width > limit {
            (x, y, row) = (0.0, y + row + ROW_GAP, 0.0);
        }
        part.at = (x, y);
        x += part.width + ROW_GAP;
        row = row.max(part.height);
        width = width.max(x - ROW_GAP);
    }
    (width, y + row)
}

#[cfg(test)]
mod tests {
    use consort_core::plan::{Known, compile};
    use consort_core::spec::{Format, parse};

    use super::*;

    const SIZE: (f64, f64) = (120.0, 50.0);

    fn picture(text: &str) -> Picture {
        let document = parse(text, Format::guess("", text)).unwrap();
        let known = Known {
            adapters: vec!["a".to_owned()],
            default_agent: Some("a".to_owned()),
            ..Known::default()
        };
        Picture::of_plan(&compile(document, &known, 0).unwrap())
    }

    fn apart(a: &Rect, b: &Rect) -> bool {
        let beside = a.x + a.width <= b.x || b.x + b.width <= a.x;
        beside || a.y + a.height <= b.y || b.y + b.height <= a.y
    }

    fn holds(outer: &Rect, inner: &Rect) -> bool {
        outer.x < inner.x
            && outer.y < inner.y
            && inner.x + inner.width < outer.x + outer.width
            && inner.y + inner.height < outer.y + outer.height
    }

    /// What must be true of every layout.
    fn check(text: &str) -> Layout {
        let picture = picture(text);
        let layout = layout(&picture, SIZE).unwrap();
        for (a, node) in picture.nodes.iter().enumerate() {
            let rect = &layout.rects[a];
            assert!(rect.x >= 0.0 && rect.y >= 0.0, "{} {rect:?}", node.id);
            assert!(rect.x + rect.width <= layout.width + 0.01, "{} {rect:?}", node.id);
            assert!(rect.y + rect.height <= layout.height + 0.01, "{} {rect:?}", node.id);
            for (b, other) in picture.nodes.iter().enumerate().skip(a + 1) {
                if other.frame == node.frame {
                    assert!(apart(rect, &layout.rects[b]), "{} and {} overlap", node.id, other.id);
                }
            }
            if let Some(frame) = node.frame {
                assert!(holds(&layout.rects[frame], rect), "{} is not in its frame", node.id);
            }
        }
        for (arrow, points) in &layout.lines {
            let arrow = &picture.arrows[*arrow];
            assert!(points.len() % 2 == 0);
            let right = points.windows(2).all(|pair| pair[0].0 <= pair[1].0 + 0.01);
            assert!(right, "{} to {}: {points:?}", arrow.from, arrow.to);
        }
        layout
    }

    #[test]
    fn boxes_never_overlap_and_arrows_point_right() {
        let mut tasks = Vec::new();
        for n in 0u32..150 {
            // A scattered but fixed choice of earlier tasks.
            let depends: Vec<String> =
                [n.wrapping_mul(7919) % 11 + 1, n.wrapping_mul(104_729) % 17 + 1]
                    .into_iter()
                    .filter(|back| *back <= n && back % 3 != 0)
                    .map(|back| format!("\"t{}\"", n - back))
                    .collect();
            tasks.push(format!(
                "{{\"task_id\": \"t{n}\", \"depends_on\": [{}]}}",
                depends.join(",")
            ));
        }
        check(&format!("[{}]", tasks.join(",")));
    }

    #[test]
    fn frames_stand_round_their_steps_and_take_one_arrow_for_all_of_them() {
        let layout = check(
            "
- {task_id: a}
- task_id: outer
  type: collaborative_task
  depends_on: [a]
  steps:
    - {task_id: b, parallel: true}
    - task_id: inner
      type: collaborative_task
      parallel: true
      steps: [{task_id: c}, {task_id: d}]
    - {task_id: e}
- {task_id: f, depends_on: [outer, a]}
",
        );
        // a to outer, b to e, inner to e, c to d, outer to f, a to f.
        assert_eq!(layout.lines.len(), 6, "{:?}", layout.lines);
    }

    #[test]
    fn frames_that_wait_for_parts_of_each_other_have_no_layout() {
        let picture = picture(
            "
- task_id: x
  type: collaborative_task
  steps: [{task_id: x1, depends_on: []}, {task_id: x2, depends_on: [y1]}]
- task_id: y
  type: collaborative_task
  steps: [{task_id: y1, depends_on: [x1]}]
",
        );
        assert_eq!(layout(&picture, SIZE).unwrap_err(), NoLayout::Entangled);
    }

    #[test]
    fn too_many_places_are_refused_before_any_work() {
        let tasks: Vec<String> =
            (0..MOST_PLACES + 1).map(|n| format!("{{\"task_id\": \"t{n}\"}}")).collect();
        let picture = picture(&format!("[{}]", tasks.join(",")));
        assert_eq!(layout(&picture, SIZE).unwrap_err(), NoLayout::TooLarge);
    }
}
