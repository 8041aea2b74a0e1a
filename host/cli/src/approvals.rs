//! An *approval* is a task that waits for a person: answered beforehand with
//! `--answer`, or else on the terminal when it asks.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::io::{self, BufRead as _, IsTerminal as _};
use std::str::FromStr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use consort_core::plan::{Plan, Work};
use consort_core::problem::nearest;
use consort_engine::question::Question as Asked;
use consort_engine::{ControlError, RunControl, RunEvent, Watcher};
use serde_json::Value;
use tokio::runtime::Handle;

use crate::error::CommandError;
use crate::terminal::{harmless, tell};
use crate::watch::Screen;

/// Unanswered approvals that are named.
const MOST_NAMES: usize = 5;

/// One `--answer`: a task and what is answered to it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Answer {
    pub(crate) task: String,
    pub(crate) value: Value,
}

impl FromStr for Answer {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Some((task, value)) = text.split_once('=') else {
            return Err("there is no '='; write TASK=JSON, such as review=true".to_owned());
        };
        // Text is not taken for a result here: 'no' would be a yes.
        let value = serde_json::from_str(value).map_err(|_| {
            format!("'{value}' is not JSON; write true, false, an object, or a text in quotes")
        })?;
        Ok(Self { task: task.to_owned(), value })
    }
}

/// Whether questions can be put to somebody.
pub(crate) fn somebody_is_there() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Checks that answers are to approvals and, where nobody is there, that every
/// approval has one. An approval whose own time is limited may go without: its
/// `on_failure` says what happens then.
///
/// # Errors
///
/// An answer to something else, or approvals that would wait for ever.
pub(crate) fn check(answers: &[Answer], plan: &Plan, somebody: bool) -> Result<(), CommandError> {
    let approvals = plan.tasks.iter().filter(|task| task.work == Work::Approval);
    let answered = |id: &str| answers.iter().any(|answer| task_of(&answer.task) == id);
    let mut waiting = Vec::new();
    let mut names = Vec::new();
    for task in approvals {
        let settings = &task.settings;
        let ends = settings.timeouts.total.is_some() || settings.deadline.is_some();
        if !somebody && !ends && !answered(&task.id) {
            waiting.push(&*task.id);
        }
        names.push(&*task.id);
    }
    if let Some(wrong) = answers.iter().find(|answer| !names.contains(&task_of(&answer.task))) {
        let error = CommandError::invalid(format!("no task '{}' waits for a person", wrong.task));
        return Err(match nearest(&wrong.task, names) {
            Some(near) => error.hint(format!("did you mean '--answer {near}=…'?")),
            None => error.hint("'--answer' is for tasks of the type 'approval'"),
        });
    }
    for answer in answers {
        check_fit(answer, plan)?;
    }
    let Some(first) = waiting.first() else { return Ok(()) };
    let mut list = waiting.iter().take(MOST_NAMES).fold(String::new(), |mut list, id| {
        let comma = if list.is_empty() { "" } else { ", " };
        let _ = write!(list, "{comma}'{id}'");
        list
    });
    if waiting.len() > MOST_NAMES {
        let _ = write!(list, " and {} more", waiting.len() - MOST_NAMES);
    }
    let verb = if waiting.len() == 1 { "task waits" } else { "tasks wait" };
    let message = format!("{verb} for a person, and there is no terminal to ask on: {list}");
    Err(CommandError::invalid(message).hint(format!(
        "answer beforehand, such as '--answer {first}=true', or limit the wait with 'timeouts: {{total: …}}'"
    )))
}

/// Checks that an answer is what its approval's `schema` says.
fn check_fit(answer: &Answer, plan: &Plan) -> Result<(), CommandError> {
    let Some(task) = plan.find(task_of(&answer.task)) else { return Ok(()) };
    let task = plan.task(task);
    let schema = task.settings.schema.clone();
    let question = Asked { prompt: task.id.clone(), schema, by_agent: false };
    question.check(&answer.value).map_err(|reasons| misfit(&answer.task, &reasons))
}

/// Text is not taken for the answer to an approval.
pub(crate) fn not_json(answer: &str) -> CommandError {
    CommandError::invalid(format!("'{answer}' is not JSON"))
        .hint("write true, false, an object, or a text in quotes")
}

/// An answer that does not fit its question.
pub(crate) fn misfit(task: &str, reasons: &[String]) -> CommandError {
    CommandError::invalid(format!("the answer to '{task}' does not fit: {}", reasons.join("; ")))
}

/// The task of an id that may be an item's.
fn task_of(id: &str) -> &str {
    id.strip_suffix(']').and_then(|id| id.rsplit_once('[')).map_or(id, |(task, _)| task)
}

