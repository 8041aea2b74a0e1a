//! Answers nobody wants.

use consort_plugin_sdk::{
    Blob, Failure, Invocation, Outcome, Payload, Pending, Problem, Question, Step, Throttle, Usage,
};

type Answer = Result<Step, Failure>;

/// More than the host takes by default, less than the guest may hold.
const HUGE: usize = 16 << 20;

fn done(output: Payload, spawn: Vec<String>) -> Answer {
    Ok(Step::Done(Outcome { output, usage: None, spawn }))
}

pub(crate) fn huge_text(_: &Invocation) -> Answer {
    Ok(Step::text("x".repeat(HUGE)))
}

#[expect(unsafe_code, reason = "checking 16 MiB of x would take all the fuel")]
pub(crate) fn huge_json(_: &Invocation) -> Answer {
    let mut text = vec![b'x'; HUGE];
    text[0] = b'"';
    text[HUGE - 1] = b'"';
    // SAFETY: it is ASCII.
    Ok(Step::done(Payload::Json(unsafe { String::from_utf8_unchecked(text) })))
}

pub(crate) fn huge_blob(_: &Invocation) -> Answer {
    let blob = Blob { media_type: "application/octet-stream".into(), data: vec![0; HUGE] };
    Ok(Step::done(Payload::Blob(blob)))
}

pub(crate) fn huge_spawn(_: &Invocation) -> Answer {
    let task = r#"{"task_id": "child", "description": "another mouth to feed"}"#;
    done(Payload::Text(String::new()), vec![task.to_owned(); 250_000])
}

pub(crate) fn huge_checkpoint(_: &Invocation) -> Answer {
    Ok(Step::Pending(Pending {
        checkpoint: vec![0; (64 << 10) + 1],
        poll_after: 1,
        fraction: None,
        message: None,
    }))
}

pub(crate) fn huge_question(_: &Invocation) -> Answer {
    Ok(Step::NeedsInput(Question { prompt: "?".repeat(HUGE), schema: None, checkpoint: vec![] }))
}

pub(crate) fn huge_failure(_: &Invocation) -> Answer {
    Err(Failure::transient("x".repeat(HUGE)))
}

pub(crate) fn invalid_json(_: &Invocation) -> Answer {
    Ok(Step::done(Payload::Json("{\"unfinished\": ".into())))
}

#[expect(unsafe_code, reason = "text that is not UTF-8 is the point")]
pub(crate) fn invalid_utf8(_: &Invocation) -> Answer {
    // SAFETY: nobody in here looks at it; the host has to.
    Ok(Step::text(unsafe { String::from_utf8_unchecked(vec![b'a', 0xff, 0xfe, b'z']) }))
}

pub(crate) fn deep_json(_: &Invocation) -> Answer {
    const DEPTH: usize = 1 << 20;
    Ok(Step::done(Payload::Json("[".repeat(DEPTH) + &"]".repeat(DEPTH))))
}

pub(crate) fn nan_usage(_: &Invocation) -> Answer {
    let usage = Usage {
        input_tokens: Some(u64::MAX),
        output_tokens: Some(u64::MAX),
        cost: Some(f64::NAN),
        model: Some("m".into()),
    };
    Ok(Step::text("dear").with_usage(usage))
}

pub(crate) fn spawn_nonsense(_: &Invocation) -> Answer {
    done(Payload::Text(String::new()), vec!["this is no task".into()])
}

pub(crate) fn pending_forever(_: &Invocation) -> Answer {
    Ok(Step::Pending(Pending {
        checkpoint: vec![1],
        poll_after: u64::MAX,
        fraction: Some(f64::NAN),
        message: None,
    }))
}

pub(crate) fn throttled_forever(_: &Invocation) -> Answer {
    let problem = Problem::new("come back after the end of time");
    Err(Failure::Throttled(Throttle { problem, retry_after: Some(u64::MAX) }))
}

pub(crate) fn invalid_failure_detail(_: &Invocation) -> Answer {
    let detail = Some("no JSON at all".into());
    Err(Failure::Permanent(Problem { message: "broken".into(), code: None, detail }))
}
