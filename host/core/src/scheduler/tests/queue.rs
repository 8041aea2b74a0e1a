//! Scores, classes, slots.

use super::check;

#[test]
fn the_best_score_starts_first_and_a_full_class_blocks_nobody_else() {
    check(
        "run: slots=2, agents=1+1\na\nb\nc: priority=9\nd: agents=1",
        "submit => start c1; start d1 
         done d => d succeeded: done
         done c => c succeeded: done; start a1
         done a => a succeeded: done; start b1
         done b => b succeeded: done; run succeeded: completed",
    );
}

#[test]
fn a_task_that_has_just_become_ready_competes_for_the_slot_that_made_it_so() {
    check(
        "run: slots=1\na: priority=9\nb <- a: priority=9\nc: priority=1",
        "submit => start a1
         done a => a succeeded: done; start b1
         done b => b succeeded: done; start c1
         done c => c succeeded: done; run succeeded: completed",
    );
}

#[test]
fn ready_tasks_are_scored_together_one_call_at_a_time() {
    check(
        "run: ask\na\nb\nc <- a\nd <- b",
        "submit     => score a b
         scored 1 2 => start b1; start a1
         done a     => a succeeded: done; score c
         done b     => b succeeded: done
         scored 1   => score d
         scored 2   => start d1; start c1
         scored 7   =>
         done c d   => c succeeded: done; d succeeded: done; run succeeded: completed",
    );
}

#[test]
fn unusable_scores_leave_the_built_in_order() {
    for scores in ["none", "3 NaN 1", "3 1", "3 2 1 0"] {
        check(
            "run: ask, slots=1\na\nb: priority=8\nc",
            &format!(
                "submit          => score a b c
                 scored {scores} => start b1
                 done b          => b succeeded: done; start a1
                 cancel run      => abort a: cancelled; c cancelled: cancelled
                 aborted a       => a cancelled: cancelled; run cancelled: cancelled"
            ),
        );
    }
}

#[test]
fn zero_is_zero_and_infinities_have_their_place() {
    check(
        "run: ask, slots=1\na\nb\nc\nd",
        "submit              => score a b c d
         scored -inf 0 -0 inf => start d1
         done d              => d succeeded: done; start b1
         done b              => b succeeded: done; start c1
         done c              => c succeeded: done; start a1
         done a              => a succeeded: done; run succeeded: completed",
    );
}

#[test]
fn scores_for_tasks_that_are_no_longer_ready_are_dropped() {
    check(
        "run: ask\na: queue=10, skip\nb",
        "submit     => score a b
         at 10      => a failed: queue timeout
         scored 9 1 => start b1
         done b     => b succeeded: done; run succeeded: completed",
    );
}

#[test]
fn an_attempt_takes_its_slots_and_small_ones_pass_what_does_not_fit() {
    check(
        "run: slots=4\na: needs=3, priority=9\nb: needs=2, priority=8\nc: priority=7\nd: priority=6",
        "submit   => start a1; start c1
         done c   => c succeeded: done; start d1
         done a   => a succeeded: done; start b1
         done b d => b succeeded: done; d succeeded: done; run succeeded: completed",
    );
}

#[test]
fn a_task_that_needs_more_than_there_is_takes_all_of_it() {
    check(
        "run: slots=2\na: needs=3\nb: priority=1",
        "submit => start a1
         done a => a succeeded: done; start b1
         done b => b succeeded: done; run succeeded: completed",
    );
}

#[test]
fn an_agent_s_limit_holds_over_all_its_classes() {
    check(
        "run: slots=9, agents=2+1\na: needs=2\nb\nc\nd: agents=1",
        "submit => start a1; start b1; start d1 
         done a => a succeeded: done; start c1
         done b c d => b succeeded: done; c succeeded: done; d succeeded: done; \
                       run succeeded: completed",
    );
}

/// Two slots, one always taken by a small task with the same priority: the
/// large one that waits for both gets them after 64 starts of others.
#[test]
fn slots_are_reserved_for_a_class_that_is_passed_over_for_long() {
    let mut graph = String::from("run: slots=2, ask\nbig: needs=2\na000\na001\n");
    let mut script =
        String::from("submit => score a000 a001 big\nscored 1 1 0 => start a0001; start a0011\n");
    let reserve = crate::scheduler::queue::RESERVE_AFTER as usize;
    // Every start is of a task that has just become ready with a better score.
    for n in 2..=reserve + 3 {
        graph += &format!("a{n:03} <- a{:03}\n", n - 2);
        let done = format!("a{:03} succeeded: done", n - 2);
        script += &format!("done a{:03} => {done}; score a{n:03}\n", n - 2);
        script += &format!("scored 1 => start a{n:03}1\n");
    }
    // As long as better ones follow, that is their right.
    check(&graph, &script);

    let graph = "run: slots=2\nbig: needs=2, priority=9\nfirst: priority=10, attempt=99999\n"
        .to_owned()
        + &(0..=reserve + 2).map(|n| format!("s{n:03}\n")).collect::<String>();
    let mut script = String::from("submit => start first1 until 99999; start s0001\n");
    for n in 0..reserve {
        script += &format!("done s{n:03} => s{n:03} succeeded: done; start s{:03}1\n", n + 1);
    }
    // Big has now been passed over by 65 starts; nothing starts until it fits.
    script += &format!("done s{reserve:03} => s{reserve:03} succeeded: done\n");
    script += "done first => first succeeded: done; start big1\n";
    script += &format!(
        "done big => big succeeded: done; start s{:03}1; start s{:03}1\n",
        reserve + 1,
        reserve + 2
    );
    check(&graph, &script);
}
