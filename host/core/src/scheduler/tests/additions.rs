//! Tasks for the live run.

use super::check;

#[test]
fn an_added_task_waits_for_tasks_of_the_run_and_for_other_additions() {
    check(
        "a",
        "submit                        => start a1
         add y <- x / x <- a / z       => added y; added x; added z; start z1
         done a                        => a succeeded: done; start x1
         add w <- x                    => added w
         done x                        => x succeeded: done; start y1; start w1
         done y w z                    => y succeeded: done; w succeeded: done; z succeeded: done; \
                                          run succeeded: completed",
    );
}

#[test]
fn an_added_task_may_come_as_the_last_one_ends() {
    check(
        "a",
        "submit              => start a1
         add x <- a & done a => added x; a succeeded: done; start x1
         done x & add y <- x => x succeeded: done; added y; start y1
         done y              => y succeeded: done; run succeeded: completed
         add z               => rejected z",
    );
}

#[test]
fn an_added_task_may_have_lost_a_dependency_already() {
    check(
        "a: skip\nb <- a\nc: continue\nd",
        "submit         => start a1; start c1; start d1
         fail a never   => a failed: attempts; b skipped: dependency a
         fail c never   => c failed: attempts
         add x <- a / y <- x / z <- c / w <- b => added x; added y; added z; added w; \
                           x skipped: dependency a; y skipped: dependency a; \
                           w skipped: dependency a; start z1
         done d z       => d succeeded: done; z succeeded: done; run succeeded: completed",
    );
}

#[test]
fn an_added_task_has_all_that_other_tasks_have() {
    check(
        "a",
        "submit                                   => start a1
         add x <- a : decide, width=1, total=2000 => added x
         add p : person, deadline=300, skip       => added p; ask p
         add q <- p                               => added q
         done a                                   => a succeeded: done; decide x
         at 300                                   => p failed: deadline timeout; q skipped: dependency p
         decide x 2                               => fan out x 2; start x.01
         done x.0                                 => x.0 succeeded: done; start x.11
         done x.1                                 => x.1 succeeded: done; x succeeded: done; \
                                                     run succeeded: completed",
    );
}

#[test]
fn a_task_added_to_a_run_that_is_being_stopped_is_cancelled_with_it() {
    check(
        "a",
        "submit     => start a1
         cancel run => abort a: cancelled
         add x      => added x; x cancelled: cancelled
         aborted a  => a cancelled: cancelled; run cancelled: cancelled",
    );
}

#[test]
fn what_does_not_fit_is_rejected_with_all_that_wait_for_it() {
    check(
        "a",
        "submit                    => start a1
         add x <- nope gone / y <- x / z <- a => added z; rejected x: missing nope, missing gone; \
                                      rejected y: missing x
         add p <- q / q <- r / r <- p a / s <- p => rejected p: cycle p -> q -> r -> p; \
                                      rejected q: cycle p -> q -> r -> p; \
                                      rejected r: cycle p -> q -> r -> p; rejected s: missing p
         add t <- t                => rejected t: cycle t -> t
         add z / u / u             => rejected z: duplicate z; rejected u: duplicate u; added u; start u1
         add x <- a                => added x
         cancel run                => abort a: cancelled; z cancelled: cancelled; \
                                      abort u: cancelled; x cancelled: cancelled
         done a u                  => a succeeded: done; u succeeded: done; run cancelled: cancelled",
    );
}

#[test]
fn what_does_not_fit_yet_is_held_until_it_does() {
    check(
        "run: hold\na",
        "submit           => start a1
         add x <- y a / w <- x => held x: missing y; held w: missing x
         add x            => rejected x: duplicate x
         add y <- x       => rejected y: cycle y -> x -> y
         add y <- v       => held y: missing v
         add v            => added x; added w; added y; added v; start v1
         done v           => v succeeded: done; start y1
         add never <- ever => held never: missing ever
         add well <- never => held well: missing never
         done a y         => a succeeded: done; y succeeded: done; start x1
         done x           => x succeeded: done; start w1
         done w           => w succeeded: done; rejected never: missing ever; \
                             rejected well: missing never; run succeeded: completed",
    );
}

#[test]
fn what_does_not_fit_is_admitted_without_the_edge() {
    check(
        "run: admit\na",
        "submit                    => start a1
         add x <- nope a           => added x without missing nope
         add p <- q / q <- p a     => added p; added q without cycle p -> q -> p
         add s <- s                => added s without cycle s -> s; start s1
         add s                     => rejected s: duplicate s
         done a                    => a succeeded: done; start x1; start q1
         done q                    => q succeeded: done; start p1
         done x s p                => x succeeded: done; s succeeded: done; p succeeded: done; \
                                      run succeeded: completed",
    );
}
