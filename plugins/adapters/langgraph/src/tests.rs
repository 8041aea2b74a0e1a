//! The adapter from call to call, with a fake server. What it says is what a
//! real one said.

use consort_plugin_sdk::testing::{FakeAgent, invocation, take_log};
use consort_plugin_sdk::{Outcome, Pending, Question, Usage};
use serde_json::{Value, json};

use super::*;

/// The task's first thread, and the one after a failed run.
const THREAD: &str = "19a2ad48-956d-87d9-962a-4acbf5953d06";
const SECOND: &str = "96b62eb6";

fn call(config: Value) -> Invocation {
    invocation("Say hi").at("http://graphs.example/lg/").configured(config)
}

/// A server that gives these answers, one for each request.
fn server(replies: &[(u16, Value)]) -> FakeAgent {
    replies
        .iter()
        .fold(FakeAgent::new(), |agent, (status, body)| agent.reply(*status, &body.to_string()))
}

fn run(id: &str, status: &str) -> Value {
    json!({"run_id": id, "thread_id": THREAD, "status": status, "kwargs": {"input": {}},
        "metadata": {"consort_attempt": 1}, "created_at": "2026-11-26T13:57:07.141271+00:00"})
}

fn thread() -> Value {
    json!({"thread_id": THREAD, "status": "idle", "values": null})
}

fn ai(text: &str) -> Value {
    json!({"type": "ai", "content": text, "response_metadata": {"model_name": "echo-1"},
        "usage_metadata": {"input_tokens": 3, "output_tokens": 5, "total_tokens": 8}})
}

fn state(values: Value, more: Value) -> Value {
    let mut state = json!({"values": values, "next": [], "tasks": [], "interrupts": [],
        "metadata": {"run_id": "r1"}});
    for (field, value) in more.as_object().into_iter().flatten() {
        state[field] = value.clone();
    }
    state
}

fn checkpoint() -> Vec<u8> {
    json!({"thread": THREAD, "run": "r1"}).to_string().into_bytes()
}

fn pending(result: Result<Step, Failure>) -> Pending {
    match result {
        Ok(Step::Pending(pending)) => pending,
        other => panic!("not pending: {other:?}"),
    }
}

fn done(result: Result<Step, Failure>) -> Outcome {
    match result {
        Ok(Step::Done(outcome)) => outcome,
        other => panic!("not done: {other:?}"),
    }
}

fn asked(result: Result<Step, Failure>) -> Question {
    match result {
        Ok(Step::NeedsInput(question)) => question,
        other => panic!("no question: {other:?}"),
    }
}

fn left(checkpoint: &[u8]) -> Checkpoint {
    Checkpoint::read(checkpoint).unwrap()
}

/// Method and URL of each request, without server and thread.
fn lines(server: &FakeAgent) -> Vec<String> {
    let line = |request: &consort_plugin_sdk::http::Request| {
        let path = request.url().strip_prefix("http://graphs.example/lg").unwrap();
        format!("{} {}", request.method().as_str(), path.replace(THREAD, "T"))
    };
    server.requests().iter().map(line).collect()
}

fn body(server: &FakeAgent, at: usize) -> Value {
    serde_json::from_slice(server.requests()[at].bytes()).unwrap()
}

/// What `resume` makes of a run that has ended like this.
fn polled(config: Value, replies: &[(u16, Value)]) -> Result<Step, Failure> {
    resume(&call(config), &checkpoint(), None, &server(replies))
}

const RUNS: &str =
    "GET /threads/T/runs?select=run_id&select=status&select=metadata&select=created_at";

// ---------------------------------------------------------------------- start

