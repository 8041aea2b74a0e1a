//! The functions of the contracts, called.

use wasmtime::component::types::ComponentItem;
use wasmtime::component::{ComponentNamedList, InstancePre, Lift, Lower};

use super::bindings::consort::types::values::{Failure, PayloadParam, PayloadResult};
use super::bindings::exports::consort::agent_adapter::adapter::{
    self as wire_adapter, Invocation as WireInvocation,
};
use super::bindings::exports::consort::prioritizer::prioritizer::{
    Candidate as WireCandidate, Snapshot as WireSnapshot,
};
use super::bindings::exports::consort::result_transformer::check::Complaint as WireComplaint;
use super::bindings::exports::consort::result_transformer::transformer::TransformContext as WireContext;
use super::lift::{self, Check, Size};
use super::lower;
use crate::contract::Failure::Other;
use crate::contract::{
    Candidate, Complaint, Invocation, Payload, Snapshot, Step, TransformContext,
};
use crate::error::CallError;
use crate::manifest::Kind;
use crate::session::Session;
use crate::store::State;

type StartParameters<'a> = (WireInvocation<'a>,);
type ResumeParameters<'a> = (WireInvocation<'a>, &'a [u8], Option<PayloadParam<'a>>);
type CancelParameters<'a> = (WireInvocation<'a>, &'a [u8]);
type StartBatchParameters<'a> = (&'a [WireInvocation<'a>],);
type ScoreParameters<'a> = (&'a [WireCandidate], WireSnapshot<'a>);
type TransformParameters<'a> = (PayloadParam<'a>, WireContext<'a>);
type CheckParameters<'a> = (&'a str,);

type Returned<T, E> = (Result<T, E>,);
type Stepped = Returned<wire_adapter::Step, Failure>;
type SteppedBatch = (Vec<Result<wire_adapter::Step, Failure>>,);
type Cancelled = Returned<(), Failure>;
type Scored = Returned<Vec<f64>, String>;
type Transformed = Returned<PayloadResult, Failure>;
type Complained = (Vec<WireComplaint>,);

pub(crate) async fn start(mut session: Session, call: &Invocation) -> Result<Step, CallError> {
    let dependencies = lower::dependencies(call);
    let parameters: StartParameters<'_> = (lower::invocation(call, &dependencies),);
    let stepped: Stepped = session.call(parameters).await?;
    finish(session, stepped, lift::step)
}

pub(crate) async fn resume(
    mut session: Session,
    call: &Invocation,
    checkpoint: &[u8],
    answer: Option<&Payload>,
) -> Result<Step, CallError> {
    let dependencies = lower::dependencies(call);
    let parameters: ResumeParameters<'_> =
        (lower::invocation(call, &dependencies), checkpoint, answer.map(lower::payload));
    let stepped: Stepped = session.call(parameters).await?;
    finish(session, stepped, lift::step)
}

/// The outer error is the whole call's; an inner one is that of one task.
pub(crate) async fn start_batch(
    mut session: Session,
    calls: &[Invocation],
) -> Result<Vec<Result<Step, CallError>>, CallError> {
    let dependencies: Vec<_> = calls.iter().map(lower::dependencies).collect();
    let invocations: Vec<WireInvocation<'_>> = calls
        .iter()
        .zip(&dependencies)
        .map(|(call, dependencies)| lower::invocation(call, dependencies))
        .collect();
    let parameters: StartBatchParameters<'_> = (&invocations,);
    let (answers,): SteppedBatch = session.call(parameters).await?;
    session.end(answers.iter().map(Size::size).sum())?;
    let answers = lift::batch(answers, calls.len()).map_err(|why| session.broken(why))?;
    let judged =
        answers.into_iter().map(|answer| answer.map_err(|failure| session.failed(failure)));
    Ok(judged.collect())
}

pub(crate) async fn cancel(
    mut session: Session,
    call: &Invocation,
    checkpoint: &[u8],
) -> Result<(), CallError> {
    let dependencies = lower::dependencies(call);
    let parameters: CancelParameters<'_> = (lower::invocation(call, &dependencies), checkpoint);
    let cancelled: Cancelled = session.call(parameters).await?;
    finish(session, cancelled, |()| ())
}

