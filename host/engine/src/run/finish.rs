//! What a *finished* task leaves behind, and what the whole run does.

use std::num::NonZeroI64;
use std::sync::PoisonError;
use std::time::Duration;

use consort_core::graph::TaskIx;
use consort_core::plan::{Edge, Work};
use consort_core::scheduler::{Reason, Status};
use consort_plugin_host::Consumed;

use super::{Conductor, Ended};
use crate::job::TaskRef;
use crate::notice::Topic;
use crate::output::Output;
use crate::policy::Policy;
use crate::record::{Record, Source};
use crate::report::{Metrics, Report, ResourceReport, TaskReport};
use crate::watch::RunEvent;

impl Conductor {
    pub(super) fn finish(&mut self, task: TaskIx, status: Status, reason: Reason) {
        let now = self.now;
        self.take_delivered(task);
        let earlier = self.records[task.index()].error.take();
        let live = self.records[task.index()].live.take();
        let agents = live.map(|live| live.earlier).unwrap_or_default();
        let error = self.end_error(task, status, reason, earlier);
        let error = error.map(|error| Box::new(error.blaming(agents)));
        let result = if status == Status::Succeeded { self.gathered_result(task) } else { None };
        let parent = self.nodes.item(task).map(|(parent, ..)| parent);
        self.kept += result.as_ref().map_or(0, Output::held);
        let record = &mut self.records[task.index()];
        record.result = result.or(record.result.take());
        record.error = error;
        record.status = Some(status);
        record.finished = NonZeroI64::new(now);
        self.stage.tell(&RunEvent::TaskFinished {
            task: self.nodes.id(task, &self.stage.plan),
            status,
            error: record.error.clone(),
            cached: record.source == Source::Cache,
            reused: record.source == Source::Earlier,
            elapsed: Duration::from_millis(record.elapsed(now)),
        });
        if status == Status::Failed {
            self.note(Topic::TaskFailed, Some(task), |_| None);
        }
        self.tell_those_who_wait(task, status);
        if let Some(parent) = parent {
            self.nodes.finish_item(parent);
        }
    }

    /// The result of a task that others did: of a collaborative task its steps'
    /// results by name, of a fan-out the list of its items'.
    fn gathered_result(&self, task: TaskIx) -> Option<Output> {
        if let Some(fanned) = self.nodes.fanned_out(task) {
            let result = |item: TaskIx| self.records[item.index()].result.as_ref();
            return Some(Output::list(|| fanned.items().map(result)));
        }
        if self.nodes.look(task, self.plan()).work != Work::Join {
            return None;
        }
        Some(match self.nodes.task(task) {
            TaskRef::Planned(task) => {
                let edges = &self.plan().task(task).dependencies;
                self.object(edges.iter().map(|edge| (edge, Some(edge.task))))
            }
            TaskRef::Added(draft) => {
                let edges = draft.task.dependencies.iter().zip(&draft.waits_for);
                self.object(edges.map(|(edge, name)| (edge, self.nodes.named(name))))
            }
        })
    }

    /// Results in a JSON object, by the names of their edges.
    fn object<'a>(&self, edges: impl Iterator<Item = (&'a Edge, Option<TaskIx>)>) -> Output {
        let result = |task: TaskIx| self.records[task.index()].result.as_ref();
        Output::object(edges.filter_map(|(edge, task)| Some((&edge.name, result(task?)?))))
    }

    /// What came of the run, if it is over.
    pub(crate) fn into_report(self) -> Option<Report> {
        let ended = self.ended?;
        Some(self.report(ended))
    }

    pub(super) fn report(mut self, Ended { status, reason, .. }: Ended) -> Report {
        let millis = self.elapsed();
        let reason = self.run_error(reason);
        let mut metrics = Metrics::default();
        self.measure(&mut metrics);
        let mut records = std::mem::take(&mut self.records);
        let stage = self.stage.clone();
        let plan = &stage.plan;
        metrics.duration_ms = millis;
        metrics.longest_chain =
            plan.graph.depths(&plan.order).into_iter().max().map_or(0, |depth| depth + 1);
        metrics.usage = self.spent;
        metrics.notifications = self.notices.metrics();
        let mut tasks = Vec::with_capacity(records.len());
        let planned = (0..plan.tasks.len() as u32).map(TaskIx);
        for task in planned.chain(self.nodes.added()) {
            let items = self.nodes.fanned_out(task).into_iter().flat_map(|fanned| fanned.items());
            for node in std::iter::once(task).chain(items) {
                let record = std::mem::take(&mut records[node.index()]);
                tasks.push(self.task_report(node, record, &mut metrics));
            }
        }
        metrics.policy = self.policy.map(Policy::into_metrics).unwrap_or_default();
        let plugins = &mut *stage.metrics.lock().unwrap_or_else(PoisonError::into_inner);
        metrics.plugins = std::mem::take(plugins);
        Report {
            run_id: stage.run_id.clone(),
            name: plan.name.clone(),
            status,
            reason,
            tasks,
            not_added: self.additions.not_added,
            metrics,
        }
    }

    fn task_report(&self, task: TaskIx, record: Record, metrics: &mut Metrics) -> TaskReport {
        let status = record.status.unwrap_or(Status::Cancelled);
        *metrics.tasks.entry(status.as_str()).or_default() += 1;
        metrics.attempts += record.attempts;
        let (cached, reused) = (record.source == Source::Cache, record.source == Source::Earlier);
        metrics.cached += u32::from(cached);
        metrics.reused += u32::from(reused);
        let time = |at: Option<NonZeroI64>| {
            at.and_then(|at| jiff::Timestamp::from_millisecond(at.get()).ok())
        };
        let items = self.nodes.fanned_out(task).map(|fanned| fanned.items().len() as u32);
        TaskReport {
            id: self.id(task),
            status,
            attempts: record.attempts,
            agent: record.agent.map(|agent| self.agent_name(agent).clone()),
            output: record.result,
            error: record.error.map(|error| *error),
            started: time(record.started),
            finished: time(record.finished),
            usage: record.usage.map(|usage| *usage),
            resources: (record.consumed != Consumed::default())
                .then(|| ResourceReport::new(&record.consumed)),
            queued_ms: record.queued,
            items: items.filter(|items| *items > 0 || status == Status::Succeeded),
            cached,
            reused,
            labels: self.nodes.look(task, &self.stage.plan).settings.labels.clone(),
        }
    }
}
