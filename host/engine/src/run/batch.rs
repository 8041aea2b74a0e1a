//! What is started *together*.

use consort_core::scheduler::Member;

use super::Conductor;
use super::start::Begun;
use crate::batch;

impl Conductor {
    /// Starts attempts whose calls are made as one, if their adapter takes such;
    /// else they run side by side.
    pub(super) fn start_batch(&mut self, members: &[Member]) {
        let mut begun: Vec<Begun> = members
            .iter()
            .filter_map(|member| self.begin(member.task, 0, 1, false, member.deadline))
            .collect();
        let together = begun.first().is_some_and(|first| first.work.agent().adapter.batches());
        if together {
            let seats = batch::table(begun.len());
            for (begun, seat) in begun.iter_mut().zip(seats) {
                begun.work.seat = Some(seat);
            }
        }
        begun.into_iter().for_each(Begun::spawn);
    }
}
