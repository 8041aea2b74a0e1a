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
//! | `sleep N` | waits N ms |
//! | `ask` | asks a question |
//! | `spawn` | wants a task added |
//! | `count` | reports a metric, progress and a log line |
//! | `key` | answers with the configured key, as the guest sees it |
//! | anything else | answers with it |

use consort_plugin_sdk::host::{Level, Update, count, log, report};
use consort_plugin_sdk::{Adapter, Failure, Invocation, Outcome, Payload, Pending, Question, Step};

struct Scripted;

impl Adapter for Scripted {
    fn start(call: Invocation) -> Result<Step, Failure> {
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
                schema: None,
                checkpoint: Vec::new(),
            })),
            ["spawn"] => Ok(Step::Done(Outcome {
                output: Payload::Text(String::new()),
                usage: None,
                spawn: vec![r#"{"task_id": "more"}"#.into()],
            })),
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

    fn resume(_: Invocation, checkpoint: Vec<u8>, _: Option<Payload>) -> Result<Step, Failure> {
        let left = String::from_utf8_lossy(&checkpoint).into_owned();
        match left.as_str() {
            "0" => Ok(Step::text("polled")),
            left => Ok(pending(left)),
        }
    }

    fn cancel(_: Invocation, _: Vec<u8>) -> Result<(), Failure> {
        log(Level::Warn, "told to stop");
        Ok(())
    }
}

consort_plugin_sdk::export_adapter!(Scripted, "plugin.json");

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
