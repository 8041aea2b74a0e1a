//! Conditions, fan-out, and persons.

use super::check;

#[test]
fn a_task_is_asked_about_when_its_dependencies_are_finished() {
    check(
        "b <- a: decide",
        "submit       => start a1
         done a       => a succeeded: done; decide b
         decide b run => start b1
         done b       => b succeeded: done; run succeeded: completed",
    );
}

#[test]
fn a_false_condition_skips_the_task_and_its_dependents_but_fails_nothing() {
    check(
        "a: decide\nb <- a\nc <- b",
        "submit        => decide a
         decide a skip => a skipped: condition; b skipped: dependency a; c skipped: dependency a; \
                          run succeeded: completed",
    );
    check(
        "a: decide, continue\nb <- a",
        "submit        => decide a
         decide a skip => a skipped: condition; start b1
         done b        => b succeeded: done; run succeeded: completed",
    );
}

#[test]
fn a_condition_that_breaks_fails_the_task() {
    check(
        "a: decide\nb <- a\nc",
        "submit        => decide a; start c1
         decide a fail => a failed: undecidable; b skipped: dependency a; abort c: run failed
         aborted c     => c cancelled: run failed by a; run failed: by a",
    );
}

#[test]
fn a_decision_nobody_waits_for_changes_nothing() {
    check(
        "a: decide",
        "submit        => decide a
         decide a run  => start a1
         decide a skip =>
         done a        => a succeeded: done; run succeeded: completed
         decide a 3    =>",
    );
}

#[test]
fn a_fan_out_is_finished_when_its_items_are() {
    check(
        "a: decide\nb <- a",
        "submit           => decide a
         decide a 3       => fan out a 3; start a.01; start a.11; start a.21
         done a.1         => a.1 succeeded: done
         done a.0 a.2     => a.0 succeeded: done; a.2 succeeded: done; a succeeded: done; start b1
         done b           => b succeeded: done; run succeeded: completed",
    );
}

#[test]
fn a_fan_out_without_items_has_succeeded() {
    check(
        "a: decide\nb <- a: join",
        "submit     => decide a
         decide a 0 => fan out a 0; a succeeded: done; b succeeded: done; run succeeded: completed",
    );
}

#[test]
fn items_get_their_turn_as_others_finish() {
    check(
        "a: decide, width=2, skip",
        "submit         => decide a
         decide a 5     => fan out a 5; start a.01; start a.11
         done a.1       => a.1 succeeded: done; start a.21
         cancel a.3     => a.3 cancelled: cancelled
         fail a.0 never => a.0 failed: attempts; start a.41
         done a.2 a.4   => a.2 succeeded: done; a.4 succeeded: done; a failed: item a.3; \
                           run succeeded: completed",
    );
}

#[test]
fn items_have_attempts_of_their_own() {
    check(
        "a: decide, tries=2, agents=0+1",
        "submit           => decide a
         decide a 2       => fan out a 2; start a.01; start a.11
         fail a.0         => retry a.0 at 100
         done a.1         => a.1 succeeded: done
         at 100           => start a.02
         fail a.0 never   => retry a.0 at 100 by 1; start a.03 by 1
         done a.0         => a.0 succeeded: done; a succeeded: done; run succeeded: completed",
    );
}

#[test]
fn the_first_failed_item_fails_the_run_under_fail() {
    check(
        "a: decide, width=2\nb <- a\nc",
        "submit         => decide a; start c1
         decide a 3     => fan out a 3; start a.01; start a.11
         fail a.0 never => a.0 failed: attempts; abort a.1: run failed; \
                           a.2 cancelled: run failed by a.0; b cancelled: run failed by a.0; \
                           abort c: run failed
         done a.1 c     => a.1 succeeded: done; a failed: item a.0; c succeeded: done; \
                           run failed: by a.0",
    );
}

#[test]
fn other_items_go_on_under_skip_and_dependents_are_skipped_at_the_end() {
    check(
        "a: decide, skip\nb <- a",
        "submit         => decide a
         decide a 2     => fan out a 2; start a.01; start a.11
         fail a.0 never => a.0 failed: attempts
         done a.1       => a.1 succeeded: done; a failed: item a.0; b skipped: dependency a; \
                           run succeeded: completed",
    );
}

#[test]
fn failed_items_are_left_out_under_continue() {
    check(
        "a: decide, continue\nb <- a",
        "submit         => decide a
         decide a 2     => fan out a 2; start a.01; start a.11
         fail a.0 never => a.0 failed: attempts
         done a.1       => a.1 succeeded: done; a succeeded: done; start b1
         done b         => b succeeded: done; run succeeded: completed",
    );
}

