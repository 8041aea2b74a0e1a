//! Cancelling and pausing.

use super::check;

#[test]
fn cancelling_the_run_ends_everything() {
    check(
        "a\nb\nc <- a\nd: person\ne: decide\nf: tries=2",
        "submit         => ask d; decide e; start a1; start b1; start f1
         pending b 500  =>
         fail f         => retry f at 100
         cancel run     => abort a: cancelled; cancel remote b: cancelled; b cancelled: cancelled; \
                           c cancelled: cancelled; d cancelled: cancelled; e cancelled: cancelled; \
                           f cancelled: cancelled
         cancel run     =>
         decide e run & answer d yes & alive b =>
         aborted a      => a cancelled: cancelled; run cancelled: cancelled",
    );
}

#[test]
fn a_cancelled_run_in_which_all_succeeded_has_succeeded() {
    check(
        "a",
        "submit     => start a1
         cancel run => abort a: cancelled
         done a     => a succeeded: done; run succeeded: completed",
    );
}

#[test]
fn cancelling_a_task_skips_its_dependents_and_fails_nothing() {
    check(
        "a\nb <- a\nc",
        "submit    => start a1; start c1
         cancel a  => abort a: cancelled
         fail a    => a cancelled: cancelled; b skipped: dependency a
         done c    => c succeeded: done; run succeeded: completed",
    );
    check(
        "a: continue\nb <- a",
        "submit    => start a1
         cancel a  => abort a: cancelled
         aborted a => a cancelled: cancelled; start b1
         cancel a  =>
         done b    => b succeeded: done; run succeeded: completed",
    );
}

#[test]
fn cancelling_a_subtree_cancels_all_that_depend_on_it() {
    check(
        "a\nb <- a: continue\nc <- b\nd <- c x\nx",
        "submit                  => start a1; start x1
         done a                  => a succeeded: done; start b1
         cancel a and dependents => abort b: cancelled; c cancelled: cancelled; d cancelled: cancelled
         aborted b               => b cancelled: cancelled
         done x                  => x succeeded: done; run succeeded: completed",
    );
}

#[test]
fn cancelling_a_subtree_reaches_items_and_what_depends_on_them() {
    check(
        "a: decide\nb <- a",
        "submit                  => decide a
         decide a 2              => fan out a 2; start a.01; start a.11
         add x <- a.1            => added x
         cancel a and dependents => abort a.0: cancelled; abort a.1: cancelled; \
                                    b cancelled: cancelled; x cancelled: cancelled
         aborted a.0 & aborted a.1 => a.0 cancelled: cancelled; a.1 cancelled: cancelled; \
                                    a cancelled: cancelled; run succeeded: completed",
    );
}

#[test]
fn nothing_starts_while_the_run_is_paused() {
    check(
        "a: decide\nb: tries=2, total=5000\nc <- b",
        "submit        => decide a; start b1
         pause         =>
         decide a run  =>
         fail b        => retry b at 100
         at 100        =>
         resume        => start a1; start b2
         pause & done b => b succeeded: done
         resume        => start c1
         done a c      => a succeeded: done; c succeeded: done; run succeeded: completed",
    );
}

#[test]
fn what_runs_goes_on_while_the_run_is_paused_and_so_do_timeouts() {
    check(
        "a\nb: queue=300, skip, priority=1\nc: person",
        "pause          =>
         submit         => ask c
         at 300         => b failed: queue timeout
         resume         => start a1
         pending a 100 & pause =>
         at 400         => start a1 resume until 1300
         answer c yes   => c succeeded: done
         at 1300        => abort a: attempt timeout
         aborted a      => a failed: attempt timeout; run failed: by a",
    );
}

#[test]
fn a_paused_run_can_be_cancelled() {
    check(
        "a\nb <- a",
        "submit & pause => 
         cancel run     => a cancelled: cancelled; b cancelled: cancelled; run cancelled: cancelled",
    );
}
