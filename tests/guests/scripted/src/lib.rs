//! An adapter that does what the task's description says, so that tests decide
//! what an agent does without writing an agent:
//!
//! | description | what happens |
//! |---|---|
//! | `fail until N` | attempts before the N-th fail as transient |
//! | `throttle until N` | the same, asking for 20 ms |
//! | `refuse` | permanent failure |
//! | `refuse as A` | permanent failure for agent A, success for others |
//! | `poll N` | pending N times, then done |
//! | `poll forever` | pending for ever; `cancel` is logged |
//! | `poll stubbornly` | the same, but `cancel` does not return |
//! | `sleep N` | waits N ms |
//! | `ask` | asks a question, and answers with what it is told |
//! | `spawn` | wants the tasks of its input added |
//! | `count` | reports a metric, progress and a log line |
//! | `use N` | answers, having used N tokens |
//! | `beat N for M` | logs every N ms for M ms |
//! | `tell` | answers with its id, idempotency key, input and dependencies |
//! | `key` | answers with the configured key, as the guest sees it |
//! | anything else | answers with it |
//!
//! Tasks that are started together are done one after the other, and counted in
//! the metric `calls`, as is each one that is started alone. If one of them has
//! the description `lose`, the answers are one too few; with `trap`, the plugin
//! panics.

use consort_plugin_sdk::host::{Level, Update, count, log, report};
use consort_plugin_sdk::serde_json::{Value, json};
use consort_plugin_sdk::{
    Adapter, BatchAdapter, Failure, Invocation, Outcome, Payload, Pending, Question, Step, Usage,
};

struct Scripted;

impl Adapter for Scripted {
    fn start(call: Invocation) -> Result<Step, Failure> {
        count("calls", 1);
        script(call)
    }

    fn resume(
        _: Invocation,
        checkpoint: Vec<u8>,
        answer: Option<Payload>,
    ) -> Result<Step, Failure> {
        if let Some(answer) = answer {
            return Ok(Step::done(answer));
        }
        let left = String::from_utf8_lossy(&checkpoint).into_owned();
        match left.as_str() {
            "0" => Ok(Step::text("polled")),
            left => Ok(pending(left)),
        }
    }

    fn cancel(call: Invocation, _: Vec<u8>) -> Result<(), Failure> {
        log(Level::Warn, "told to stop");
        if call.description == "poll stubbornly" {
            std::thread::sleep(std::time::Duration::from_secs(3_600));
        }
        Ok(())
    }
}

impl BatchAdapter for Scripted {
    fn start_batch(calls: Vec<Invocation>) -> Vec<Result<Step, Failure>> {
        count("calls", 1);
        let any = |word: &str| calls.iter().any(|call| call.description == word);
        assert!(!any("trap"), "one of them said so");
        let lost = usize::from(any("lose"));
        let rest = calls.len() - lost;
        calls.into_iter().take(rest).map(script).collect()
    }
}

consort_plugin_sdk::export_batching_adapter!(Scripted, "plugin.json");

fn script(call: Invocation) -> Result<Step, Failure> {
    let script = call.description.clone();
    let words: Vec<&str> = script.split_whitespace().collect();
    match words[..] {
        ["fail", "until", n] if call.attempt < number(n)? => Err(Failure::transient("not yet")),
        ["throttle", "until", n] if call.attempt < number(n)? => {
            let wait = std::time::Duration::from_millis(20);
            Err(Failure::throttled("slow down", Some(wait)))
        }
        ["refuse"] => Err(Failure::permanent("no").with_code("refused")),
        ["refuse", "as", agent] if call.agent == agent => Err(Failure::permanent("no")),
        ["poll", n] => Ok(pending(n)),
        ["sleep", ms] => {
            std::thread::sleep(std::time::Duration::from_millis(u64::from(number(ms)?)));
            Ok(Step::text("slept"))
        }
        ["ask"] => Ok(Step::NeedsInput(Question {
            prompt: "which city?".into(),
            schema: Some(r#"{"type": "string"}"#.into()),
            checkpoint: b"asked".to_vec(),
        })),
        ["spawn"] => {
            let tasks = call.input.as_ref().map(Payload::to_value).transpose()?;
            let tasks = tasks.as_ref().and_then(Value::as_array).into_iter().flatten();
            Ok(Step::Done(Outcome {
                output: Payload::Text("spawned".into()),
                usage: None,
                spawn: tasks.map(Value::to_string).collect(),
            }))
        }
        ["use", tokens] => Ok(Step::Done(Outcome {
            output: Payload::Text("used".into()),
            usage: Some(Usage { input_tokens: Some(u64::from(number(tokens)?)), ..Usage::UNKNOWN }),
            spawn: Vec::new(),
        })),
        ["beat", every, "for", all] => {
            let (every, all) = (number(every)?.max(1), number(all)?);
            for _ in 0..all / every {
                std::thread::sleep(std::time::Duration::from_millis(u64::from(every)));
                log(Level::Info, "beat");
            }
            Ok(Step::text("alive"))
        }
        ["tell"] => {
            let names: Vec<&str> =
                call.dependencies.iter().map(|given| given.name.as_str()).collect();
            let input = call.input.as_ref().map(Payload::to_value).transpose()?;
            Ok(Step::Done(Outcome {
                output: Payload::Json(
                    json!({
                        "id": call.task_id,
                        "key": call.idempotency_key.rsplit('/').next(),
                        "input": input,
                        "given": names,
                    })
                    .to_string(),
                ),
                usage: None,
                spawn: Vec::new(),
            }))
        }
        ["count"] => {
            count("answers", 2);
            report(&Update { fraction: Some(0.5), message: None, partial: None });
            log(Level::Info, "half way");
            Ok(Step::text("counted"))
        }
        ["key"] => Ok(Step::text(call.config)),
        _ => Ok(Step::text(script)),
    }
}

/// Pending, with what is left to do in the checkpoint.
fn pending(left: &str) -> Step {
    let next = left.parse::<u32>().map_or_else(|_| left.to_owned(), |n| (n - 1).to_string());
    Step::Pending(Pending {
        checkpoint: next.into_bytes(),
        poll_after: 1,
        fraction: None,
        message: Some("working".into()),
    })
}

fn number(word: &str) -> Result<u32, Failure> {
    word.parse().map_err(|_| Failure::invalid_input(format!("'{word}' is not a number")))
}
