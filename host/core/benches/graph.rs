//! What questions to the graph cost, on ladders of two: the shape that kills
//! algorithms which look at paths instead of tasks.

use consort_core::graph::{Additions, Batch, DependencyGraph, Newcomer, TaskIx, Wanted};
use consort_core::plan::ConflictRule;
use divan::{Bencher, counter::ItemsCount};

const SIZES: [usize; 4] = [1_000, 10_000, 100_000, 1_000_000];

fn ladder(tasks: usize) -> DependencyGraph {
    let mut graph = DependencyGraph::with_capacity(tasks, 2 * tasks);
    for n in 0..tasks as u32 {
        let task = graph.add_task();
        for rung in [(n - n % 2).checked_sub(1), (n - n % 2).checked_sub(2)].into_iter().flatten() {
            graph.add_dependency(task, TaskIx(rung));
        }
    }
    graph
}

#[divan::bench(args = SIZES, sample_count = 10, sample_size = 1)]
fn build(bencher: Bencher<'_, '_>, tasks: usize) {
    bencher.counter(ItemsCount::new(tasks)).bench(|| ladder(tasks));
}

#[divan::bench(args = SIZES, sample_count = 10, sample_size = 1)]
fn order(bencher: Bencher<'_, '_>, tasks: usize) {
    let graph = ladder(tasks);
    bencher.counter(ItemsCount::new(tasks)).bench(|| graph.topological_order());
}

#[divan::bench(args = SIZES, sample_count = 10, sample_size = 1)]
fn levels(bencher: Bencher<'_, '_>, tasks: usize) {
    let graph = ladder(tasks);
    let order = graph.topological_order().unwrap_or_default();
    bencher.counter(ItemsCount::new(tasks)).bench(|| graph.levels(&order));
}

#[divan::bench(args = SIZES, sample_count = 10, sample_size = 1)]
fn critical_path(bencher: Bencher<'_, '_>, tasks: usize) {
    let graph = ladder(tasks);
    let order = graph.topological_order().unwrap_or_default();
    let durations = vec![1; tasks];
    bencher.counter(ItemsCount::new(tasks)).bench(|| {
        let remaining = graph.remaining_paths(&order, &durations);
        graph.critical_path(&remaining)
    });
}

#[divan::bench(args = SIZES, sample_count = 10, sample_size = 1)]
fn cycles(bencher: Bencher<'_, '_>, tasks: usize) {
    let mut graph = ladder(tasks);
    graph.add_dependency(TaskIx(0), TaskIx(tasks as u32 - 1));
    bencher.counter(ItemsCount::new(tasks)).bench(|| graph.cycles());
}

#[divan::bench(args = SIZES, sample_count = 10, sample_size = 1)]
fn complete_all(bencher: Bencher<'_, '_>, tasks: usize) {
    let graph = ladder(tasks);
    bencher.counter(ItemsCount::new(tasks)).with_inputs(|| graph.clone()).bench_local_values(
        |mut graph| {
            for task in graph.tasks() {
                graph.mark_completed(task, |_| {});
            }
            graph
        },
    );
}

/// Ten tasks added to a live run of this size: the size does not matter.
#[divan::bench(args = SIZES, sample_count = 100, sample_size = 1)]
fn add_ten(bencher: Bencher<'_, '_>, tasks: usize) {
    let mut graph = ladder(tasks);
    let mut additions = Additions::new(ConflictRule::Reject);
    let mut key = 0;
    bencher.bench_local(|| {
        let batch = (0..10).map(|n| {
            key += 1;
            let name = |key: u64| format!("added-{key}").into();
            let mut wants = vec![Wanted::Task(TaskIx(tasks as u32 - 1))];
            wants.extend((n > 0).then(|| Wanted::Name(name(key - 1))));
            Newcomer { key, name: name(key), wants, payload: () }
        });
        let batch = Batch { newcomers: batch.collect(), whole: false, rule: None };
        additions.add(&mut graph, batch)
    });
}

fn main() {
    divan::main();
}
