//! What is asked again after the engine was gone.

use super::check;

#[test]
fn attempts_that_ran_begin_anew_under_their_number_and_with_all_their_time() {
    check(
        "a: tries=2\nb <- a",
        "submit               => start a1
         later 900 & recover  => start a1
         at 1899              =>
         at 1900              => abort a: attempt timeout
         aborted a            => retry a at 2000: attempt
         at 2000              => start a2
         done a               => a succeeded: done; start b1
         recover              => start b1
         done b               => b succeeded: done; run succeeded: completed",
    );
}

#[test]
fn what_goes_on_at_an_agent_is_asked_after_and_not_begun_again() {
    check(
        "a",
        "submit               => start a1
         pending a 400        =>
         later 5000 & recover =>
         at 5000              => start a1 resume
         later 5100 & recover => start a1 resume
         pending a 100        =>
         at 5200              => start a1 resume until 6100
         done a               => a succeeded: done; run succeeded: completed",
    );
}

#[test]
fn the_time_the_engine_was_gone_does_not_count_in_line_but_towards_the_total() {
    check(
        "run: slots=1\na: priority=9\nb: queue=300\nc: total=500, skip",
        "submit              => start a1
         at 200              =>
         later 1200 & recover => start a1
         at 1200             => c failed: total timeout
         at 1299             =>
         at 1300             => b failed: queue timeout; abort a: run failed
         aborted a           => a cancelled: run failed by b; run failed: by b",
    );
}

#[test]
fn what_was_being_stopped_is_stopped_again() {
    check(
        "a\nb",
        "submit    => start a1; start b1
         cancel a  => abort a: cancelled
         recover   => abort a: cancelled; start b1
         aborted a => a cancelled: cancelled
         done b    => b succeeded: done; run succeeded: completed",
    );
}

#[test]
fn scores_decisions_and_questions_are_asked_for_again() {
    check(
        "run: ask\na: decide\nb: person\nc",
        "submit       => decide a; ask b; score c
         recover      => decide a; ask b; score c
         scored 1     => start c1
         decide a run => score a
         recover      => ask b; start c1; score a
         scored 1     => start a1
         answer b yes => b succeeded: done
         done a c     => a succeeded: done; c succeeded: done; run succeeded: completed
         recover      =>",
    );
}

#[test]
fn a_back_off_a_pause_and_held_tasks_stay_as_they_are() {
    check(
        "run: hold\na: tries=2\nb <- a",
        "submit     => start a1
         add c <- d => held c: missing d
         fail a     => retry a at 100
         pause      =>
         recover    =>
         at 100     =>
         resume     => start a2
         done a     => a succeeded: done; start b1
         done b     => b succeeded: done; rejected c: missing d; run succeeded: completed",
    );
}