#[test]
fn a_start_makes_a_thread_and_starts_a_run() {
    let server = server(&[
        (404, json!({"detail": "no thread"})),
        (200, thread()),
        (200, run("r1", "pending")),
    ]);
    let config = json!({"api_key": "secret:k", "headers": {"x-team": "red"},
        "extra": {"config": {"recursion_limit": 9}, "assistant_id": "mine"}});
    let call = call(config).after("notes", Payload::Text("dry".into()));
    let pending = pending(start(&call, &server));
    assert_eq!(left(&pending.checkpoint), Checkpoint::new(THREAD, "r1"));
    assert_eq!(pending.poll_after, 1000);
    assert_eq!(lines(&server), [RUNS, "POST /threads", "POST /threads/T/runs"]);
    for request in server.requests() {
        assert_eq!(request.headers().get("x-api-key"), Some("secret:k"));
        assert_eq!(request.headers().get("x-team"), Some("red"));
    }
    let metadata = json!({"consort_run": "run", "consort_task": "task", "consort_attempt": 1});
    let thread = json!({"thread_id": THREAD, "if_exists": "do_nothing", "metadata": metadata});
    assert_eq!(body(&server, 1), thread);
    let content = "Say hi\n\n## Result of notes\n\ndry";
    assert_eq!(
        body(&server, 2),
        json!({
            "config": {"recursion_limit": 9}, "assistant_id": "agent",
            "input": {"messages": [{"role": "user", "content": content}]},
            "multitask_strategy": "reject", "metadata": metadata,
        })
    );
    assert!(take_log()[0].1.starts_with("started run r1"));
}

