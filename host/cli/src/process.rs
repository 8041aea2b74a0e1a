//! What a run asks of the *process* it is in: open files, threads, signals.

use consort_engine::CancellationToken;
use rustix::process::{Resource, getrlimit, setrlimit};

use crate::error::{CommandError, Exit};
use crate::terminal::tell;

/// Lets this process have as many open files, connections among them, as the
/// system allows it anyway. Where that fails, it has what it had.
pub(crate) fn allow_many_files() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    let _ = setrlimit(Resource::Nofile, limit);
}

/// Shows what the host itself has to say, such as that there is no cache.
pub(crate) fn log_to_stderr() {
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::WARN)
        .with_target(false)
        .with_writer(std::io::stderr);
    // Someone who listens already hears the same.
    let _ = subscriber.try_init();
}

/// A tokio runtime with a worker thread for each core.
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime, CommandError> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| CommandError::failed(format!("could not start threads: {error}")))
}

/// From now on the first SIGINT or SIGTERM cancels `stop`, and the second ends
/// the process.
pub(crate) fn obey_signals(runtime: &tokio::runtime::Runtime, stop: CancellationToken) {
    let _entered = runtime.enter();
    let Some(mut signals) = Signals::new() else { return };
    runtime.spawn(async move {
        signals.next().await;
        stop.cancel();
        tell("stopping: running tasks are cancelled; once more ends the process at once");
        signals.next().await;
        std::process::exit(Exit::Interrupted as i32);
    });
}

struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

impl Signals {
    /// None where signals cannot be had; they then end the process as usual.
    fn new() -> Option<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Some(Self {
            interrupt: signal(SignalKind::interrupt()).ok()?,
            terminate: signal(SignalKind::terminate()).ok()?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