pub(crate) async fn transform(
    mut session: Session,
    value: &Payload,
    context: &TransformContext,
) -> Result<Payload, CallError> {
    let parameters: TransformParameters<'_> =
        (lower::payload(value), lower::transform_context(context));
    let transformed: Transformed = session.call(parameters).await?;
    finish(session, transformed, lift::payload)
}

pub(crate) async fn check(mut session: Session, config: &str) -> Result<Vec<Complaint>, CallError> {
    let parameters: CheckParameters<'_> = (config,);
    let (complaints,): Complained = session.call(parameters).await?;
    session.end(complaints.iter().map(Size::size).sum())?;
    Ok(complaints.into_iter().map(lift::complaint).collect())
}

pub(crate) async fn score(
    session: &mut Session,
    batch: &[Candidate],
    now: &Snapshot,
) -> Result<Vec<f64>, CallError> {
    let candidates: Vec<WireCandidate> = batch.iter().map(lower::candidate).collect();
    let names: Vec<&str> = now.names.iter().map(|name| &**name).collect();
    let snapshot = WireSnapshot {
        now: now.now,
        names: &names,
        ready: now.ready,
        running: now.running,
        slots: now.slots,
    };
    let parameters: ScoreParameters<'_> = (&candidates, snapshot);
    let (scored,): Scored = session.call(parameters).await?;
    session.end(scored.size())?;
    let scores = scored.map_err(|message| session.failed(Other(message)))?;
    lift::scores(scores, batch.len()).map_err(|why| session.broken(why))
}

/// Counts and checks what a function returned. The guest's memory goes before
/// `plain` copies what it returned, which may be as large.
fn finish<T: Size + Check, U>(
    mut session: Session,
    (returned,): Returned<T, Failure>,
    plain: impl FnOnce(T) -> U,
) -> Result<U, CallError> {
    session.end(returned.size())?;
    match returned {
        Ok(value) => {
            value.check().map_err(|why| session.broken(why))?;
            drop(session);
            Ok(plain(value))
        }
        Err(failure) => match lift::failure(failure) {
            Ok(failure) => Err(session.failed(failure)),
            Err(why) => Err(session.broken(why)),
        },
    }
}

/// Checks that the contract's functions have its types, so that no call can fail
/// for that. The error names the function.
pub(crate) fn typecheck(pre: &InstancePre<State>, export: &str, kind: Kind) -> Result<(), String> {
    match kind {
        Kind::Adapter => {
            has_type::<StartParameters<'_>, Stepped>(pre, export, "start")?;
            has_type::<ResumeParameters<'_>, Stepped>(pre, export, "resume")?;
            has_type::<CancelParameters<'_>, Cancelled>(pre, export, "cancel")
        }
        Kind::Prioritizer => has_type::<ScoreParameters<'_>, Scored>(pre, export, "score"),
        Kind::Transformer => {
            has_type::<TransformParameters<'_>, Transformed>(pre, export, "transform")
        }
    }
}

/// The same for the function that plugins of this kind may have besides.
pub(crate) fn typecheck_optional(
    pre: &InstancePre<State>,
    export: &str,
    kind: Kind,
) -> Result<(), String> {
    match kind {
        Kind::Adapter => {
            has_type::<StartBatchParameters<'_>, SteppedBatch>(pre, export, "start-batch")
        }
        Kind::Transformer => has_type::<CheckParameters<'_>, Complained>(pre, export, "check"),
        Kind::Prioritizer => Ok(()),
    }
}

fn has_type<P, R>(pre: &InstancePre<State>, export: &str, name: &str) -> Result<(), String>
where
    P: ComponentNamedList + Lower,
    R: ComponentNamedList + Lift,
{
    let engine = pre.engine();
    let item = pre.component().component_type().get_export(engine, export).map(|e| e.ty);
    let Some(ComponentItem::ComponentInstance(instance)) = item else {
        return Err(format!("its export '{export}' is not an interface"));
    };
    let Some(ComponentItem::ComponentFunc(function)) =
        instance.get_export(engine, name).map(|e| e.ty)
    else {
        return Err(format!("'{name}' in its export '{export}' is not a function"));
    };
    function.typecheck::<P, R>(&pre.instance_type()).map_err(|error| {
        format!("'{name}' in its export '{export}' has another type than the contract: {error:#}")
    })
}
