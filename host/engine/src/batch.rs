//! A *batch* is one call of an adapter that is made for several attempts.
//!
//! Each attempt works by itself up to its call and after it: it fills in its own
//! texts, looks in the cache, passes the answer through its own transformers, and
//! may be stopped at any time. For the call it has a *seat* at a *table*. It
//! takes the seat with what is to be called, or gives it up, and when all seats
//! are taken or given up the call is made for those that are there.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use consort_core::scheduler::Retry;
use consort_plugin_host::{
    CallContext, CallError, Consumed, Invocation, Level, Metric, Observer, Progress, Step,
};
use tokio::sync::oneshot;

use crate::error::{Failed, TaskError};
use crate::job::Job;
use crate::message::lost;
use crate::stage::{Pulse, Stage};
use crate::tally::share;

/// A table with so many seats.
pub(crate) fn table(seats: usize) -> Vec<Seat> {
    let table = Arc::new(Mutex::new(Table { empty: seats, guests: Vec::new() }));
    (0..seats).map(|_| Seat { table: table.clone(), left: false }).collect()
}

/// A place in a call; given up when it is dropped.
pub(crate) struct Seat {
    table: Arc<Mutex<Table>>,
    left: bool,
}

struct Table {
    /// Seats that are neither taken nor given up.
    empty: usize,
    guests: Vec<Guest>,
}

/// An attempt that waits for its answer.
struct Guest {
    stage: Arc<Stage>,
    /// By the cast's numbers.
    agent: u32,
    invocation: Invocation,
    cx: CallContext,
    pulse: Option<Arc<Pulse>>,
    answer: oneshot::Sender<Result<Step, Failed>>,
}

impl Seat {
    /// Makes the call together with the others, and waits for its answer.
    pub(crate) async fn call(
        mut self,
        job: &Job,
        agent: u32,
        invocation: Invocation,
    ) -> Result<Step, Failed> {
        let stage = job.stage.clone();
        let used = &stage.cast.agents[agent as usize];
        let observer = job.observer(used.adapter.plugin().name());
        let cx = stage.cast.agent_call(used, job.task(), observer);
        let (answer, answered) = oneshot::channel();
        let pulse = job.pulse.clone();
        let guest = Guest { stage: stage.clone(), agent, invocation, cx, pulse, answer };
        self.leave(Some(guest));
        answered.await.unwrap_or_else(|_| Err((lost(), Retry::Never)))
    }

    /// Takes the seat, or gives it up. Whoever is last has the calls made, apart
    /// from itself: it may be stopped, and the others still want their answers.
    fn leave(&mut self, guest: Option<Guest>) {
        if std::mem::replace(&mut self.left, true) {
            return;
        }
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        table.empty -= 1;
        table.guests.extend(guest);
        if table.empty > 0 {
            return;
        }
        // Where a task says itself where its agent is, the call may reach other
        // places and carry other secrets; such are not mixed.
        let mut parties: BTreeMap<Option<Arc<str>>, Vec<Guest>> = BTreeMap::new();
        for guest in table.guests.drain(..) {
            parties.entry(guest.invocation.endpoint.clone()).or_default().push(guest);
        }
        for party in parties.into_values() {
            tokio::spawn(serve(party));
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.leave(None);
    }
}

/// Makes the call for those who still wait, as long as one of them does.
async fn serve(mut party: Vec<Guest>) {
    party.retain(|guest| !guest.answer.is_closed());
    let (mut answers, mut calls) = (Vec::new(), Vec::new());
    for Guest { stage, agent, invocation, cx, pulse, answer } in party {
        answers.push(answer);
        calls.push(Call { stage, agent, invocation, cx, pulse });
    }
    let leaving = answers.iter_mut().map(|answer| Box::pin(answer.closed()));
    let results = tokio::select! {
        biased;
        results = call(calls) => results,
        _ = futures::future::join_all(leaving) => return,
    };
    for (answer, result) in answers.into_iter().zip(results) {
        // Whoever has left does not want it.
        let _ = answer.send(result);
    }
}

/// What a guest wants called.
struct Call {
    stage: Arc<Stage>,
    agent: u32,
    invocation: Invocation,
    cx: CallContext,
    pulse: Option<Arc<Pulse>>,
}

/// One answer for each of the calls, in their order.
async fn call(calls: Vec<Call>) -> Vec<Result<Step, Failed>> {
    let Some(first) = calls.first() else { return Vec::new() };
    let (stage, agent) = (first.stage.clone(), first.agent as usize);
    let adapter = &stage.cast.agents[agent].adapter;
    let plugin = adapter.plugin();
    if let [Call { invocation, cx, .. }] = &calls[..] {
        let step = adapter.start(invocation, cx).await;
        return vec![step.map_err(|error| TaskError::from_call(error, plugin, "start"))];
    }
    let cx = CallContext {
        limits: stage.cast.together(calls.iter().map(|call| call.cx.limits)),
        observer: Some(Arc::new(Ears {
            all: calls.iter().filter_map(|call| call.cx.observer.clone()).collect(),
            pulses: calls.iter().filter_map(|call| call.pulse.clone()).collect(),
        })),
        ..first.cx.clone()
    };
    let count = calls.len();
    let invocations: Vec<Invocation> = calls.into_iter().map(|call| call.invocation).collect();
    let failed = |error: CallError| {
        let fault = matches!(error, CallError::Fault(_));
        let (error, retry) = TaskError::from_call(error, plugin, "start-batch");
        // It may have been another task of the batch that is to blame.
        let retry = if fault && retry == Retry::Never { Retry::Yes } else { retry };
        (error, retry)
    };
    match adapter.start_batch(&invocations, &cx).await {
        Ok(answers) => answers.into_iter().map(|answer| answer.map_err(failed)).collect(),
        Err(error) => {
            let failed = failed(error);
            (0..count).map(|_| Err(failed.clone())).collect()
        }
    }
}

/// Hears a call that is made for several: each hears how far it is, but what is
/// said and counted is passed on once, for the first of them.
struct Ears {
    all: Vec<Arc<dyn Observer>>,
    pulses: Vec<Arc<Pulse>>,
}

impl Observer for Ears {
    fn log(&self, level: Level, message: &str) {
        self.pulses.iter().for_each(|pulse| pulse.beat());
        if let Some(first) = self.all.first() {
            first.log(level, message);
        }
    }

    fn progress(&self, mut update: Progress) {
        for ear in &self.all {
            ear.progress(update.clone());
            update.partial = None;
        }
    }

    fn consumed(&self, used: &Consumed) {
        for (n, ear) in self.all.iter().enumerate() {
            ear.consumed(&share(used, self.all.len() as u64, n == 0));
        }
    }

    fn metric(&self, metric: Metric) {
        if let Some(first) = self.all.first() {
            first.metric(metric);
        }
    }
}