/// Shows a run on the screen and puts its questions, one at a time.
pub(crate) struct Asker {
    screen: Screen,
    desk: Arc<Desk>,
}

/// What is asked and where the answers go.
struct Desk {
    screen: Screen,
    control: RunControl,
    /// The run, if it is recorded and can be answered from elsewhere.
    recorded: Option<Arc<str>>,
    runtime: Handle,
    questions: Mutex<Questions>,
}

#[derive(Default)]
struct Questions {
    /// The first is on the screen.
    open: VecDeque<Question>,
    /// Somebody listens to the keyboard.
    listening: bool,
}

struct Question {
    task: Arc<str>,
    text: String,
    kind: Kind,
}

/// What kind of answer is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Yes or no, or the task's result.
    Approval,
    /// Anything: what is not JSON is text.
    Free,
    /// JSON that satisfies a schema.
    Json,
}

impl Kind {
    fn of(question: &Asked) -> Self {
        match question {
            Asked { schema: Some(_), .. } => Self::Json,
            Asked { by_agent: true, .. } => Self::Free,
            Asked { .. } => Self::Approval,
        }
    }

    fn invitation(self) -> &'static str {
        match self {
            Self::Approval => "yes or no (or a JSON value as the result)",
            Self::Free => "an answer",
            Self::Json => "a JSON value that fits the question",
        }
    }

    /// What somebody typed.
    fn understand(self, line: &str) -> Option<Value> {
        let json = || serde_json::from_str(line).ok();
        match (self, line.to_lowercase().as_str()) {
            (Self::Approval, "y" | "yes") => Some(Value::Bool(true)),
            (Self::Approval, "n" | "no") => Some(Value::Bool(false)),
            (Self::Free, "") => None,
            (Self::Free, _) => json().or_else(|| Some(Value::String(line.to_owned()))),
            (Self::Approval | Self::Json, _) => json(),
        }
    }
}

impl Asker {
    /// Needs to be made within a tokio runtime. Questions of a run that is
    /// recorded can wait for an answer from elsewhere.
    pub(crate) fn new(screen: Screen, control: RunControl, recorded: Option<Arc<str>>) -> Self {
        let desk = Desk {
            screen: screen.clone(),
            control,
            recorded,
            runtime: Handle::current(),
            questions: Mutex::default(),
        };
        Self { screen, desk: Arc::new(desk) }
    }
}

impl Watcher for Asker {
    fn event(&self, event: &RunEvent) {
        self.screen.watcher().event(event);
        match event {
            RunEvent::Asked { task, question, until } => self.desk.put(task, question, *until),
            RunEvent::TaskFinished { task, .. } => self.desk.withdraw(task),
            _ => {}
        }
    }
}

impl Desk {
    fn put(self: &Arc<Self>, task: &Arc<str>, question: &Asked, until: Option<i64>) {
        if !somebody_is_there() {
            // An agent's question, or an approval that was added to the run.
            match &self.recorded {
                Some(run) => {
                    let shown = !matches!(self.screen, Screen::Silent);
                    let asks = if shown { "waits" } else { &*format!("asks: {}", question.prompt) };
                    let said = format!("{task} {asks}; 'consort answer {run} {task} JSON' answers");
                    tell(&harmless(&said));
                }
                None if until.is_none() => {
                    let comment = format!("nobody is there to ask; '--answer {task}=JSON' answers");
                    self.refuse(task.clone(), comment);
                }
                None => {}
            }
            return;
        }
        let mut questions = self.questions();
        let text = format!("{task} asks: {}", question.prompt);
        let kind = Kind::of(question);
        questions.open.push_back(Question { task: task.clone(), text, kind });
        if questions.open.len() == 1 {
            self.show(&questions);
        }
        if !std::mem::replace(&mut questions.listening, true) {
            let desk = self.clone();
            std::thread::spawn(move || desk.listen());
        }
    }

    /// Takes back the question of a task that is finished.
    fn withdraw(&self, task: &str) {
        let mut questions = self.questions();
        let Some(place) = questions.open.iter().position(|open| *open.task == *task) else {
            return;
        };
        questions.open.remove(place);
        if place == 0 {
            self.show(&questions);
        }
    }

    fn show(&self, questions: &Questions) {
        let prompt = questions.open.front().map(|question| {
            format!("{}\n{}: ", harmless(&question.text), question.kind.invitation())
        });
        self.screen.prompt(prompt);
    }

