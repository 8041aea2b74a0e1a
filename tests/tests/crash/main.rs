//! The whole program is killed, over and over, and its run comes to the end it
//! would have come to.
//!
//! * `workflow`: what is done.
//! * `trial`: how it is interrupted.
//! * `evidence`: what must hold each time.
//!
//! What is promised: nothing whose result is recorded is asked for again; what
//! is asked for again has the same idempotency key; work that an agent does by
//! itself is begun once, unless the process died before that was recorded.
//!
//! `cargo xtask crash` does it by the hundred.

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails there")]

mod evidence;
mod trial;
mod workflow;

use consort_core::retry::random;
use consort_store::failpoint;

use trial::{Death, Moment, Trial};
use workflow::Workflow;

/// Random numbers of a seed.
struct Dice(u64, u32);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.1 += 1;
        random(self.0, self.1, 0) % sides
    }

    /// Soon, mostly.
    fn moment(&mut self) -> Moment {
        let most = [3, 12, 40][self.roll(3) as usize];
        let progress = 1 + self.roll(most);
        match self.roll(3) {
            0 => Moment::Asked(progress as usize),
            1 => Moment::Answered(progress as usize),
            _ => Moment::Recorded(progress),
        }
    }
}

/// Says how a trial that fails is seen again.
struct Replay(u64);

impl Drop for Replay {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("see it again with: cargo xtask crash --kills 1 --seed {}", self.0);
        }
    }
}

/// Interrupts one run until it ends. Returns how often.
async fn interrupt(seed: u64) -> usize {
    let replay = Replay(seed);
    let mut dice = Dice(random(seed, 1, 0), 0);
    let mut trial = Trial::new(dice.roll(3) as usize).await;
    while !trial.go(Death::Kill(dice.moment())).await {}
    trial.check_end();
    drop(replay);
    trial.deaths
}

/// Goes on with one seed after the other until so many processes were killed.
async fn interrupt_often(kills: usize, first: u64) {
    let (mut seed, mut killed) = (first, 0);
    while killed < kills {
        killed += interrupt(seed).await;
        seed += 1;
    }
    println!("{} runs ended as they should; {killed} processes were killed", seed - first);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_survives_being_killed_at_any_moment() {
    interrupt_often(20, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes: run 'cargo xtask crash'"]
async fn runs_survive_being_killed_by_the_hundred() {
    let number = |name| std::env::var(name).ok().map(|text| text.parse().unwrap());
    let kills = number("CONSORT_CRASH_KILLS").unwrap_or(200);
    let seed = number("CONSORT_CRASH_SEED").unwrap_or(1);
    interrupt_often(kills as usize, seed).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_nobody_interrupts_ends_as_it_should() {
    let mut trial = Trial::new(0).await;
    assert!(trial.go(Death::None).await);
    trial.check_end();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_survives_a_crash_at_any_failpoint() {
    for point in failpoint::ALL {
        let mut trial = Trial::new(0).await;
        for times in [1, 2, 7, 30, 80] {
            if trial.go(Death::Failpoint(point, times)).await {
                break;
            }
        }
        assert!(trial.deaths >= 3, "{point}: it is passed often enough");
        if !trial.is_over() {
            assert!(trial.go(Death::None).await, "{point}");
        }
        trial.check_end();
    }
}

/// The last thing a run does is to stop an agent that goes on by itself, and the
/// process dies before that has answered.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_is_told_to_stop_although_its_run_is_over() {
    let mut trial = Trial::of(Workflow::deaf).await;
    trial.go(Death::Kill(Moment::Stopping)).await;
    assert_eq!(trial.deaths, 1);
    assert!(trial.go(Death::None).await);
    trial.check_end();
    let told: Vec<usize> = trial.server.runs().values().map(|remote| remote.cancels).collect();
    assert_eq!(told, [2]);
}
