//! Timeouts, deadlines, budget.

use super::check;

#[test]
fn an_attempt_out_of_time_is_stopped_and_tried_again_once_it_has_ended() {
    check(
        "a: tries=2, backoff=none",
        "submit    => start a1
         at 999    =>
         at 1000   => abort a: attempt timeout
         at 1500   =>
         aborted a => retry a at 1500: attempt; start a2
         at 2500   => abort a: attempt timeout
         fail a    => a failed: attempts; run failed: by a",
    );
}

#[test]
fn the_last_attempt_s_timeout_is_the_reason() {
    check(
        "a",
        "submit    => start a1
         at 1000   => abort a: attempt timeout
         aborted a => a failed: attempt timeout; run failed: by a",
    );
}

#[test]
fn a_pending_attempt_out_of_time_is_stopped_at_the_agent() {
    check(
        "a: tries=2",
        "submit        => start a1
         pending a 400 =>
         at 400        => start a1 resume until 1000
         pending a 5000 =>
         at 999        =>
         at 1000       => cancel remote a: attempt timeout; retry a at 1100: attempt
         at 1100       => start a2
         done a        => a succeeded: done; run succeeded: completed",
    );
}

#[test]
fn a_pending_attempt_can_run_out_of_time_while_it_waits_for_a_slot() {
    check(
        "run: slots=1\na: skip\nb: attempt=9000",
        "submit        => start a1
         pending a 500 => start b1 until 9000
         at 500        =>
         at 1000       => cancel remote a: attempt timeout; a failed: attempt timeout
         done b        => b succeeded: done; run succeeded: completed",
    );
}

#[test]
fn waiting_in_line_for_too_long_fails_for_good() {
    check(
        "run: slots=1\na: priority=9, attempt=5000\nb: queue=300, tries=9, skip",
        "submit => start a1 until 5000
         at 299 =>
         at 300 => b failed: queue timeout
         done a => a succeeded: done; run succeeded: completed",
    );
}

#[test]
fn each_stay_in_line_counts_by_itself() {
    check(
        "run: slots=1\na: queue=300, tries=2, backoff=none\nb: priority=1, attempt=5000",
        "submit              => start a1
         at 290              =>
         later 990 & fail a  => retry a at 990; start a2
         done a              => a succeeded: done; start b1 until 5990
         done b              => b succeeded: done; run succeeded: completed",
    );
}

#[test]
fn an_attempt_without_a_sign_of_life_is_stopped() {
    check(
        "a: idle=200, tries=2, backoff=none",
        "submit              => start a1
         later 150 & alive a =>
         at 200              =>
         later 340 & alive a =>
         at 350              =>
         at 539              =>
         at 540              => abort a: idle timeout
         alive a             =>
         at 600              =>
         aborted a           => retry a at 600: idle; start a2
         at 800              => abort a: idle timeout
         aborted a           => a failed: idle timeout; run failed: by a",
    );
}

#[test]
fn an_answer_to_a_poll_is_a_sign_of_life_and_a_parked_attempt_is_not_idle() {
    check(
        "a: idle=200",
        "submit        => start a1
         pending a 500 =>
         at 400        =>
         at 500        => start a1 resume until 1000
         at 699        =>
         at 700        => abort a: idle timeout
         aborted a     => a failed: idle timeout; run failed: by a",
    );
}

#[test]
fn the_total_timeout_runs_from_the_dependencies_end_through_all_attempts() {
    check(
        "b <- a: total=500, tries=9, backoff=fixed",
        "submit               => start a1
         later 300 & done a   => a succeeded: done; start b1 until 800
         fail b               => retry b at 400
         at 400               => start b2 until 800
         at 799               =>
         at 800               => abort b: total timeout
         fail b               => b failed: total timeout; run failed: by b",
    );
}