    /// Reads lines until there are no more.
    fn listen(self: Arc<Self>) {
        for line in io::stdin().lock().lines() {
            let Ok(line) = line else { break };
            self.hear(line.trim());
        }
        let open: Vec<Question> = self.questions().open.drain(..).collect();
        self.screen.prompt(None);
        for question in open {
            if self.recorded.is_none() {
                let comment = "standard input ended before it was answered";
                self.refuse(question.task, comment.to_owned());
            }
        }
        self.questions().listening = false;
    }

    fn hear(self: &Arc<Self>, line: &str) {
        let mut questions = self.questions();
        if questions.open.is_empty() {
            return;
        }
        let Some(question) = questions.open.pop_front() else { return };
        match question.kind.understand(line) {
            Some(value) => self.answer(question, value),
            None => {
                tell(&format!("'{}' is not that: {}", harmless(line), question.kind.invitation()));
                questions.open.push_front(question);
            }
        }
        self.show(&questions);
    }

    /// Passes an answer on; one that does not fit is asked for again.
    fn answer(self: &Arc<Self>, question: Question, value: Value) {
        let desk = self.clone();
        self.runtime.spawn(async move {
            // A task that waits no longer has said so by being finished.
            if let Err(error @ ControlError::Misfit { .. }) =
                desk.control.answer(&question.task, value).await
            {
                tell(&harmless(&error.to_string()));
                let mut questions = desk.questions();
                questions.open.push_front(question);
                desk.show(&questions);
            }
        });
    }

    fn refuse(self: &Arc<Self>, task: Arc<str>, comment: String) {
        let control = self.control.clone();
        self.runtime.spawn(async move {
            // It may have been answered meanwhile.
            let _ = control.refuse(&task, &comment).await;
        });
    }

    fn questions(&self) -> MutexGuard<'_, Questions> {
        self.questions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use consort_core::plan::{Known, compile};
    use consort_core::spec::{Format, parse};

    use serde_json::json;

    use super::*;

    fn checked(answers: &[&str], somebody: bool) -> Result<(), String> {
        let text = "
- {task_id: write, description: x}
- {task_id: review, type: approval, description: 'ok?', depends_on: [write]}
- {task_id: wait, type: approval, description: 'ok?', timeouts: {total: 1}, schema: {type: object}}
";
        let known = Known {
            adapters: vec!["local".into()],
            default_agent: Some("local".into()),
            ..Known::default()
        };
        let plan = parse(text, Format::Yaml).and_then(|document| compile(document, &known, 0));
        let answers: Result<Vec<Answer>, String> =
            answers.iter().map(|text| text.parse()).collect();
        check(&answers?, &plan.expect("a plan"), somebody).map_err(|error| error.to_string())
    }

    #[test]
    fn approvals_are_answered_beforehand_or_by_somebody_or_do_not_wait_for_ever() {
        assert_eq!(checked(&[], true), Ok(()));
        assert_eq!(checked(&["review=true"], false), Ok(()));
        assert_eq!(checked(&["review[3]={\"approved\": false}"], false), Ok(()));
        let error = checked(&[], false).expect_err("nobody answers 'review'");
        assert!(error.contains("'review'") && error.contains("--answer review=true"), "{error}");
        assert!(!error.contains("'wait'"), "{error}");
    }

    #[test]
    fn answers_are_json_and_to_approvals() {
        assert!(checked(&["reveiw=true"], false).unwrap_err().contains("--answer review=…"));
        assert!(checked(&["write=true"], true).unwrap_err().contains("no task 'write' waits"));
        assert!(checked(&["review=yes"], true).unwrap_err().contains("is not JSON"));
        assert!(
            checked(&["review=3", "wait=3"], true).unwrap_err().contains("'wait' does not fit")
        );
        assert_eq!(checked(&["review=3", "wait={}", "wait=false"], true), Ok(()));
        assert!(checked(&["review"], true).unwrap_err().contains("there is no '='"));
    }

    #[test]
    fn what_is_typed_is_understood_as_the_question_wants_it() {
        let approval = |line| Kind::Approval.understand(line);
        assert_eq!(approval("Y"), Some(Value::Bool(true)));
        assert_eq!(approval("no"), Some(Value::Bool(false)));
        assert_eq!(approval("{\"approved\": true}"), Some(json!({"approved": true})));
        assert_eq!((approval("maybe"), approval("")), (None, None));
        assert_eq!(Kind::Free.understand("Oslo"), Some(json!("Oslo")));
        assert_eq!(Kind::Free.understand("no"), Some(json!("no")));
        assert_eq!(Kind::Free.understand("3"), Some(json!(3)));
        assert_eq!(Kind::Json.understand("no"), None);
    }
}