#[test]
fn items_without_work_finish_one_after_the_other() {
    check(
        "a: decide, join, width=1",
        "submit     => decide a
         decide a 3 => fan out a 3; a.0 succeeded: done; a.1 succeeded: done; \
                       a.2 succeeded: done; a succeeded: done; run succeeded: completed",
    );
}

#[test]
fn an_item_that_is_cancelled_leaves_its_task_without_a_result() {
    check(
        "a: decide",
        "submit     => decide a
         decide a 2 => fan out a 2; start a.01; start a.11
         cancel a.0 => abort a.0: cancelled
         aborted a.0 => a.0 cancelled: cancelled
         done a.1   => a.1 succeeded: done; a failed: item a.0; run failed: by a",
    );
}

#[test]
fn cancelling_a_fan_out_cancels_its_items() {
    check(
        "a: decide, width=1\nb <- a",
        "submit      => decide a
         decide a 2  => fan out a 2; start a.01
         cancel a    => abort a.0: cancelled; a.1 cancelled: cancelled
         cancel a    =>
         aborted a.0 => a.0 cancelled: cancelled; a cancelled: cancelled; b skipped: dependency a; \
                        run succeeded: completed",
    );
}

#[test]
fn a_person_is_asked_and_no_slot_is_held() {
    check(
        "run: slots=1\na: person\nb\nc <- a",
        "submit       => ask a; start b1
         answer a yes => a succeeded: done
         done b       => b succeeded: done; start c1
         answer a no  =>
         done c       => c succeeded: done; run succeeded: completed",
    );
}

#[test]
fn a_refusal_fails_the_task() {
    check(
        "a: person, tries=3\nb <- a",
        "submit      => ask a
         answer a no => a failed: refused; b skipped: dependency a; run failed: by a",
    );
}

#[test]
fn persons_can_be_asked_about_items() {
    check(
        "a: person, decide, width=1, skip",
        "submit         => decide a
         decide a 2     => fan out a 2; ask a.0
         answer a.0 no  => a.0 failed: refused; ask a.1
         answer a.1 yes => a.1 succeeded: done; a failed: item a.0; run succeeded: completed",
    );
}

#[test]
fn an_agent_s_question_is_answered_and_its_attempt_goes_on() {
    check(
        "run: slots=1\na\nb: priority=1",
        "submit               => start a1
         asks a               => start b1
         later 500 & done b   => b succeeded: done
         later 900 & answer a yes => start a1 resume
         later 1800 & done a  => a succeeded: done; run succeeded: completed",
    );
}

#[test]
fn a_question_that_is_not_answered_in_time_is_the_end_and_the_agent_is_told() {
    check(
        "a: tries=3",
        "submit           => start a1
         later 400 & asks a =>
         at 1399          =>
         at 1400          => cancel remote a: attempt timeout; a failed: attempt timeout; run failed: by a
         answer a yes     =>",
    );
}

#[test]
fn a_question_that_nobody_will_answer_fails_the_task_and_the_agent_is_told() {
    check(
        "a: tries=3",
        "submit      => start a1
         asks a      =>
         answer a no => cancel remote a: refused; a failed: refused; run failed: by a",
    );
}

#[test]
fn a_question_is_withdrawn_when_its_task_is_cancelled() {
    check(
        "a",
        "submit    => start a1
         asks a    =>
         recover   =>
         cancel a  => cancel remote a: cancelled; a cancelled: cancelled; run succeeded: completed",
    );
}

#[test]
fn what_has_been_done_before_takes_no_slot_and_its_dependents_go_on() {
    check(
        "run: slots=1\na: decide, batch\nb <- a\np: person, decide\nc",
        "submit        => decide a; decide p; start c1
         decide a done => a succeeded: done
         decide p done => p succeeded: done
         done c        => c succeeded: done; start b1
         done b        => b succeeded: done; run succeeded: completed",
    );
}

#[test]
fn items_may_have_been_done_before_each_by_itself() {
    check(
        "a: decide, decide-items, width=2\nb <- a: join",
        "submit           => decide a
         decide a 3       => fan out a 3; decide a.0; decide a.1
         decide a.0 done  => a.0 succeeded: done; decide a.2
         decide a.1 run   => start a.11
         decide a.2 done  => a.2 succeeded: done
         done a.1         => a.1 succeeded: done; a succeeded: done; b succeeded: done; \
                             run succeeded: completed",
    );
}