#[test]
fn the_total_timeout_ends_waits_too() {
    let ends = "at 499 =>
                at 500 => a failed: total timeout; run failed: by a";
    check("a: total=500, person", &format!("submit => ask a\n{ends}"));
    check("a: total=500, decide", &format!("submit => decide a\n{ends}"));
    check(
        "a: total=500, tries=2",
        &format!("submit => start a1 until 500\nfail a after 600 => retry a at 600\n{ends}"),
    );
    check(
        "a: total=500",
        "submit         => start a1 until 500
         pending a 9000 =>
         at 500         => cancel remote a: total timeout; a failed: total timeout; run failed: by a",
    );
}

#[test]
fn a_person_who_takes_too_long_has_failed_the_task() {
    check(
        "a: person, attempt=700, tries=9\nb <- a",
        "submit => ask a
         at 699 =>
         at 700 => a failed: attempt timeout; b skipped: dependency a; run failed: by a",
    );
}

#[test]
fn what_ends_after_its_total_timeout_has_failed_for_good_whatever_the_end() {
    check(
        "a: total=500, tries=9, agents=0+1",
        "submit => start a1 until 500
         at 500 => abort a: total timeout
         done a => a failed: total timeout; run failed: by a",
    );
    check(
        "a: total=500, tries=9, agents=0+1",
        "submit             => start a1 until 500
         later 500 & fail a => a failed: total timeout; run failed: by a",
    );
}

#[test]
fn a_stop_for_slowness_becomes_one_for_good() {
    check(
        "a: total=1500, tries=9",
        "submit    => start a1
         at 1000   => abort a: attempt timeout
         at 1500   =>
         aborted a => a failed: total timeout; run failed: by a",
    );
}

#[test]
fn a_deadline_fails_a_task_wherever_it_is() {
    check(
        "run: slots=1\na: attempt=5000, priority=9\nb <- a: deadline=400, skip\nc: deadline=300, skip",
        "submit => start a1 until 5000
         at 300 => c failed: deadline timeout
         at 400 => b failed: deadline timeout
         done a => a succeeded: done; run succeeded: completed",
    );
    check(
        "a: deadline=400, tries=5",
        "submit => start a1 until 400
         at 400 => abort a: deadline timeout
         aborted a => a failed: deadline timeout; run failed: by a",
    );
}

#[test]
fn a_fan_out_s_total_timeout_and_deadline_are_its_items() {
    check(
        "a: decide, width=1, total=500, tries=9\nb <- a",
        "submit      => decide a
         decide a 2  => fan out a 2; start a.01 until 500
         at 500      => abort a.0: total timeout; a.1 failed: total timeout
         aborted a.0 => a.0 failed: total timeout; a failed: total timeout; \
                        b skipped: dependency a; run failed: by a",
    );
}

/// An attempt that ends too late, before the scheduler is told the time, is not
/// what the run fails for.
#[test]
fn an_item_out_of_its_task_s_time_leaves_the_failure_to_the_task() {
    check(
        "a: decide, deadline=400, tries=5",
        "submit               => decide a
         decide a 2           => fan out a 2; start a.01 until 400; start a.11 until 400
         later 450 & fail a.0 => a.0 failed: deadline timeout
         done a.1             => a.1 succeeded: done; a failed: item a.0; run failed: by a",
    );
}

#[test]
fn the_run_s_deadline_cancels_what_is_unfinished() {
    check(
        "run: deadline=700\na\nb\nc <- a\nd: person",
        "submit    => ask d; start a1 until 700; start b1 until 700
         done b    => b succeeded: done
         at 700    => abort a: run deadline; c cancelled: run deadline; d cancelled: run deadline
         at 900    =>
         aborted a => a cancelled: run deadline; run failed: deadline",
    );
}

#[test]
fn a_run_over_its_budget_is_stopped() {
    check(
        "run: tokens=100\na\nb <- a",
        "submit      => start a1
         spend 60 0  =>
         spend 40 0  =>
         spend 1 0   => abort a: budget; b cancelled: budget
         spend 1 0   =>
         aborted a   => a cancelled: budget; run failed: budget",
    );
    check(
        "run: cost=1.5\na",
        "submit      => start a1
         spend 0 1.5 =>
         spend 0 -1  =>
         spend 0 NaN =>
         spend 0 0.1 => abort a: budget
         aborted a   => a cancelled: budget; run failed: budget",
    );
}
