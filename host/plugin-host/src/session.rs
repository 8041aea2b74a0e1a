//! A *session* is an instance of a plugin and the call it is made for: opened
//! under the call's limits, called, and judged when something goes wrong.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};
use wasmtime::component::{ComponentExportIndex, ComponentNamedList, Instance, Lift, Lower};
use wasmtime::{PoolConcurrencyLimitError, Store};

use crate::call::CallContext;
use crate::contract::Failure;
use crate::error::{CallError, FaultKind};
use crate::fault::{Circumstances, Exceeded, Phase};
use crate::limits::{LimitKind, Limits};
use crate::meter::Stopwatch;
use crate::observer::{Consumed, Observer};
use crate::plugin::{Function, Plugin};
use crate::room::Place;
use crate::store::State;

/// An instance and its current call.
pub(crate) struct Session {
    store: Store<State>,
    instance: Instance,
    /// The tier the instance lives in, which is where its exports are looked up.
    tier: usize,
    call: Call,
    _place: Place,
}

/// What a call is bounded by.
struct Call {
    plugin: Plugin,
    function: Function,
    limits: Limits,
    watch: Arc<Stopwatch>,
    begun: Instant,
    /// Who is to be told what it has used; none once that is done.
    observer: Option<Arc<dyn Observer>>,
}

impl Session {
    /// Makes an instance for one call. Making it counts against the call.
    pub(crate) async fn open(
        plugin: &Plugin,
        function: Function,
        cx: &CallContext,
    ) -> Result<Self, CallError> {
        let mut state = State::new(plugin, cx);
        state.voice.begin(plugin.name(), cx.limits.log, cx.observer.as_ref());
        let call = Call {
            plugin: plugin.clone(),
            function,
            limits: cx.limits,
            watch: Arc::clone(&state.watch),
            begun: Instant::now(),
            observer: cx.observer.clone(),
        };
        let place = match call.bound(plugin.place()).await {
            Ok(place) => place,
            Err(exceeded) => return Err(call.fault(&state, exceeded.into())),
        };
        let mut reason = String::new();
        for tier in 0..plugin.tiers() {
            let loaded = match plugin.loaded(tier) {
                Ok(loaded) => loaded,
                Err(why) => {
                    why.clone_into(&mut reason);
                    continue;
                }
            };
            let mut store = state.into_store(loaded.engine());
            // Boxed: large, and gone when the call that keeps this future begins.
            let instantiate = Box::pin(loaded.pre.instantiate_async(&mut store));
            match call.bound(instantiate).await {
                Ok(Ok(instance)) => {
                    return Ok(Self { store, instance, tier, call, _place: place });
                }
                Ok(Err(error)) if error.is::<PoolConcurrencyLimitError>() => {
                    reason = error.root_cause().to_string();
                    state = store.into_data();
                }
                Ok(Err(error)) => return Err(call.judge(Phase::Instantiate, store.data(), &error)),
                Err(exceeded) => return Err(call.fault(store.data(), exceeded.into())),
            }
        }
        Err(call.fault(&state, FaultKind::Host(reason)))
    }

    /// Begins another call of an instance that stays.
    pub(crate) fn renew(&mut self, function: Function, cx: &CallContext) {
        self.account();
        State::renew(&mut self.store, cx);
        let state = self.store.data();
        state.voice.begin(self.call.plugin.name(), cx.limits.log, cx.observer.as_ref());
        self.call.function = function;
        self.call.limits = cx.limits;
        self.call.watch = Arc::clone(&state.watch);
        self.call.begun = Instant::now();
        self.call.observer.clone_from(&cx.observer);
    }

    /// Says what the call has used, unless that is done.
    fn account(&mut self) {
        let Some(observer) = self.call.observer.take() else { return };
        let state = self.store.data();
        let (requests, network) = state.traffic();
        observer.consumed(&Consumed {
            // What is left cannot be had only where fuel is not counted.
            fuel: self.call.limits.fuel.saturating_sub(self.store.get_fuel().unwrap_or_default()),
            memory: state.memory.used(),
            cpu_time: self.call.watch.spent().as_micros() as u64,
            network,
            requests,
        });
    }

