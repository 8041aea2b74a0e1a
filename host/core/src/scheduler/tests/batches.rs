//! Similar tasks that are started together.

use super::check;

#[test]
fn what_is_ready_together_starts_together_and_holds_the_room_of_one() {
    check(
        "run: batch=4/0, slots=1, agents=1+1\na: batch\nb: batch\nc: batch\nd: agents=1",
        "submit => start together a b c
         done a => a succeeded: done
         done c => c succeeded: done
         done b => b succeeded: done; start d1
         done d => d succeeded: done; run succeeded: completed",
    );
}

#[test]
fn the_best_go_first_as_many_as_fit() {
    check(
        "run: batch=2/0, slots=1\na: batch\nb: batch, priority=8\nc: batch, priority=9\nd: priority=7",
        "submit   => start together c b
         done b c => b succeeded: done; c succeeded: done; start d1
         done d   => d succeeded: done; start a1
         done a   => a succeeded: done; run succeeded: completed",
    );
}

#[test]
fn only_similar_tasks_are_started_together() {
    check(
        "run: batch=9/0\na: batch\nb: batch, kind=1\nc: batch, needs=2\nd: batch, agents=1\ne\n\
         f: batch, kind=1\ng: batch",
        "submit               => start together a g; start together b f; start c1; start d1; start e1
         done a b c d e f g   => a succeeded: done; b succeeded: done; c succeeded: done; \
                                 d succeeded: done; e succeeded: done; f succeeded: done; \
                                 g succeeded: done; run succeeded: completed",
    );
}

#[test]
fn a_group_waits_until_it_is_full() {
    check(
        "run: batch=2/500\na: batch\nx: agents=1\nb <- x: batch",
        "submit => start x1
         at 100 =>
         done x => x succeeded: done; start together a b
         done a b => a succeeded: done; b succeeded: done; run succeeded: completed",
    );
}

#[test]
fn or_until_the_one_that_came_first_has_waited_long_enough() {
    check(
        "run: batch=9/500\na: batch\nx: agents=1\ny: agents=1\nb <- x: batch\nc <- y: batch",
        "submit      => start x1; start y1
         later 400 & done x => x succeeded: done
         at 499      =>
         at 500      => start together a b
         later 600 & done y => y succeeded: done
         at 1099     =>
         at 1100     => start c1
         done a b c  => a succeeded: done; b succeeded: done; c succeeded: done; \
                        run succeeded: completed",
    );
}

#[test]
fn the_wait_begins_anew_when_the_one_that_came_first_is_gone() {
    check(
        "run: batch=9/500\na: batch, skip\nx: agents=1\nb <- x: batch",
        "submit      => start x1
         later 400 & done x => x succeeded: done
         cancel a    => a cancelled: cancelled
         at 500      =>
         at 899      =>
         at 900      => start b1
         done b      => b succeeded: done; run succeeded: completed",
    );
}

#[test]
fn a_group_that_waits_holds_up_nobody_and_no_slots() {
    check(
        "run: batch=9/500, slots=1\na: batch, priority=9, needs=1\nb: priority=1",
        "submit => start b1
         done b => b succeeded: done
         at 500 => start a1
         done a => a succeeded: done; run succeeded: completed",
    );
}

#[test]
fn one_that_fails_fails_alone_and_is_tried_again_alone() {
    check(
        "run: batch=9/0\na: batch, tries=2, backoff=none\nb: batch, tries=2, backoff=none\nc: batch",
        "submit         => start together a b c
         fail a & fail b => retry a at 0; retry b at 0; start a2; start b2
         done c         => c succeeded: done
         done a b       => a succeeded: done; b succeeded: done; run succeeded: completed",
    );
}

#[test]
fn a_member_is_cancelled_alone_and_times_out_alone() {
    check(
        "run: batch=9/0, slots=1\na: batch, attempt=300, skip\nb: batch, attempt=2000\nc: batch, skip\n\
         d: priority=1",
        "submit    => start together a until 300 b until 2000 c
         cancel c  => abort c: cancelled
         aborted c => c cancelled: cancelled
         at 300    => abort a: attempt timeout
         aborted a => a failed: attempt timeout
         done b    => b succeeded: done; start d1
         done d    => d succeeded: done; run succeeded: completed",
    );
}

#[test]
fn a_member_that_works_elsewhere_leaves_and_goes_on_by_itself() {
    check(
        "run: batch=9/0, slots=1\na: batch\nb: batch\nc: priority=1",
        "submit         => start together a b
         pending a 200  =>
         done b         => b succeeded: done; start c1
         at 200         =>
         done c         => c succeeded: done; start a1 resume until 1000
         done a         => a succeeded: done; run succeeded: completed",
    );
}

#[test]
fn a_group_takes_one_of_the_rate() {
    check(
        "run: batch=2/0, rate=1/1000/1\na: batch\nb: batch\nc: batch\nd: batch",
        "submit   => start together a b
         done a b => a succeeded: done; b succeeded: done
         at 1000  => start together c d
         done c d => c succeeded: done; d succeeded: done; run succeeded: completed",
    );
}

#[test]
fn items_are_started_together() {
    check(
        "run: batch=2/0\na: decide, batch",
        "submit           => decide a
         decide a 3       => fan out a 3; start together a.0 a.1; start a.21
         done a.0 a.1 a.2 => a.0 succeeded: done; a.1 succeeded: done; a.2 succeeded: done; \
                             a succeeded: done; run succeeded: completed",
    );
}

#[test]
fn the_end_of_a_run_ends_every_member() {
    check(
        "run: batch=9/0\na: batch\nb: batch\nc: batch",
        "submit              => start together a b c
         fail a never        => a failed: attempts; abort b: run failed; abort c: run failed
         aborted b & done c  => b cancelled: run failed by a; c succeeded: done; run failed: by a",
    );
}

#[test]
fn a_paused_run_starts_no_group() {
    check(
        "run: batch=9/100\na: batch\nb: batch",
        "submit   =>
         pause    =>
         at 100   =>
         resume   => start together a b
         done a b => a succeeded: done; b succeeded: done; run succeeded: completed",
    );
}
