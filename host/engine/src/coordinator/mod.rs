//! A *coordinator* is how a Rust program embeds Consort: an open run, to which
//! tasks come while it goes on, and from which results, events and failures come
//! back.
//!
//! ```no_run
//! # async fn example(engine: consort_engine::Engine) -> Result<(), Box<dyn std::error::Error>> {
//! use consort_engine::Coordinator;
//! use serde_json::json;
//!
//! let coordinator = Coordinator::open(&engine, Default::default()).await.map_err(|p| p[0].to_string())?;
//! let tasks = coordinator
//!     .submit_tasks(vec![
//!         json!({"task_id": "research", "description": "Research topic"}),
//!         json!({"task_id": "analysis", "description": "Analyze findings", "depends_on": ["research"]}),
//!     ])
//!     .await?;
//! let analysis = tasks[1].result().await?;
//! let report = coordinator.finish().await?;
//! # Ok(()) }
//! ```
//!
//! The run ends when it is closed, by [`Coordinator::finish`], and its last task
//! is finished; before that when it is cancelled, out of time or budget, or a task
//! fails whose `on_failure` is `fail`. Unless tasks or the workflow say so, a
//! failure only means that those that depend on it are skipped, since other tasks
//! of a run that goes on for ever have nothing to do with it.
//!
//! A coordinator with a [`Store`] is durable: what was accepted is on disk, and
//! [`Coordinator::resume`] goes on where an earlier process was. `consort resume`
//! does so as well, and closes the run: it goes on with the tasks there are.
//!
//! * `opening`: what a coordinator is made of.
//! * `submission`: tasks come in.
//! * `handle`: one of them.
//! * `conflict`: what does not fit, and what to do about it.
//! * `subscription`: what happens, told to whoever wants to hear it.

mod conflict;
mod handle;
mod opening;
mod submission;
mod subscription;

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use consort_plugin_host::Payload;
use consort_store::Store;
use serde_json::Map;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

pub use conflict::{DependencyConflict, Resolution, TaskConflict};
pub use handle::TaskHandle;
pub use opening::Opening;
pub use submission::{ExecuteError, SubmitError};
pub use subscription::{Happening, Missed, Subscription};

use crate::cast::Cast;
use crate::control::{Consequence, ControlError, RunControl, TaskStatus};
use crate::error::TaskError;
use crate::report::Report;
use crate::run::{Interrupted, ResumeError, Run, RunProgress};
use crate::setup::Engine;
use subscription::Hub;

/// A live run to which tasks come. Cheap to clone.
///
/// When the last clone and the last [`TaskHandle`] are dropped before the run is
/// closed, a durable run is left as it is, to be resumed, and one in memory is
/// cancelled: nobody could hear what came of it.
#[derive(Clone)]
pub struct Coordinator {
    live: Arc<Live>,
}

/// How a run has ended, once it has.
type Ended = Option<Result<Arc<Report>, Arc<Interrupted>>>;

/// What a coordinator and its handles share.
pub(crate) struct Live {
    run_id: Arc<str>,
    control: RunControl,
    cast: Arc<Cast>,
    hub: Weak<Hub>,
    ended: watch::Receiver<Ended>,
    /// Nothing comes from outside any more.
    closed: AtomicBool,
    /// Cancels the run.
    stop: CancellationToken,
    /// Leaves the run as it is.
    leave: CancellationToken,
    durable: bool,
}

impl Drop for Live {
    fn drop(&mut self) {
        match (self.closed.load(Ordering::Relaxed), self.durable) {
            (true, _) => {}
            (false, true) => self.leave.cancel(),
            (false, false) => self.stop.cancel(),
        }
    }
}

impl Live {
    /// What came of the run; waits for it.
    async fn ending(&self) -> Result<Arc<Report>, Arc<Interrupted>> {
        let mut ended = self.ended.clone();
        match ended.wait_for(Option::is_some).await {
            Ok(ended) => ended.clone().expect("it has been waited for"),
            // The task that tells it panicked with the run.
            Err(_) => Err(Arc::new(Interrupted::lost(self.run_id.clone()))),
        }
    }
}

impl fmt::Debug for Coordinator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Coordinator").field("run", &self.live.run_id).finish_non_exhaustive()
    }
}

