//! How long a workflow takes to be read and checked, for sizes of which each is
//! ten times the one before: times that grow tenfold as well are linear.
//!
//! `cargo bench -p consort-core --bench language`

use consort_core::plan::{Checked, Known, check, compile};
use consort_core::spec::{Format, parse};
use divan::{Bencher, black_box};

fn main() {
    divan::main();
}

/// Tasks of the workflows.
const SIZES: [usize; 4] = [1_000, 10_000, 100_000, 1_000_000];

/// How the tasks of a workflow wait for each other.
#[derive(Debug, Clone, Copy)]
enum Shape {
    /// Each for the one before.
    Chain,
    /// Two by two, each for both of the level before: the number of paths
    /// doubles with each level.
    Ladder,
    /// Each for one anywhere before it.
    Tree,
    /// Not at all; and they say nothing but their ids.
    Minimal,
}

impl Shape {
    fn dependencies(self, task: usize) -> Vec<usize> {
        match self {
            Self::Minimal => Vec::new(),
            Self::Chain => task.checked_sub(1).into_iter().collect(),
            Self::Ladder if task < 2 => Vec::new(),
            Self::Ladder => vec![task / 2 * 2 - 2, task / 2 * 2 - 1],
            Self::Tree if task == 0 => Vec::new(),
            Self::Tree => vec![consort_core::retry::random(1, task as u32, 0) as usize % task],
        }
    }

    /// A workflow of that many tasks.
    fn json(self, tasks: usize) -> String {
        let tasks: Vec<String> = (0..tasks)
            .map(|task| {
                if matches!(self, Self::Minimal) {
                    return format!(r#"{{"task_id": "t{task}"}}"#);
                }
                let on: Vec<String> =
                    self.dependencies(task).iter().map(|on| format!("\"t{on}\"")).collect();
                let on = on.join(", ");
                format!(
                    r#"{{"task_id": "t{task}", "agent": "echo", "description": "step {task}", "depends_on": [{on}]}}"#
                )
            })
            .collect();
        format!("[{}]", tasks.join(",\n"))
    }
}

/// Everything `run` does to a file once it is in memory.
fn both(bencher: Bencher<'_, '_>, shape: Shape, tasks: usize) {
    let text = shape.json(tasks);
    let known = Known { adapters: vec!["echo".into()], ..Known::default() };
    bencher.counter(divan::counter::ItemsCount::new(tasks)).bench_local(|| {
        let document = parse(black_box(&text), Format::Json).expect("a document");
        compile(document, &known, 0).expect("a plan")
    });
}

/// Everything `validate` does to a file once it is in memory.
fn validate(bencher: Bencher<'_, '_>, shape: Shape, tasks: usize) {
    let text = shape.json(tasks);
    let adapters = vec!["echo".into()];
    let known = Known { adapters, default_agent: Some("echo".into()), ..Known::default() };
    bencher.counter(divan::counter::ItemsCount::new(tasks)).bench_local(|| {
        let document = parse(black_box(&text), Format::Json).expect("a document");
        let Checked { problems, needs, .. } = check(document, &known, 0);
        assert!(problems.is_empty());
        needs
    });
}

#[divan::bench(args = SIZES, sample_count = 3, sample_size = 1)]
fn validate_minimal(bencher: Bencher<'_, '_>, tasks: usize) {
    validate(bencher, Shape::Minimal, tasks);
}

#[divan::bench(args = SIZES, sample_count = 3, sample_size = 1)]
fn validate_ladder(bencher: Bencher<'_, '_>, tasks: usize) {
    validate(bencher, Shape::Ladder, tasks);
}

#[divan::bench(args = SIZES, sample_count = 3, sample_size = 1)]
fn chain(bencher: Bencher<'_, '_>, tasks: usize) {
    both(bencher, Shape::Chain, tasks);
}

#[divan::bench(args = SIZES, sample_count = 3, sample_size = 1)]
fn ladder(bencher: Bencher<'_, '_>, tasks: usize) {
    both(bencher, Shape::Ladder, tasks);
}

#[divan::bench(args = SIZES, sample_count = 3, sample_size = 1)]
fn tree(bencher: Bencher<'_, '_>, tasks: usize) {
    both(bencher, Shape::Tree, tasks);
}

#[divan::bench(args = SIZES, sample_count = 3, sample_size = 1)]
fn parse_alone(bencher: Bencher<'_, '_>, tasks: usize) {
    let text = Shape::Ladder.json(tasks);
    bencher
        .counter(divan::counter::BytesCount::new(text.len()))
        .bench_local(|| parse(black_box(&text), Format::Json).expect("a document"));
}
