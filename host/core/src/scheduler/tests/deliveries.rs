//! What comes of tasks outside of the run.

use super::check;

#[test]
fn a_task_that_runs_comes_to_what_was_delivered_when_its_attempt_has_ended() {
    for end in ["done a", "fail a", "fail a never", "aborted a"] {
        check(
            "run: slots=1\na\nb <- a",
            &format!(
                "submit    => start a1
                 deliver a => abort a: delivered
                 deliver a failure never & deliver a & at 2000 =>
                 {end}     => a succeeded: done; start b1
                 deliver a => 
                 done b    => b succeeded: done; run succeeded: completed",
            ),
        );
    }
}

#[test]
fn a_failure_that_was_delivered_goes_the_way_of_every_failure() {
    check(
        "a: tries=2, agents=0+1, continue\nb <- a",
        "submit                  => start a1
         deliver a failure       => abort a: delivered
         done a                  => retry a at 100
         deliver a failure       =>
         at 100                  => start a2
         deliver a failure       => abort a: delivered
         aborted a               => retry a at 100 by 1; start a3 by 1
         deliver a failure never => abort a: delivered
         aborted a               => a failed: attempts; start b1
         done b                  => b succeeded: done; run succeeded: completed",
    );
}

#[test]
fn what_an_agent_does_by_itself_is_stopped() {
    check(
        "a\nb: tries=2, backoff=none\nc: skip\nd",
        "submit            => start a1; start b1; start c1; start d1
         pending a 400 & pending b 400 & asks c & asks d =>
         deliver a         => cancel remote a: delivered; a succeeded: done
         deliver b failure => cancel remote b: delivered; retry b at 0; start b2
         deliver c failure never => cancel remote c: delivered; c failed: attempts
         deliver d         => cancel remote d: delivered; d succeeded: done
         answer d yes      =>
         pending b 400     =>
         pause             =>
         at 400            => start b2 resume until 1000
         deliver b         => abort b: delivered
         pending b 100     => cancel remote b: delivered; b succeeded: done; run succeeded: completed",
    );
}

#[test]
fn a_result_is_taken_while_a_task_waits_for_an_attempt_and_a_failure_is_not() {
    check(
        "run: slots=1\na\nb: tries=2\nc",
        "submit            => start a1
         deliver b failure =>
         deliver b         => b succeeded: done
         fail a never      => a failed: attempts; c cancelled: run failed by a; run failed: by a",
    );
    check(
        "a: tries=2",
        "submit    => start a1
         fail a    => retry a at 100
         deliver a => a succeeded: done; run succeeded: completed",
    );
}

#[test]
fn nothing_is_taken_for_what_has_not_begun_is_decided_or_stands_for_others() {
    check(
        "a: decide\nb <- a\nc: person\nd: person, skip",
        "submit       => decide a; ask c; ask d
         deliver a & deliver b =>
         decide a 1   => fan out a 1; start a.01
         deliver a    =>
         deliver a.0  => abort a.0: delivered
         aborted a.0  => a.0 succeeded: done; a succeeded: done; start b1
         deliver c    => c succeeded: done
         deliver d failure => d failed: refused
         done b       => b succeeded: done; run succeeded: completed",
    );
}

#[test]
fn what_is_being_stopped_takes_nothing_unless_its_attempt_is_only_late() {
    check(
        "a\nb\nc: total=2000",
        "submit     => start a1; start b1; start c1
         cancel a   => abort a: cancelled
         deliver a  =>
         at 1000    => abort b: attempt timeout; abort c: attempt timeout
         deliver b  =>
         at 2000    =>
         deliver c  =>
         aborted a & aborted b & aborted c => a cancelled: cancelled; b succeeded: done; \
                       c failed: total timeout; run failed: by c",
    );
}

#[test]
fn a_failure_is_not_tried_again_when_the_run_ends_meanwhile_and_a_result_stands() {
    check(
        "a: tries=3\nb: tries=3\nc",
        "submit            => start a1; start b1; start c1
         deliver a         => abort a: delivered
         deliver b failure => abort b: delivered
         fail c never      => c failed: attempts
         aborted a         => a succeeded: done
         aborted b         => b cancelled: run failed by c; run failed: by c",
    );
}

/// The run may be over, or the task cancelled, before the attempt has ended.
#[test]
fn what_an_overtaken_attempt_comes_to_does_not_count_whatever_stops_it() {
    check(
        "run: deadline=500\na\nb: tries=2",
        "submit            => start a1 until 500; start b1 until 500
         deliver a failure => abort a: delivered
         deliver b failure => abort b: delivered
         cancel a          =>
         at 500            =>
         done a            => a cancelled: cancelled
         done b            => b cancelled: run deadline; run failed: deadline",
    );
}

#[test]
fn what_was_delivered_is_kept_when_the_engine_was_gone() {
    check(
        "a\nb: tries=2",
        "submit            => start a1; start b1
         deliver a & deliver b failure => abort a: delivered; abort b: delivered
         later 5000 & recover => abort a: delivered; abort b: delivered
         aborted a & aborted b => a succeeded: done; retry b at 5100
         at 5100           => start b2
         done b            => b succeeded: done; run succeeded: completed",
    );
}
