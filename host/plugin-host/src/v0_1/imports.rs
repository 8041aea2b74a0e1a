//! `consort:host` 0.1: what the guest may call.

use wasmtime::Result;
use wasmtime::component::{HasSelf, Linker};

use super::bindings::consort::host::logging::Level as WireLevel;
use super::bindings::consort::host::{config, logging, metrics, progress};
use crate::observer::{Level, MetricValue, Progress};
use crate::store::State;

pub(crate) fn add_to_linker(linker: &mut Linker<State>) -> Result<()> {
    logging::add_to_linker::<_, HasSelf<State>>(linker, |state| state)?;
    progress::add_to_linker::<_, HasSelf<State>>(linker, |state| state)?;
    metrics::add_to_linker::<_, HasSelf<State>>(linker, |state| state)?;
    config::add_to_linker::<_, HasSelf<State>>(linker, |state| state)
}

impl logging::Host for State {
    fn log(&mut self, level: WireLevel, message: String) -> Result<()> {
        let level = match level {
            WireLevel::Trace => Level::Trace,
            WireLevel::Debug => Level::Debug,
            WireLevel::Info => Level::Info,
            WireLevel::Warn => Level::Warn,
            WireLevel::Error => Level::Error,
        };
        Ok(self.voice.log(level, &message)?)
    }
}

impl progress::Host for State {
    fn report(&mut self, update: progress::Update) -> Result<()> {
        let progress::Update { fraction, message, partial } = update;
        Ok(self.voice.progress(Progress { fraction, message, partial })?)
    }
}

impl metrics::Host for State {
    fn count(&mut self, name: String, by: u64) -> Result<()> {
        self.voice.metric(&name, MetricValue::Count(by));
        Ok(())
    }

    fn gauge(&mut self, name: String, value: f64) -> Result<()> {
        self.voice.metric(&name, MetricValue::Gauge(value));
        Ok(())
    }

    fn observe(&mut self, name: String, value: f64) -> Result<()> {
        self.voice.metric(&name, MetricValue::Observe(value));
        Ok(())
    }
}

impl config::Host for State {
    fn get(&mut self) -> Result<String> {
        Ok(self.config.to_string())
    }
}
