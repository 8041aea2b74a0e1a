//! Runs that are open: tasks come while they go on.

use super::check;
use super::script::rules;
use crate::scheduler::*;

#[test]
fn an_open_run_goes_on_without_tasks_until_it_is_closed() {
    check(
        "run: open",
        "submit    =>
         add x     => added x; start x1
         done x    => x succeeded: done
         at 5000   =>
         add y <- x => added y; start y1
         close     =>
         add z     => added z; start z1
         done y    => y succeeded: done
         done z    => z succeeded: done; run succeeded: completed
         add w     => rejected w",
    );
    check(
        "run: open",
        "submit    =>
         add x     => added x; start x1
         done x    => x succeeded: done
         recover   =>
         close     => run succeeded: completed",
    );
    check("run: open", "submit & close => run succeeded: completed");
}

#[test]
fn an_open_run_that_is_stopped_is_over() {
    check("run: open", "submit => \n cancel run => run succeeded: completed");
    check("run: open, deadline=500", "submit => \n at 500 => run failed: deadline");
    check(
        "run: open, tokens=5",
        "submit       =>
         add x        => added x; start x1
         done x       => x succeeded: done
         spend 6 0    => run failed: budget",
    );
    check(
        "run: open",
        "submit       =>
         add x / y <- x => added x; added y; start x1
         fail x never => x failed: attempts; y skipped: dependency x; run failed: by x",
    );
}

#[test]
fn a_whole_batch_is_added_or_none_of_it() {
    check(
        "run: open",
        "submit                        =>
         add whole x <- y / y / z      => added x; added y; added z; start y1; start z1
         add whole p / q <- nope / r <- q => rejected p: with q; rejected q: missing nope; \
                                          rejected r: with q
         add whole p / y               => rejected y: duplicate y; rejected p: with y
         add whole p / q <- r / r <- q => rejected q: cycle q -> r -> q; \
                                          rejected r: cycle q -> r -> q; rejected p: with q
         add whole p / q <- p          => added p; added q; start p1
         add whole hold a / b <- later => added a; held b: missing later; start a1
         add whole admit c <- later b / d => added c without missing later, missing b; added d; \
                                          start c1; start d1
         add whole e <- b              => rejected e: missing b
         done y z p a c d              => y succeeded: done; z succeeded: done; \
                                          p succeeded: done; a succeeded: done; \
                                          c succeeded: done; d succeeded: done; start x1; start q1
         done x q & close              => x succeeded: done; q succeeded: done; \
                                          rejected b: missing later; run succeeded: completed",
    );
}

#[test]
fn a_task_that_is_held_is_given_up_or_added_without_what_is_missing() {
    check(
        "run: open, hold",
        "submit           =>
         add a <- x / b <- a y / c <- b => held a: missing x; held b: missing a, missing y; \
                             held c: missing b
         resolve b drop   => rejected b: missing a, missing y
         resolve b admit  =>
         add b <- a       => held b: missing a
         resolve a admit  => added a without missing x; added c; added b; start a1
         resolve a drop   =>
         add x            => added x; start x1
         done a x         => a succeeded: done; x succeeded: done; start b1
         cancel run       => c cancelled: cancelled; abort b: cancelled
         aborted b        => b cancelled: cancelled; run cancelled: cancelled
         resolve c drop   =>",
    );
}

#[test]
fn an_addition_may_bring_classes_that_the_run_did_not_have() {
    let mut scheduler = Scheduler::new(Settings { slots: 4, seed: 0 });
    let one = ClassLimits { agent: 0, slots: 1, batching: None };
    let submission = Submission {
        agents: vec![AgentLimits::default()],
        classes: vec![one],
        open: true,
        ..Submission::default()
    };
    scheduler.step(0, [Event::Submit(Box::new(submission))], &mut Vec::new());
    let task = |key, class| NewTask {
        rules: TaskRules { work: Doer::Agents([ClassIx(class)].into()), ..rules("") },
        depends_on: Vec::new(),
        key,
        name: key.to_string().into(),
    };
    let classes = vec![ClassLimits { slots: 3, ..one }, ClassLimits { slots: 2, ..one }];
    let tasks = vec![task(0, 1), task(1, 2), task(2, 0)];
    let addition = Addition { tasks, classes, ..Addition::default() };
    scheduler.step(0, [Event::Add(Box::new(addition))], &mut Vec::new());
    let mut actions = Vec::new();
    scheduler.step(0, [Event::Scored { scores: Some(vec![3.0, 2.0, 1.0]) }], &mut actions);
    let started = |action: &Action| match action {
        Action::Start { task, .. } => Some(task.0),
        _ => None,
    };
    assert_eq!(actions.iter().filter_map(started).collect::<Vec<_>>(), [0, 2], "3 + 1 of 4 slots");
    assert_eq!(scheduler.slots_in_use(), 4);
}
