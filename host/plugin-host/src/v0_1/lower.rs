//! From the plain types to those of the wire. Borrows everything: strings are
//! copied once, into the guest's memory.

use super::bindings::consort::types::values::{BlobParam, PayloadParam};
use super::bindings::exports::consort::agent_adapter::adapter as wire_adapter;
use super::bindings::exports::consort::prioritizer::prioritizer as wire_prioritizer;
use super::bindings::exports::consort::result_transformer::transformer as wire_transformer;
use crate::contract::{Candidate, Invocation, Payload, TransformContext};

pub(super) fn payload(payload: &Payload) -> PayloadParam<'_> {
    match payload {
        Payload::Json(text) => PayloadParam::Json(text),
        Payload::Text(text) => PayloadParam::Text(text),
        Payload::Blob { media_type, data } => PayloadParam::Blob(BlobParam { media_type, data }),
    }
}

pub(super) fn dependencies(call: &Invocation) -> Vec<wire_adapter::Dependency<'_>> {
    call.dependencies
        .iter()
        .map(|dependency| wire_adapter::Dependency {
            name: &dependency.name,
            task: &dependency.task,
            value: payload(&dependency.value),
        })
        .collect()
}

pub(super) fn invocation<'a>(
    call: &'a Invocation,
    dependencies: &'a [wire_adapter::Dependency<'a>],
) -> wire_adapter::Invocation<'a> {
    wire_adapter::Invocation {
        run_id: &call.run_id,
        task_id: &call.task_id,
        task_type: &call.task_type,
        attempt: call.attempt,
        idempotency_key: &call.idempotency_key,
        description: &call.description,
        input: call.input.as_ref().map(payload),
        dependencies,
        metadata: &call.metadata,
        agent: &call.agent,
        endpoint: call.endpoint.as_deref(),
        config: &call.config,
        remaining: u64::try_from(call.remaining.as_millis()).unwrap_or(u64::MAX),
    }
}

pub(super) fn candidate(candidate: &Candidate) -> wire_prioritizer::Candidate {
    wire_prioritizer::Candidate {
        id: candidate.id,
        kind: candidate.kind,
        agent: candidate.agent,
        priority: candidate.priority,
        attempt: candidate.attempt,
        ready_at: candidate.ready_at,
        deadline: candidate.deadline,
        expected: candidate.expected,
        remaining_path: candidate.remaining_path,
        dependents: candidate.dependents,
        depth: candidate.depth,
    }
}

pub(super) fn transform_context(
    context: &TransformContext,
) -> wire_transformer::TransformContext<'_> {
    wire_transformer::TransformContext {
        run_id: &context.run_id,
        task_id: &context.task_id,
        for_task: context.for_task.as_deref(),
        metadata: &context.metadata,
        config: &context.config,
    }
}
