//! What a run costs the scheduler alone: whole runs in the batches the engine
//! works in, one dispatch among many ready tasks, and memory. Sizes grow
//! tenfold, so that growth shows.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use consort_core::graph::{DependencyGraph, TaskIx};
use consort_core::plan::{OnFailure, Timeouts};
use consort_core::retry::RetryPolicy;
use consort_core::scheduler::{
    Action, AgentLimits, ClassIx, ClassLimits, Doer, End, Event, Facts, Scheduler, Settings,
    Submission, TaskRules,
};
use divan::{Bencher, counter::ItemsCount};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The system's allocator, counting the bytes that are in use.
struct Counting;

static IN_USE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

#[expect(unsafe_code, reason = "an allocator that counts has to pass on to one that allocates")]
// SAFETY: every call is passed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let now = IN_USE.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        PEAK.fetch_max(now, Ordering::Relaxed);
        // SAFETY: as the caller of this function promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        IN_USE.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: as the caller of this function promises.
        unsafe { System.dealloc(pointer, layout) }
    }
}

const SIZES: [usize; 4] = [1_000, 10_000, 100_000, 1_000_000];
/// Events the engine takes at once, at the most.
const BATCH: usize = 256;

fn rules() -> TaskRules {
    TaskRules {
        work: Doer::Agents(Box::new([ClassIx(0)])),
        batch: None,
        decide: false,
        decide_items: false,
        max_parallel: u32::MAX,
        timeouts: Timeouts { attempt: 300_000, queue: None, idle: Some(60_000), total: None },
        retry: RetryPolicy::default(),
        on_failure: OnFailure::Fail,
        facts: Facts {
            kind: 0,
            priority: 5,
            deadline: None,
            expected: 1_000,
            remaining_path: 1_000,
            dependents: 1,
            depth: 1,
        },
    }
}

/// Tasks in ladders of a hundred: each waits for two of the rung before.
fn ladders(tasks: usize) -> DependencyGraph {
    let mut graph = DependencyGraph::with_capacity(tasks, 2 * tasks);
    for n in 0..tasks {
        let task = graph.add_task();
        if n % 200 >= 2 {
            let rung = n - n % 2;
            graph.add_dependency(task, TaskIx(rung as u32 - 1));
            graph.add_dependency(task, TaskIx(rung as u32 - 2));
        }
    }
    graph
}

fn independent(tasks: usize) -> DependencyGraph {
    let mut graph = DependencyGraph::with_capacity(tasks, 0);
    (0..tasks).for_each(|_| {
        graph.add_task();
    });
    graph
}

fn submission(graph: DependencyGraph) -> Submission {
    Submission {
        tasks: (0..graph.len()).map(|_| rules()).collect(),
        graph,
        agents: vec![AgentLimits::default()],
        classes: vec![ClassLimits { agent: 0, slots: 1, batching: None }],
        ..Submission::default()
    }
}

/// How a run's scores are found.
#[derive(Clone, Copy)]
enum Scoring {
    /// There are none; the built-in order decides.
    BuiltIn,
    /// Every task gets one.
    Given,
}

/// Runs everything to its end, as the engine does: at most [`BATCH`] ends a
/// step, scores answered in the next.
fn run(submission: Submission, slots: u32, scoring: Scoring) -> Scheduler {
    let mut scheduler = Scheduler::new(Settings { slots, seed: 1 });
    let mut events = vec![Event::Submit(Box::new(submission))];
    let mut actions = Vec::new();
    let mut running = std::collections::VecDeque::new();
    let mut now = 0;
    loop {
        scheduler.step(now, events.drain(..), &mut actions);
        now += 1;
        for action in actions.drain(..) {
            match action {
                Action::Start { task, .. } => running.push_back(task),
                Action::Score { tasks } => {
                    let given = || tasks.iter().map(|task| f64::from(task.0 % 1_000)).collect();
                    let scores = matches!(scoring, Scoring::Given).then(given);
                    events.push(Event::Scored { scores });
                }
                Action::RunEnded { .. } => return scheduler,
                _ => {}
            }
        }
        let ends = running.drain(..running.len().min(BATCH));
        events.extend(ends.map(|task| Event::Ended { task, end: End::Succeeded }));
    }
}

