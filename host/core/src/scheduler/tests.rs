//! Scheduler tests in a small language: a run is built from a graph drawn as
//! lines (`d <- b c`), driven by hand with made-up time, and what comes out is
//! compared as text.

use std::collections::BTreeSet;

use super::*;
use crate::retry::{Backoff, RetryPolicy};

/// A run driven by hand. Every tick scores tasks by their priority at once.
struct Run {
    scheduler: Scheduler,
    now: i64,
    log: Vec<String>,
    running: BTreeSet<TaskIx>,
    names: Vec<char>,
}

struct Rules {
    slots: u32,
    classes: Vec<u32>,
    edit: fn(char, &mut TaskRules),
}

impl Default for Rules {
    fn default() -> Self {
        Self { slots: 10, classes: vec![u32::MAX], edit: |_, _| {} }
    }
}

fn run(graph_text: &str, rules: Rules) -> Run {
    let mut names: Vec<char> = graph_text.chars().filter(char::is_ascii_lowercase).collect();
    names.sort_unstable();
    names.dedup();
    let mut graph = DependencyGraph::default();
    for _ in &names {
        graph.add_task();
    }
    let find = |name: char| TaskIx(names.iter().position(|n| *n == name).unwrap() as u32);
    for line in graph_text.lines() {
        let mut parts = line.chars().filter(char::is_ascii_lowercase);
        let Some(task) = parts.next() else { continue };
        parts.for_each(|dependency| graph.add_dependency(find(task), find(dependency)));
    }
    let tasks = names
        .iter()
        .map(|name| {
            let mut task = task_rules();
            (rules.edit)(*name, &mut task);
            task
        })
        .collect();
    let mut run = Run {
        scheduler: Scheduler::new(Settings { slots: rules.slots, seed: 7 }),
        now: 0,
        log: Vec::new(),
        running: BTreeSet::new(),
        names,
    };
    let submission = Submission { graph, tasks, classes: rules.classes };
    run.feed(Event::Submit(Box::new(submission)));
    run
}

fn task_rules() -> TaskRules {
    TaskRules {
        classes: Box::new([ClassIx(0)]),
        timeout: 1_000,
        retry: RetryPolicy { jitter: 0.0, initial_delay: 100, ..Default::default() },
        on_failure: OnFailure::Fail,
        facts: Facts {
            kind: 0,
            priority: 5,
            deadline: None,
            expected: 1,
            remaining_path: 1,
            dependents: 0,
            depth: 0,
        },
    }
}

impl Run {
    fn task(&self, name: char) -> TaskIx {
        TaskIx(self.names.iter().position(|n| *n == name).unwrap() as u32)
    }

    fn feed(&mut self, event: Event) {
        let mut events = vec![event];
        while let Some(event) = events.pop() {
            let mut actions = Vec::new();
            self.scheduler.step(self.now, [event], &mut actions);
            for action in actions {
                if let Action::Score { tasks } = &action {
                    let score = |task: &TaskIx| f64::from(self.scheduler.facts(*task).priority);
                    let scores = Some(tasks.iter().map(score).collect());
                    events.push(Event::Scored { scores });
                }
                self.note(&action);
            }
        }
    }

    fn note(&mut self, action: &Action) {
        let name = |task: &TaskIx| self.names[task.index()];
        let line = match action {
            Action::Score { .. } => return,
            Action::Start { task, agent, attempt, resume, .. } => {
                assert!(self.running.insert(*task), "{task:?} runs twice");
                let resume = if *resume { " resume" } else { "" };
                format!("start {}{} by {agent}{resume}", name(task), attempt)
            }
            Action::Abort { task, why } => format!("abort {} {why:?}", name(task)),
            Action::CancelRemote { task, why } => format!("cancel remote {} {why:?}", name(task)),
            Action::Retrying { task, at, .. } => format!("retry {} at {at}", name(task)),
            Action::Finished { task, status, because } => {
                let because = because.map_or(String::new(), |b| format!(" by {}", name(&b)));
                format!("{} {status:?}{because}", name(task))
            }
            Action::RunEnded { status } => format!("run {status:?}"),
        };
        self.log.push(line);
    }

