//! How often attempts of an agent may start.

use super::check;

#[test]
fn starts_are_as_far_apart_as_the_rate_says_and_the_next_is_a_timer() {
    check(
        "run: rate=2/1000/1\na\nb\nc",
        "submit   => start a1
         at 499   =>
         at 500   => start b1
         done a b => a succeeded: done; b succeeded: done
         at 999   =>
         at 1000  => start c1
         done c   => c succeeded: done; run succeeded: completed",
    );
}

#[test]
fn a_burst_may_start_at_once_after_a_pause() {
    check(
        "run: rate=10/1000/2\na\nb\nc\nd",
        "submit         => start a1; start b1
         at 100         => start c1
         done a b c     => a succeeded: done; b succeeded: done; c succeeded: done
         at 200         => start d1
         done d         => d succeeded: done; run succeeded: completed",
    );
}

#[test]
fn an_agent_without_allowance_holds_up_nobody_else() {
    check(
        "run: rate=1/1000/1, slots=2\na: priority=9\nb: priority=9\nc: agents=1",
        "submit  => start a1; start c1
         done a  => a succeeded: done
         at 1000 => abort c: attempt timeout; start b1
         done b c => b succeeded: done; c succeeded: done; run succeeded: completed",
    );
}

#[test]
fn the_rate_is_one_over_all_that_an_agent_does_and_slots_are_not_reserved_for_it() {
    check(
        "run: rate=1/1000/1, slots=3\na: needs=3\nb: needs=2\nc: agents=1",
        "submit  => start a1
         done a  => a succeeded: done; start c1
         done c  => c succeeded: done
         at 1000 => start b1
         done b  => b succeeded: done; run succeeded: completed",
    );
}

#[test]
fn every_attempt_counts_and_going_on_with_one_does_not() {
    check(
        "run: rate=1/1000/1\na: tries=2, backoff=none, attempt=9000\nb: agents=1+0, tries=1",
        "submit         => start a1 until 9000; start b1
         pending a 100  =>
         at 100         => start a1 resume until 9000
         fail a         => retry a at 100
         fail b         => retry b at 100 by 1
         at 1000        => start a2 until 10000
         done a         => a succeeded: done
         at 2000        => start b2 by 1
         done b         => b succeeded: done; run succeeded: completed",
    );
}

#[test]
fn time_in_line_for_the_rate_is_time_in_line() {
    check(
        "run: rate=1/1000/1\na\nb: queue=300, skip",
        "submit => start a1
         at 300 => b failed: queue timeout
         done a => a succeeded: done; run succeeded: completed",
    );
}

#[test]
fn what_is_over_its_rate_says_until_when() {
    use crate::graph::TaskIx;
    use crate::scheduler::{AgentLimits, Event, Scheduler, Settings, State, Submission};
    let mut graph = crate::graph::DependencyGraph::default();
    let tasks = [graph.add_task(), graph.add_task()];
    let submission = Submission {
        graph,
        tasks: vec![super::script::rules(""); 2],
        agents: vec![
            AgentLimits {
                rate: Some(crate::rate::Rate::even(1, 700)),
                ..AgentLimits::default()
            };
            2
        ],
        classes: super::script::classes(crate::plan::Batching::default()),
        ..Submission::default()
    };
    let mut scheduler = Scheduler::new(Settings { slots: 9, seed: 1 });
    let mut actions = Vec::new();
    scheduler.step(5, [Event::Submit(Box::new(submission))], &mut actions);
    assert_eq!(tasks.map(|task| scheduler.allowed_at(task)), [None, None]);
    scheduler.step(5, [Event::Scored { scores: None }], &mut actions);
    assert_eq!(scheduler.state(TaskIx(0)), State::Running);
    assert!(matches!(scheduler.state(TaskIx(1)), State::Ready(_)));
    assert_eq!(tasks.map(|task| scheduler.allowed_at(task)), [None, Some(705)]);
    assert_eq!(scheduler.next_timer(), Some(705));
}
