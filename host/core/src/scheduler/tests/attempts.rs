//! Start, end, another try; and what an end means for others.

use super::check;

#[test]
fn dependents_start_when_all_dependencies_are_done() {
    check(
        "b <- a\nc <- a\nd <- b c",
        "submit    => start a1
         done a    => a succeeded: done; start b1; start c1
         done b    => b succeeded: done
         done c    => c succeeded: done; start d1
         done d    => d succeeded: done; run succeeded: completed",
    );
}

#[test]
fn an_empty_run_is_over_at_once_and_takes_nothing_more() {
    check(
        "run: slots=1",
        "submit => run succeeded: completed
         add x  => rejected x
         at 5   =>",
    );
}

#[test]
fn tasks_without_work_finish_by_themselves() {
    check(
        "a: join\nb <- a\nc <- b: join\nd <- c: join",
        "submit => a succeeded: done; start b1
         done b => b succeeded: done; c succeeded: done; d succeeded: done; run succeeded: completed",
    );
}

#[test]
fn failures_are_retried_with_back_off_then_by_the_next_agent() {
    check(
        "a: tries=2, agents=0+1",
        "submit            => start a1
         fail a            => retry a at 100
         at 99             =>
         at 100            => start a2
         fail a after 5000 => retry a at 100 by 1; start a3 by 1
         fail a after 5000 => retry a at 5100 by 1
         at 5100           => start a4 by 1
         fail a            => a failed: attempts; run failed: by a",
    );
}

#[test]
fn a_failure_that_would_repeat_goes_to_the_next_agent_or_ends_the_task() {
    check(
        "a: tries=5, agents=0+1",
        "submit       => start a1
         fail a never => retry a at 0 by 1; start a2 by 1
         fail a never => a failed: attempts; run failed: by a",
    );
}

#[test]
fn without_back_off_the_next_attempt_competes_at_once() {
    check(
        "run: slots=1\na: tries=2, backoff=none\nb: priority=9",
        "submit => start b1
         done b => b succeeded: done; start a1
         fail a => retry a at 0; start a2
         done a => a succeeded: done; run succeeded: completed",
    );
}

#[test]
fn a_failure_ends_the_run_unless_the_task_says_otherwise() {
    check(
        "b <- a\nc <- b\nd\ne <- d",
        "submit       => start a1; start d1
         fail a never => a failed: attempts; b skipped: dependency a; c skipped: dependency a; \
                         abort d: run failed; e cancelled: run failed by a
         aborted d    => d cancelled: run failed by a; run failed: by a",
    );
}

#[test]
fn skip_skips_dependents_and_the_run_goes_on() {
    check(
        "a: skip\nb <- a\nc <- b\nd\ne <- d a\nf <- d",
        "submit       => start a1; start d1
         fail a never => a failed: attempts; b skipped: dependency a; e skipped: dependency a; \
                         c skipped: dependency a
         done d       => d succeeded: done; start f1
         done f       => f succeeded: done; run succeeded: completed",
    );
}

#[test]
fn continue_lets_dependents_run_without_the_result_however_it_got_lost() {
    check(
        "a: continue\nb <- a",
        "submit       => start a1
         fail a never => a failed: attempts; start b1
         done b       => b succeeded: done; run succeeded: completed",
    );
    check(
        "a: skip\nb <- a: continue\nc <- b",
        "submit       => start a1
         fail a never => a failed: attempts; b skipped: dependency a; start c1
         done c       => c succeeded: done; run succeeded: completed",
    );
}

#[test]
fn only_the_first_failure_fails_the_run_and_a_late_success_counts() {
    check(
        "a\nb\nc",
        "submit       => start a1; start b1; start c1
         fail a never => a failed: attempts; abort b: run failed; abort c: run failed
         fail b never => b cancelled: run failed by a
         done c       => c succeeded: done; run failed: by a",
    );
}

#[test]
fn two_failures_in_one_step_end_the_run_once() {
    check(
        "a\nb",
        "submit                      => start a1; start b1
         fail a never & fail b never => a failed: attempts; abort b: run failed; \
                                        b cancelled: run failed by a; run failed: by a",
    );
}

#[test]
fn a_pending_attempt_holds_no_slot_and_goes_on_before_others_start() {
    check(
        "run: slots=1\na\nb\nc",
        "submit         => start a1
         pending a 300  => start b1
         at 300         =>
         done b         => b succeeded: done; start a1 resume until 1000
         pending a 5    => start c1
         at 400         =>
         at 401         =>
         done c         => c succeeded: done; start a1 resume until 1000
         done a         => a succeeded: done; run succeeded: completed",
    );
}

#[test]
fn an_attempt_that_turns_pending_while_it_is_stopped_is_stopped_at_the_agent() {
    check(
        "a",
        "submit      => start a1
         cancel run  => abort a: cancelled
         pending a 1 => cancel remote a: cancelled; a cancelled: cancelled; run cancelled: cancelled",
    );
    check(
        "a",
        "submit      => start a1
         at 1000     => abort a: attempt timeout
         pending a 1 => cancel remote a: attempt timeout; a failed: attempt timeout; run failed: by a",
    );
}

#[test]
fn an_attempt_that_was_stopped_for_its_slowness_and_succeeds_has_succeeded() {
    check(
        "a: tries=2",
        "submit  => start a1
         at 1000 => abort a: attempt timeout
         done a  => a succeeded: done; run succeeded: completed",
    );
}

#[test]
fn an_attempt_that_stops_unasked_has_failed() {
    check(
        "a: tries=2, backoff=none",
        "submit    => start a1
         aborted a => retry a at 0; start a2
         aborted a => a failed: attempts; run failed: by a",
    );
}