    fn end(&mut self, name: char, end: End) -> &mut Self {
        let task = self.task(name);
        assert!(self.running.remove(&task), "{name} is not running");
        self.feed(Event::Ended { task, end });
        self
    }

    fn done(&mut self, names: &str) -> &mut Self {
        for name in names.chars() {
            self.end(name, End::Succeeded);
        }
        self
    }

    fn at(&mut self, now: i64) -> &mut Self {
        self.now = now;
        self.feed(Event::Timer);
        self
    }

    fn expect(&mut self, lines: &str) -> &mut Self {
        let expected: Vec<&str> =
            lines.split(';').map(str::trim).filter(|l| !l.is_empty()).collect();
        assert_eq!(std::mem::take(&mut self.log), expected);
        self
    }
}

#[test]
fn dependents_start_when_all_dependencies_are_done() {
    run("b <- a\nc <- a\nd <- b c", Rules::default())
        .expect("start a1 by 0")
        .done("a")
        .expect("a Succeeded; start b1 by 0; start c1 by 0")
        .done("b")
        .expect("b Succeeded")
        .done("cd")
        .expect("c Succeeded; start d1 by 0; d Succeeded; run Succeeded");
}

#[test]
fn the_best_score_starts_first_and_a_full_class_blocks_nobody_else() {
    let edit = |name, task: &mut TaskRules| {
        task.facts.priority = if name == 'c' { 9 } else { 5 };
        task.classes = Box::new([ClassIx(u32::from(name > 'c'))]);
    };
    run("a\nb\nc\nd", Rules { slots: 2, classes: vec![1, 1], edit })
        .expect("start c1 by 0; start d1 by 0")
        .done("d")
        .expect("d Succeeded")
        .done("c")
        .expect("c Succeeded; start a1 by 0");
}

#[test]
fn a_task_that_has_just_become_ready_competes_for_the_slot_that_made_it_so() {
    let edit = |name, task: &mut TaskRules| {
        task.facts.priority = if name == 'c' { 1 } else { 9 };
    };
    run("a\nb <- a\nc", Rules { slots: 1, edit, ..Default::default() })
        .expect("start a1 by 0")
        .done("abc")
        .expect(
            "a Succeeded; start b1 by 0; b Succeeded; start c1 by 0; c Succeeded; run Succeeded",
        );
}

#[test]
fn failures_are_retried_with_back_off_then_by_the_next_agent() {
    let edit = |_, task: &mut TaskRules| {
        task.retry.max_attempts = 2;
        task.classes = Box::new([ClassIx(0), ClassIx(1)]);
    };
    run("a", Rules { classes: vec![1, 1], edit, ..Default::default() })
        .expect("start a1 by 0")
        .end('a', End::Failed(Retry::Yes))
        .expect("retry a at 100")
        .at(99)
        .expect("")
        .at(100)
        .expect("start a2 by 0")
        .end('a', End::Failed(Retry::After(5_000)))
        .expect("retry a at 100; start a3 by 1")
        .end('a', End::Failed(Retry::After(5_000)))
        .expect("retry a at 5100")
        .at(5_100)
        .expect("start a4 by 1")
        .end('a', End::Failed(Retry::Never))
        .expect("a Failed; run Failed");
}

#[test]
fn each_on_failure_rule_decides_about_dependents_and_the_run() {
    let mut failing = run("b <- a\nc <- b\nd\ne <- d", Rules::default());
    failing.expect("start a1 by 0; start d1 by 0").end('a', End::Failed(Retry::Never));
    failing.expect("a Failed; b Skipped by a; c Skipped by a; abort d RunFailed; e Cancelled by a");
    failing.end('d', End::Aborted).expect("d Cancelled by a; run Failed");

    let edit = |_, task: &mut TaskRules| task.on_failure = OnFailure::Skip;
    run("b <- a\nc <- b\nd\ne <- d", Rules { edit, ..Default::default() })
        .end('a', End::Failed(Retry::Never))
        .expect("start a1 by 0; start d1 by 0; a Failed; b Skipped by a; c Skipped by a")
        .done("de")
        .expect("d Succeeded; start e1 by 0; e Succeeded; run Succeeded");

    let edit = |_, task: &mut TaskRules| task.on_failure = OnFailure::Continue;
    run("b <- a", Rules { edit, ..Default::default() })
        .end('a', End::Failed(Retry::Never))
        .done("b")
        .expect("start a1 by 0; a Failed; start b1 by 0; b Succeeded; run Succeeded");
}