/// A whole run: submit, ready, scored, started, ended, all of it.
#[divan::bench(args = SIZES, sample_count = 5, sample_size = 1)]
fn run_of_ladders(bencher: Bencher<'_, '_>, tasks: usize) {
    bencher
        .counter(ItemsCount::new(tasks))
        .with_inputs(|| submission(ladders(tasks)))
        .bench_local_values(|submission| run(submission, 1_024, Scoring::Given));
}

/// The same without dependencies, so that all tasks are ready at once.
#[divan::bench(args = SIZES, sample_count = 5, sample_size = 1)]
fn run_of_independent_tasks(bencher: Bencher<'_, '_>, tasks: usize) {
    bencher
        .counter(ItemsCount::new(tasks))
        .with_inputs(|| submission(independent(tasks)))
        .bench_local_values(|submission| run(submission, 1_024, Scoring::BuiltIn));
}

/// One step that ends one attempt and starts another, with this many ready.
#[divan::bench(args = SIZES, sample_count = 200, sample_size = 1)]
fn dispatch_among_ready(bencher: Bencher<'_, '_>, ready: usize) {
    let mut scheduler = Scheduler::new(Settings { slots: 1, seed: 1 });
    let mut actions = Vec::new();
    let submit = Event::Submit(Box::new(submission(independent(ready))));
    scheduler.step(0, [submit], &mut actions);
    let scores = Some((0..ready).map(|n| (n * 7_919 % 10_007) as f64).collect());
    scheduler.step(0, [Event::Scored { scores }], &mut actions);
    bencher.bench_local(|| {
        let Some(Action::Start { task, .. }) = actions.pop() else { return };
        scheduler.step(1, [Event::Ended { task, end: End::Succeeded }], &mut actions);
    });
}

/// Time on the processor, so that whatever else runs on the machine does not
/// count; where the system does not say, time as such.
fn processor_time(begin: Instant) -> Duration {
    let schedstat = std::fs::read_to_string("/proc/thread-self/schedstat");
    let nanos = schedstat.ok().and_then(|text| text.split(' ').next()?.parse().ok());
    nanos.map_or_else(|| begin.elapsed(), Duration::from_nanos)
}

/// Speed and bytes a task, in a table.
fn table() {
    let begin = Instant::now();
    println!("{:>10} {:>14} {:>14} {:>14}", "tasks", "tasks/s", "bytes/task", "at the peak");
    for tasks in SIZES {
        // As many runs as make a million tasks: one small run is too short to
        // be measured.
        let rounds = SIZES[SIZES.len() - 1] / tasks;
        let mut spent = Duration::ZERO;
        for _ in 0..rounds {
            let submission = submission(ladders(tasks));
            let before = processor_time(begin);
            run(submission, 1_024, Scoring::Given);
            spent += processor_time(begin) - before;
        }
        let speed = (rounds * tasks) as f64 / spent.as_secs_f64();
        let (before, scheduler) = all_running(tasks);
        let bytes = (IN_USE.load(Ordering::Relaxed) - before) / tasks;
        let peak = (PEAK.load(Ordering::Relaxed) - before) / tasks;
        println!("{tasks:>10} {speed:>14.0} {bytes:>14} {peak:>14}");
        drop(scheduler);
    }
}

/// A scheduler in the state that takes the most memory: graph and rules, half
/// of the tasks in line, half running, each of those with a timer.
fn all_running(tasks: usize) -> (usize, Scheduler) {
    let before = IN_USE.load(Ordering::Relaxed);
    PEAK.store(before, Ordering::Relaxed);
    let mut scheduler = Scheduler::new(Settings { slots: tasks as u32 / 2, seed: 1 });
    let mut actions = Vec::new();
    let mut graph = independent(tasks);
    let last = graph.len() as u32 - 1;
    for n in 0..last {
        graph.add_dependency(TaskIx(last), TaskIx(n));
    }
    scheduler.step(0, [Event::Submit(Box::new(submission(graph)))], &mut actions);
    scheduler.step(0, [Event::Scored { scores: None }], &mut actions);
    (before, scheduler)
}

fn main() {
    if !std::env::args().any(|argument| argument == "--test") {
        table();
    }
    divan::main();
}