impl Coordinator {
    /// Begins a run, which need not have any tasks. Needs a tokio runtime with
    /// time enabled.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with the workflow, and every plugin that could not
    /// be loaded.
    pub async fn open(
        engine: &Engine,
        opening: Opening,
    ) -> Result<Self, Vec<consort_core::problem::Problem>> {
        let durable = opening.store.is_some();
        Ok(Self::begin(opening.prepare(engine).await?, durable))
    }

    /// Goes on with a recorded run that was interrupted, and keeps it open. `run`
    /// may be the unique beginning or end of its id.
    ///
    /// # Errors
    ///
    /// As [`Engine::resume`].
    pub async fn resume(engine: &Engine, store: &Store, run: &str) -> Result<Self, ResumeError> {
        Ok(Self::begin(engine.resume(store, run).await?, true))
    }

    fn begin(mut run: Run, durable: bool) -> Self {
        let (stop, leave) = (CancellationToken::new(), CancellationToken::new());
        run.stay_open();
        run.leave_when(leave.clone());
        let hub = Arc::new(Hub::new());
        let (tell, ended) = watch::channel(None);
        let live = Live {
            run_id: run.id().clone(),
            control: run.control(),
            cast: run.cast().clone(),
            hub: Arc::downgrade(&hub),
            ended,
            closed: AtomicBool::new(false),
            stop: stop.clone(),
            leave,
            durable,
        };
        tokio::spawn(async move {
            let ended = run.execute(Map::new(), hub, stop).await;
            tell.send_replace(Some(ended.map(Arc::new).map_err(Arc::new)));
        });
        Self { live: Arc::new(live) }
    }

    /// The run's id: a UUID of version 7.
    pub fn run_id(&self) -> &Arc<str> {
        &self.live.run_id
    }

    /// All else that can be done to a run: answers, pauses, cancellation.
    pub fn control(&self) -> &RunControl {
        &self.live.control
    }

    /// A handle on the task of that id, such as one that was submitted before the
    /// run was resumed. Whether there is one is seen when it is asked.
    pub fn task(&self, task_id: &str) -> TaskHandle {
        TaskHandle::new(task_id.into(), self.live.clone())
    }

    /// Where a task is; `task[n]` for an item of a fan-out.
    ///
    /// # Errors
    ///
    /// No such task.
    pub async fn status(&self, task_id: &str) -> Result<TaskStatus, ControlError> {
        self.task(task_id).status().await
    }

    /// How far the run is, with the tasks it has so far.
    ///
    /// # Errors
    ///
    /// [`ControlError::Over`]: its report has it.
    pub async fn progress(&self) -> Result<RunProgress, ControlError> {
        self.live.control.progress().await
    }

    /// Completes a task with a result that was worked out elsewhere; see
    /// [`RunControl::process_result`].
    ///
    /// # Errors
    ///
    /// No such task, one that takes no result, or JSON that is none.
    pub async fn process_result(
        &self,
        task_id: &str,
        result: Payload,
    ) -> Result<Consequence, ControlError> {
        self.live.control.process_result(task_id, result).await
    }

    /// Fails the attempt at a task for a reason that was found elsewhere, and says
    /// what was decided; see [`RunControl::handle_task_failure`].
    ///
    /// # Errors
    ///
    /// No such task, or one that takes no failure.
    pub async fn handle_task_failure(
        &self,
        task_id: &str,
        error: TaskError,
        retryable: bool,
    ) -> Result<Consequence, ControlError> {
        self.live.control.handle_task_failure(task_id, error, retryable).await
    }

    /// Hears what happens from now on; see [`Subscription`].
    pub fn subscribe(&self) -> Subscription {
        Subscription::to(self.live.hub.upgrade())
    }

    /// Lets no more tasks come. The run ends with those it has, whether anybody
    /// waits for it or not.
    pub async fn close(&self) {
        self.live.closed.store(true, Ordering::Relaxed);
        // A run that is over is closed.
        let _ = self.live.control.close().await;
    }

    /// Closes the run, waits for its last task, and says what came of them all.
    ///
    /// # Errors
    ///
    /// The run was interrupted, since the store failed or it was suspended.
    pub async fn finish(&self) -> Result<Arc<Report>, Arc<Interrupted>> {
        self.close().await;
        self.live.ending().await
    }

    /// Leaves a durable run as it is, as if the process had died, so that it can
    /// be resumed here or elsewhere: what runs is stopped, and nothing of that is
    /// recorded. A run in memory is gone. Returns when the run is no longer in
    /// use.
    pub async fn suspend(&self) {
        self.live.leave.cancel();
        let _ = self.live.ending().await;
    }
}