#[test]
fn an_attempt_out_of_time_is_stopped_and_counts_as_a_failure_once_it_has_ended() {
    let edit = |_, task: &mut TaskRules| {
        task.retry = RetryPolicy { max_attempts: 2, backoff: Backoff::None, ..Default::default() };
    };
    run("a", Rules { edit, ..Default::default() })
        .at(999)
        .expect("start a1 by 0")
        .at(1_000)
        .expect("abort a Timeout")
        .end('a', End::Aborted)
        .expect("retry a at 1000; start a2 by 0")
        .at(2_000)
        .end('a', End::Failed(Retry::Yes))
        .expect("abort a Timeout; a Failed; run Failed");
}

#[test]
fn a_pending_attempt_holds_no_slot_and_goes_on_later() {
    run("a\nb", Rules { slots: 1, ..Default::default() })
        .expect("start a1 by 0")
        .end('a', End::Pending { poll_after: 300 })
        .expect("start b1 by 0")
        .done("b")
        .at(300)
        .expect("b Succeeded; start a1 by 0 resume")
        .end('a', End::Pending { poll_after: 5_000 })
        .at(1_000)
        .expect("cancel remote a Timeout; a Failed; run Failed");
}

#[test]
fn cancelling_ends_everything() {
    let mut run = run("a\nb\nc <- a", Rules::default());
    run.end('b', End::Pending { poll_after: 500 });
    run.feed(Event::Cancel);
    run.feed(Event::Cancel);
    run.expect("start a1 by 0; start b1 by 0; abort a Cancelled; cancel remote b Cancelled; b Cancelled; c Cancelled");
    run.end('a', End::Aborted).expect("a Cancelled; run Cancelled");
}

#[test]
fn an_attempt_that_turns_pending_while_it_is_stopped_is_stopped_at_the_agent() {
    let mut cancelled = run("a", Rules::default());
    cancelled.feed(Event::Cancel);
    cancelled.end('a', End::Pending { poll_after: 1 });
    cancelled.expect(
        "start a1 by 0; abort a Cancelled; cancel remote a Cancelled; a Cancelled; run Cancelled",
    );
    run("a", Rules::default())
        .at(1_000)
        .end('a', End::Pending { poll_after: 1 })
        .expect("start a1 by 0; abort a Timeout; cancel remote a Timeout; a Failed; run Failed");
}

#[test]
fn tasks_without_work_finish_by_themselves() {
    let edit = |name, task: &mut TaskRules| {
        if name != 'b' {
            task.classes = Box::default();
        }
    };
    run("b <- a\nc <- b\nd <- c", Rules { edit, ..Default::default() })
        .expect("a Succeeded; start b1 by 0")
        .done("b")
        .expect("b Succeeded; c Succeeded; d Succeeded; run Succeeded");
}

#[test]
fn unusable_scores_leave_the_built_in_order() {
    let mut scheduler = Scheduler::new(Settings { slots: 1, seed: 0 });
    let mut graph = DependencyGraph::default();
    let mut tasks = vec![task_rules(), task_rules(), task_rules()];
    tasks[1].facts.priority = 8;
    for _ in &tasks {
        graph.add_task();
    }
    let submission = Submission { graph, tasks, classes: vec![u32::MAX] };
    let mut actions = Vec::new();
    scheduler.step(0, [Event::Submit(Box::new(submission))], &mut actions);
    let scores = Some(vec![1.0, f64::NAN, 0.0]);
    scheduler.step(0, [Event::Scored { scores }], &mut actions);
    let started = actions.iter().find_map(|action| match action {
        Action::Start { task, .. } => Some(*task),
        _ => None,
    });
    assert_eq!(started, Some(TaskIx(1)));
}