    /// Calls the function the session was opened for. After an error the
    /// instance must not be used again.
    pub(crate) async fn call<P, R>(&mut self, parameters: P) -> Result<R, CallError>
    where
        P: ComponentNamedList + Lower,
        R: ComponentNamedList + Lift + 'static,
    {
        let export = self.export();
        let function = match self.instance.get_typed_func::<P, R>(&mut self.store, &export) {
            Ok(function) => function,
            Err(error) => return Err(self.call.judge(Phase::Call, self.store.data(), &error)),
        };
        let called = self.call.bound(function.call_async(&mut self.store, parameters)).await;
        match called {
            Ok(Ok(returned)) => Ok(returned),
            Ok(Err(error)) => Err(self.call.judge(Phase::Call, self.store.data(), &error)),
            Err(exceeded) => Err(self.call.fault(self.store.data(), exceeded.into())),
        }
    }

    /// Ends a call that returned `size` bytes; an error if it used more of
    /// something than it was given, whatever the guest made of that.
    pub(crate) fn end(&mut self, size: usize) -> Result<(), CallError> {
        let (used, allowed) = (size as u64, self.call.limits.output);
        if used > allowed {
            let exceeded = Exceeded { limit: LimitKind::Output, allowed, used };
            return Err(self.call.fault(self.store.data(), exceeded.into()));
        }
        let state = self.store.data();
        let report = state.egress_report();
        state.voice.end(&report.denials);
        self.account();
        match report.overrun {
            Some(overrun) => Err(self.call.fault(self.store.data(), overrun.into())),
            None => Ok(()),
        }
    }

    /// A call that ended as it should, except that the plugin says it failed: a
    /// fault if it was refused something.
    pub(crate) fn failed(&mut self, mut failure: Failure) -> CallError {
        let mut circumstances = self.call.circumstances(Phase::Call, self.store.data());
        match circumstances.refusal() {
            Some(refusal) => circumstances.fault(refusal, String::new()),
            None => {
                if let Some(problem) = failure.problem_mut() {
                    problem.network = circumstances.egress.broken.take();
                }
                CallError::Failed(failure)
            }
        }
    }

    /// What the guest returned breaks its contract.
    pub(crate) fn broken(&mut self, what: String) -> CallError {
        self.call.fault(self.store.data(), FaultKind::Contract(what))
    }

    fn export(&self) -> ComponentExportIndex {
        let loaded = self.call.plugin.loaded(self.tier).expect("an instance of it exists");
        loaded.export(self.call.function)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.account();
    }
}

impl Call {
    /// Runs the guest: within the time limit, the stopwatch on while it has the
    /// thread, the ticker awake.
    async fn bound<F: Future>(&self, future: F) -> Result<F::Output, Exceeded> {
        let mut future = pin!(future);
        let timed = poll_fn(|context| {
            self.plugin.runtime().touch();
            self.watch.start();
            let poll = future.as_mut().poll(context);
            self.watch.stop();
            poll
        });
        let time = Duration::from_millis(self.limits.time);
        // Past the end of time: no deadline at all.
        let Some(deadline) = self.begun.checked_add(time) else { return Ok(timed.await) };
        timeout_at(deadline, timed).await.map_err(|_| Exceeded {
            limit: LimitKind::Time,
            allowed: self.limits.time,
            used: self.begun.elapsed().as_millis() as u64,
        })
    }

    fn judge(&self, phase: Phase, state: &State, error: &wasmtime::Error) -> CallError {
        self.circumstances(phase, state).judge(error)
    }

    fn fault(&self, state: &State, kind: FaultKind) -> CallError {
        self.circumstances(Phase::Call, state).fault(kind, String::new())
    }

    fn circumstances(&self, phase: Phase, state: &State) -> Circumstances<'_> {
        let egress = state.egress_report();
        Circumstances {
            plugin: self.plugin.name(),
            digest: self.plugin.digest(),
            function: self.function.name(),
            phase,
            limits: &self.limits,
            stderr: state.voice.end(&egress.denials),
            egress,
        }
    }
}

#[cfg(test)]
mod tests;