#[test]
fn the_input_may_be_a_template() {
    let server = server(&[(200, json!([])), (200, thread()), (200, run("r1", "pending"))]);
    let config = json!({"assistant": "data", "input": {"numbers": "{{ input.all }}"}});
    let call = call(config).with_input(Payload::Json(r#"{"all": [1, 2]}"#.into()));
    pending(start(&call, &server));
    assert_eq!(body(&server, 2)["input"], json!({"numbers": [1, 2]}));

    let failure =
        start(&self::call(json!({"input": "{{ x }}"})), &self::server(&[(200, json!([]))]));
    let failure = failure.unwrap_err();
    assert!(failure.message().starts_with("'input' cannot be filled in"), "{failure:?}");
}

#[test]
fn a_repeated_start_goes_on_with_the_run_that_is_there() {
    for status in ["pending", "running", "success"] {
        let server = server(&[(200, json!([run("r0", "error"), run("r1", status)]))]);
        let pending = pending(start(&call(json!({})), &server));
        assert_eq!(left(&pending.checkpoint).run, "r1");
        assert!(take_log()[0].1.contains("was started before"));
    }
}

#[test]
fn after_a_failed_run_another_thread_begins() {
    for status in ["error", "timeout", "interrupted"] {
        let server = server(&[
            (200, json!([run("r1", status)])),
            (200, json!([])),
            (200, thread()),
            (200, run("r2", "pending")),
        ]);
        let pending = pending(start(&call(json!({})), &server));
        let Checkpoint { thread, run, .. } = left(&pending.checkpoint);
        assert_eq!((&thread[..8], run.as_str()), (SECOND, "r2"));
        assert_eq!(body(&server, 2)["thread_id"], *thread);
    }
}

#[test]
fn a_task_does_not_fail_at_the_server_for_ever() {
    let replies = vec![(200, json!([run("r", "error")])); 24];
    let failure = start(&call(json!({})), &server(&replies)).unwrap_err();
    assert_eq!(failure.code(), Some("too-many-runs"));
}

#[test]
fn a_start_that_comes_second_finds_the_run_of_the_first() {
    let busy = json!({"detail": "Thread is already running a task."});
    let server = server(&[
        (200, json!([])),
        (409, json!({"detail": "exists"})),
        (409, busy),
        (200, json!([run("r1", "running")])),
    ]);
    let pending = pending(start(&call(json!({})), &server));
    assert_eq!(left(&pending.checkpoint).run, "r1");
}

#[test]
fn a_server_that_refuses_is_the_failure_it_means() {
    let refused = |status: u16, body: &str| {
        let server = FakeAgent::new().reply(200, "[]").reply(200, "{}").reply(status, body);
        start(&call(json!({})), &server).unwrap_err()
    };
    let failure = refused(422, r#"{"detail": "Invalid assistant: 'nope'"}"#);
    assert!(matches!(failure, Failure::InvalidInput(_)), "{failure:?}");
    assert!(failure.message().ends_with("422: Invalid assistant: 'nope'"), "{failure:?}");
    assert!(matches!(refused(404, "{}"), Failure::Permanent(_)));
    assert!(matches!(refused(403, "{}"), Failure::Denied(_)));
    let failure = refused(500, "Internal Server Error");
    assert!(matches!(failure, Failure::Transient(_)), "{failure:?}");
    assert!(failure.message().ends_with("500: Internal Server Error"), "{failure:?}");
    let error = r#"{"__error__": {"error": "ValueError", "message": "no"}}"#;
    assert_eq!(refused(200, error).message(), "the graph failed: ValueError: no");
    let failure = refused(200, "{}");
    assert_eq!(failure.code(), Some("malformed-response"));

    let server = FakeAgent::new().reply_with(429, &[("retry-after", "7")], "slow down");
    let Failure::Throttled(throttle) = start(&call(json!({})), &server).unwrap_err() else {
        panic!()
    };
    assert_eq!(throttle.retry_after, Some(7000));
    let refused = Failure::transient("refused").with_code("connection-refused");
    let failure = start(&call(json!({})), &FakeAgent::new().fail(refused.clone())).unwrap_err();
    assert_eq!(failure, refused);
}

#[test]
fn a_task_without_a_server_or_anything_to_ask_is_invalid() {
    let failure = start(&invocation("hi"), &FakeAgent::new()).unwrap_err();
    assert_eq!(failure.code(), Some("no-endpoint"));
    let call = invocation("").at("http://graphs.example");
    let failure = start(&call, &server(&[(200, json!([]))])).unwrap_err();
    assert_eq!(failure.code(), Some("empty-task"));
    for config in [json!({"poll_interval": 0}), json!({"timeout": -1}), json!({"assistent": "x"})] {
        let server = server(&[(200, json!([run("r1", "running")]))]);
        let failure = start(&self::call(config), &server).unwrap_err();
        assert_eq!(failure.code(), Some("invalid-config"));
    }
}

// --------------------------------------------------------------------- resume

#[test]
fn a_run_that_goes_on_is_asked_after_again() {
    for (status, says) in
        [("pending", "queued at the server"), ("running", "running at the server")]
    {
        let server = server(&[(200, run("r1", status))]);
        let config = json!({"poll_interval": 0.25});
        let step = resume(&call(config), &checkpoint(), None, &server);
        let pending = pending(step);
        assert_eq!((pending.poll_after, pending.message.as_deref()), (250, Some(says)));
        assert_eq!(left(&pending.checkpoint), Checkpoint::new(THREAD, "r1"));
        assert_eq!(lines(&server), ["GET /threads/T/runs/r1"]);
    }
}

#[test]
fn the_answer_is_the_last_message_and_comes_with_what_it_cost() {
    let human = json!({"type": "human", "content": "Say hi"});
    let values = json!({"messages": [human, ai("thinking"), ai("hi")]});
    let replies = [(200, run("r1", "success")), (200, state(values, json!({})))];
    let outcome = done(polled(json!({}), &replies));
    assert_eq!(outcome.output, Payload::Text("hi".into()));
    let usage = Usage {
        input_tokens: Some(6),
        output_tokens: Some(10),
        cost: None,
        model: Some("echo-1".into()),
    };
    assert_eq!(outcome.usage, Some(usage));
}

#[test]
fn the_answer_may_be_anywhere_in_the_state() {
    let values = json!({"sum": 3, "messages": [{"type": "ai", "content": [{"type": "text", "text": "a"}, "b"]}]});
    let answered = |config: Value, values: &Value| {
        polled(config, &[(200, run("r1", "success")), (200, state(values.clone(), json!({})))])
    };
    for (config, output) in [
        (json!({}), Payload::Text("ab".into())),
        (json!({"answer": "sum"}), Payload::Json("3".into())),
        (json!({"answer": "/messages/0/content/1"}), Payload::Text("b".into())),
        (json!({"answer": "messages[-1].type"}), Payload::Text("ai".into())),
    ] {
        assert_eq!(done(answered(config, &values)).output, output);
    }
    let outcome = done(answered(json!({}), &json!({"sum": 3})));
    assert_eq!((outcome.output, outcome.usage), (Payload::Json(r#"{"sum":3}"#.into()), None));

    let failure = answered(json!({"answer": "report"}), &values).unwrap_err();
    assert!(matches!(failure, Failure::Permanent(_)), "{failure:?}");
    assert_eq!(failure.message(), "the graph's final state has nothing at 'report'");
    assert!(failure.problem().unwrap().detail.as_deref().unwrap().contains("sum"));
}

#[test]
fn a_failed_run_says_what_the_graph_said() {
    let error = json!({"__error__": {"error": "ValueError", "message": "node failed: now"}});
    let task = json!({"tasks": [{"error": "ValueError('node failed: now')", "interrupts": []}]});
    let state = state(json!({}), task);
    // Joining a run may begin with signs of life.
    let server = FakeAgent::new()
        .reply(200, &run("r1", "error").to_string())
        .reply(200, &format!("\n\n{error}"))
        .reply(200, &state.to_string());
    let failure = resume(&call(json!({})), &checkpoint(), None, &server).unwrap_err();
    assert!(matches!(failure, Failure::Permanent(_)), "{failure:?}");
    assert_eq!(failure.message(), "the graph failed: ValueError: node failed: now");
    assert_eq!(lines(&server)[1], "GET /threads/T/runs/r1/join");
}

#[test]
fn what_may_not_come_again_is_transient() {
    let failure = polled(json!({}), &[(200, run("r1", "timeout"))]).unwrap_err();
    assert!(matches!(failure, Failure::Transient(_)), "{failure:?}");
    assert_eq!(failure.code(), Some("run-timeout"));
    let error = json!({"__error__": {"error": "RateLimitError", "message": "429"}});
    let replies = [(200, run("r1", "error")), (200, error), (200, state(json!({}), json!({})))];
    let failure = polled(json!({}), &replies).unwrap_err();
    assert!(matches!(failure, Failure::Transient(_)), "{failure:?}");
}

#[test]
fn a_run_that_is_lost_is_permanent() {
    let failure = polled(json!({}), &[(404, json!({"detail": "Not Found"}))]).unwrap_err();
    assert!(matches!(failure, Failure::Permanent(_)), "{failure:?}");
    assert_eq!(failure.code(), Some("run-lost"));
    assert!(failure.message().starts_with("the server does not know run r1"), "{failure:?}");
}

#[test]
fn a_server_out_of_reach_is_asked_again_for_a_while() {
    let mut left = checkpoint();
    let mut waits = Vec::new();
    for _ in 0..5 {
        let server = FakeAgent::new().reply(502, "Bad Gateway");
        let pending = pending(resume(&call(json!({})), &left, None, &server));
        left = pending.checkpoint;
        waits.push(pending.poll_after);
    }
    assert_eq!(waits, [2000, 4000, 8000, 16_000, 30_000]);
    let refused = FakeAgent::new().fail(Failure::transient("refused"));
    let failure = resume(&call(json!({})), &left, None, &refused).unwrap_err();
    assert!(matches!(failure, Failure::Transient(_)), "{failure:?}");
    assert_eq!(failure.message(), "6 looks at the run failed: refused");

    // One that answers is not counted against.
    let server = server(&[(200, run("r1", "running"))]);
    let pending_again = pending(resume(&call(json!({})), &left, None, &server));
    assert_eq!(self::left(&pending_again.checkpoint).misses, 0);

    let busy = FakeAgent::new().reply_with(429, &[("retry-after", "60")], "");
    let pending = pending(resume(&call(json!({})), &checkpoint(), None, &busy));
    assert_eq!(pending.poll_after, 60_000);
    let denied = resume(&call(json!({})), &checkpoint(), None, &self::server(&[(401, json!({}))]));
    assert!(matches!(denied, Err(Failure::Denied(_))), "{denied:?}");
}

#[test]
fn a_checkpoint_of_another_adapter_is_refused() {
    let failure = resume(&call(json!({})), b"7", None, &FakeAgent::new()).unwrap_err();
    assert_eq!(failure.code(), Some("invalid-checkpoint"));
}

// ------------------------------------------------------------------ questions

fn waits(interrupts: Value) -> Value {
    state(json!({}), json!({"next": ["reply"], "interrupts": interrupts}))
}

#[test]
fn an_interrupt_is_a_question() {
    let city = json!([{"id": "i1", "value": {"question": "which city?"}}]);
    let of_task = json!({"tasks": [{"error": null, "interrupts": [{"value": "which city?"}]}], "next": ["reply"]});
    for (status, state, prompt) in [
        ("success", waits(city.clone()), r#"{"question":"which city?"}"#),
        ("interrupted", waits(city), r#"{"question":"which city?"}"#),
        ("success", state(json!({}), of_task), "which city?"),
        ("success", waits(json!([])), "the graph waits before 'reply'; shall it go on?"),
    ] {
        let question = asked(polled(json!({}), &[(200, run("r1", status)), (200, state)]));
        assert_eq!((question.prompt.as_str(), question.schema), (prompt, None));
        assert!(left(&question.checkpoint).asked);
    }
}

#[test]
fn several_interrupts_are_answered_by_their_ids() {
    let both = json!([{"id": "i1", "value": "first?"}, {"id": "i2", "value": 2}]);
    let question = asked(polled(json!({}), &[(200, run("r1", "success")), (200, waits(both))]));
    assert_eq!(question.prompt, r#"{"i1":"first?","i2":2}"#);
    let schema: Value = serde_json::from_str(&question.schema.unwrap()).unwrap();
    assert_eq!(schema, json!({"type": "object", "required": ["i1", "i2"]}));
}

#[test]
fn the_answer_goes_on_with_the_graph() {
    let asked = json!({"thread": THREAD, "run": "r1", "asked": true}).to_string();
    let server = server(&[(200, json!([run("r1", "success")])), (200, run("r2", "pending"))]);
    let answer = Some(Payload::Text("Oslo".into()));
    let pending = pending(resume(&call(json!({})), asked.as_bytes(), answer.clone(), &server));
    assert_eq!(left(&pending.checkpoint), Checkpoint::new(THREAD, "r2"));
    assert_eq!(lines(&server), [RUNS, "POST /threads/T/runs"]);
    let sent = body(&server, 1);
    assert_eq!(sent["command"], json!({"resume": "Oslo"}));
    assert_eq!((sent.get("input"), &sent["assistant_id"]), (None, &json!("agent")));

    let failure = resume(&call(json!({})), &checkpoint(), answer, &FakeAgent::new()).unwrap_err();
    assert_eq!(failure.message(), "run r1 has not asked anything");
}

#[test]
fn an_answer_that_was_given_is_not_given_again() {
    let asked = json!({"thread": THREAD, "run": "r1", "asked": true}).to_string();
    let mut newer = run("r2", "running");
    newer["created_at"] = json!("2026-11-26T13:58:00.000000+00:00");
    let server = server(&[(200, json!([run("r1", "success"), newer]))]);
    let answer = Some(Payload::Json("1".into()));
    let pending = pending(resume(&call(json!({})), asked.as_bytes(), answer, &server));
    assert_eq!(left(&pending.checkpoint), Checkpoint::new(THREAD, "r2"));
}

// --------------------------------------------------------------------- cancel

#[test]
fn a_run_that_others_cancelled_fails_for_good() {
    // The question of an earlier run is not this one's.
    let old = json!({"metadata": {"run_id": "r0"}, "interrupts": [{"value": "?"}]});
    for state in [state(json!({}), json!({})), state(json!({}), old)] {
        let replies = [(200, run("r1", "interrupted")), (200, state)];
        let failure = polled(json!({}), &replies).unwrap_err();
        assert!(matches!(failure, Failure::Permanent(_)), "{failure:?}");
        assert_eq!(failure.code(), Some("run-cancelled"));
    }
}

#[test]
fn a_run_that_the_attempt_before_cancelled_is_replaced() {
    let server = server(&[
        (200, run("r1", "interrupted")),
        (200, state(json!({}), json!({}))),
        (200, json!([run("r1", "interrupted")])),
        (404, json!({})),
        (200, thread()),
        (200, run("r2", "pending")),
    ]);
    let mut call = call(json!({}));
    call.attempt = 2;
    let pending = pending(resume(&call, &checkpoint(), None, &server));
    assert_eq!(left(&pending.checkpoint).run, "r2");
    assert_eq!(body(&server, 5)["metadata"]["consort_attempt"], 2);
}

#[test]
fn cancel_stops_the_run_and_is_content_when_it_has_ended() {
    for status in [202, 200, 404, 409] {
        let server = FakeAgent::new().reply(status, "");
        assert_eq!(cancel(&call(json!({})), &checkpoint(), &server), Ok(()));
        let expected = "POST /threads/T/runs/r1/cancel?wait=false&action=interrupt";
        assert_eq!(lines(&server), [expected]);
    }
    let failure = cancel(&call(json!({})), &checkpoint(), &FakeAgent::new().reply(500, "no"));
    assert!(matches!(failure, Err(Failure::Transient(_))), "{failure:?}");
}

#[test]
fn cancel_stops_the_run_that_got_the_answer() {
    let asked = json!({"thread": THREAD, "run": "r1", "asked": true}).to_string();
    let server = server(&[(200, json!([run("r2", "running")])), (202, json!(null))]);
    assert_eq!(cancel(&call(json!({})), asked.as_bytes(), &server), Ok(()));
    assert!(lines(&server)[1].starts_with("POST /threads/T/runs/r2/cancel"));
}