/// Whatever happens, in any order: no task starts before its dependencies or
/// twice at once, slots and classes are respected and given back, every run
/// ends, and the same seed gives the same trace.
#[test]
fn random_runs_keep_every_promise() {
    for seed in 0..300 {
        assert_eq!(random_run(seed), random_run(seed), "seed {seed} is not deterministic");
    }
}

fn random_run(seed: u64) -> Vec<Action> {
    let mut dice = 0;
    let mut roll = |n: u64| {
        dice += 1;
        random(seed, dice, 0) % n
    };
    let count = 1 + roll(40) as u32;
    let mut graph = DependencyGraph::default();
    let mut tasks = Vec::new();
    for task in 0..count {
        let task = TaskIx(task);
        assert_eq!(graph.add_task(), task);
        let before: BTreeSet<u32> =
            (0..roll(4)).filter(|_| task.0 > 0).map(|_| roll(u64::from(task.0)) as u32).collect();
        before.into_iter().for_each(|dependency| graph.add_dependency(task, TaskIx(dependency)));
        let mut rules = task_rules();
        rules.retry.max_attempts = 1 + roll(3) as u32;
        rules.on_failure =
            [OnFailure::Fail, OnFailure::Skip, OnFailure::Continue][roll(3) as usize];
        rules.classes = (0..roll(3)).map(|_| ClassIx(roll(3) as u32)).collect();
        tasks.push(rules);
    }
    let slots = 1 + roll(4) as u32;
    let limits = vec![1, 2, u32::MAX];
    let dependencies: Vec<Vec<TaskIx>> =
        graph.tasks().map(|task| graph.dependencies(task).collect()).collect();
    let rules = tasks.clone();
    let mut scheduler = Scheduler::new(Settings { slots, seed });
    let submission = Submission { graph, tasks, classes: limits.clone() };
    let mut events = vec![Event::Submit(Box::new(submission))];
    let mut trace = Vec::new();
    let mut running: Vec<TaskIx> = Vec::new();
    let mut now = 0;
    loop {
        let mut actions = Vec::new();
        scheduler.step(now, std::mem::take(&mut events), &mut actions);
        for action in &actions {
            match action {
                Action::Start { task, .. } => {
                    assert!(!running.contains(task));
                    running.push(*task);
                    for dependency in &dependencies[task.index()] {
                        let State::Finished(status) = scheduler.state(*dependency) else {
                            panic!("seed {seed}: {task:?} started before {dependency:?}");
                        };
                        let tolerated = rules[dependency.index()].on_failure == OnFailure::Continue;
                        assert!(status == Status::Succeeded || tolerated);
                    }
                }
                Action::Score { tasks } => {
                    let scores =
                        (roll(5) > 0).then(|| tasks.iter().map(|t| f64::from(t.0)).collect());
                    events.push(Event::Scored { scores });
                }
                _ => {}
            }
        }
        assert_eq!(running.len() as u32, scheduler.running_count());
        assert!(scheduler.running_count() <= slots);
        for (class, limit) in limits.iter().enumerate() {
            assert!(scheduler.queue.running(ClassIx(class as u32)) <= *limit);
        }
        let ended = matches!(actions.last(), Some(Action::RunEnded { .. }));
        trace.extend(actions);
        if ended {
            assert_eq!((scheduler.running_count(), scheduler.ready_count()), (0, 0));
            assert_eq!(scheduler.next_timer(), None);
            return trace;
        }
        if !events.is_empty() {
            continue;
        }
        if running.is_empty() || roll(4) == 0 {
            let timer = scheduler.next_timer();
            assert!(timer.is_some() || !running.is_empty(), "seed {seed} is stuck");
            now = timer.unwrap_or(now).max(now);
            events.push(Event::Timer);
        } else {
            let task = running.swap_remove(roll(running.len() as u64) as usize);
            let end = match roll(6) {
                0 => End::Failed(Retry::Yes),
                1 => End::Failed(Retry::Never),
                2 => End::Pending { poll_after: roll(2_000) },
                3 => End::Aborted,
                _ => End::Succeeded,
            };
            events.push(Event::Ended { task, end });
        }
        if roll(200) == 0 {
            events.push(Event::Cancel);
        }
    }
}
