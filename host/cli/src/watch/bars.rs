//! *Bars* on a terminal: a line for each task that runs, and one for all.
//!
//! What happens is only noted; a thread of its own draws ten times a second, so
//! that drawing never holds up the run.

use std::collections::{HashMap, HashSet};
use std::io::Write as _;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use console::{StyledObject, style};
use consort_core::scheduler::Status;
use consort_engine::{RunEvent, Watcher};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::words::{say, seconds};
use crate::terminal::{harmless, tell};

/// Running tasks that are shown.
const MOST_ROWS: usize = 12;
/// A run of more tasks is not told task by task, except for failures.
const FEW_TASKS: usize = 100;
/// Lines that wait to be drawn; more are dropped, and that is said.
const MOST_LINES: usize = 10_000;
const BETWEEN_DRAWINGS: Duration = Duration::from_millis(100);

/// Draws on standard error.
pub(crate) struct Bars {
    verbose: bool,
    board: Arc<Mutex<Board>>,
    painter: Mutex<Option<Painter>>,
}

/// The thread that draws, and what tells it to stop.
struct Painter {
    stop: Sender<()>,
    thread: JoinHandle<()>,
}

/// What is to be drawn next.
#[derive(Default)]
struct Board {
    tasks: usize,
    finished: usize,
    failed: usize,
    /// By id; whoever started first is drawn first.
    running: HashMap<Arc<str>, Running>,
    started: u64,
    /// Questions that wait for an answer.
    asking: HashSet<Arc<str>>,
    paused: bool,
    /// To be written above the bars.
    lines: Vec<String>,
    dropped: usize,
    /// A question that has the screen for itself.
    prompt: Option<String>,
}

struct Running {
    order: u64,
    agent: Arc<str>,
    attempt: u32,
    since: Instant,
    share: Option<f64>,
    message: String,
}

impl Bars {
    pub(super) fn new(verbose: bool) -> Self {
        let board = Arc::new(Mutex::new(Board::default()));
        let (stop, stopped) = channel();
        let drawn = board.clone();
        let thread = std::thread::spawn(move || {
            let mut easel = Easel::new();
            while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(BETWEEN_DRAWINGS) {
                easel.draw(&mut lock(&drawn));
            }
            lock(&drawn).prompt = None;
            easel.draw(&mut lock(&drawn));
            easel.clear();
        });
        Self { verbose, board, painter: Mutex::new(Some(Painter { stop, thread })) }
    }

    /// Nothing is drawn any more.
    fn is_over(&self) -> bool {
        self.painter.lock().unwrap_or_else(PoisonError::into_inner).is_none()
    }

    /// Writes down at once what happens when nothing is drawn any more.
    fn tell(&self, event: &RunEvent) {
        if let Some(line) = say(event, self.verbose) {
            tell(&format!("{} {}", mark(event), harmless(&line)));
        }
    }

    /// Gives the screen to a question, or takes it back.
    pub(super) fn prompt(&self, question: Option<String>) {
        lock(&self.board).prompt = question;
    }
}

impl Watcher for Bars {
    fn event(&self, event: &RunEvent) {
        match event {
            RunEvent::RunFinished { notifications, .. } => {
                // What is printed next must not get in the way of the bars.
                let painter = self.painter.lock().unwrap_or_else(PoisonError::into_inner).take();
                if let Some(Painter { stop, thread }) = painter {
                    let _ = stop.send(());
                    let _ = thread.join();
                }
                if *notifications > 0 {
                    self.tell(event);
                }
            }
            RunEvent::Notified { .. } | RunEvent::NotNotified { .. } if self.is_over() => {
                self.tell(event);
            }
            _ => lock(&self.board).note(event, self.verbose),
        }
    }
}

impl Board {
    fn note(&mut self, event: &RunEvent, verbose: bool) {
        match event {
            RunEvent::RunStarted { tasks, .. } => self.tasks = *tasks,
            RunEvent::RunResumed { tasks, finished, .. } => {
                (self.tasks, self.finished) = (*tasks, *finished);
            }
            RunEvent::TaskStarted { task, agent, attempt, .. } => {
                self.started += 1;
                let running = Running {
                    order: self.started,
                    agent: agent.clone(),
                    attempt: *attempt,
                    since: Instant::now(),
                    share: None,
                    message: String::new(),
                };
                self.running.insert(task.clone(), running);
            }
            RunEvent::Progress { task, update } => {
                if let Some(running) = self.running.get_mut(task) {
                    running.share = update.fraction.or(running.share);
                    if let Some(message) = &update.message {
                        running.message.clone_from(message);
                    }
                }
            }
            RunEvent::Retrying { task, .. } => {
                self.running.remove(task);
                self.say(event, verbose);
            }
            RunEvent::FannedOut { items, .. } => {
                self.tasks += *items as usize;
                self.say(event, verbose);
            }
            RunEvent::Added { .. } => {
                self.tasks += 1;
                if self.tasks <= FEW_TASKS {
                    self.say(event, verbose);
                }
            }
            RunEvent::Answered { task, .. } => {
                self.asking.remove(task);
                self.say(event, verbose);
            }
            RunEvent::Asked { task, .. } => {
                self.running.remove(task);
                self.asking.insert(task.clone());
                self.say(event, verbose);
            }
            RunEvent::Paused | RunEvent::Resumed => {
                self.paused = matches!(event, RunEvent::Paused);
                self.say(event, verbose);
            }
            RunEvent::TaskFinished { task, status, .. } => {
                self.running.remove(task);
                self.asking.remove(task);
                self.finished += 1;
                self.failed += usize::from(*status == Status::Failed);
                if self.tasks <= FEW_TASKS || *status == Status::Failed {
                    self.say(event, verbose);
                }
            }
            RunEvent::Log { .. }
            | RunEvent::NotAdded { .. }
            | RunEvent::Delivered { .. }
            | RunEvent::Closed
            | RunEvent::PolicyFault { .. }
            | RunEvent::Notified { .. }
            | RunEvent::NotNotified { .. }
            | RunEvent::PolicyRested { .. } => self.say(event, verbose),
            RunEvent::RunFinished { .. } => {}
        }
    }

    fn say(&mut self, event: &RunEvent, verbose: bool) {
        let Some(line) = say(event, verbose) else { return };
        if self.lines.len() < MOST_LINES {
            self.lines.push(format!("{} {}", mark(event), harmless(&line)));
        } else {
            self.dropped += 1;
        }
    }
}

/// What is drawn on.
struct Easel {
    bars: MultiProgress,
    whole: ProgressBar,
    rows: Vec<ProgressBar>,
    row: ProgressStyle,
    /// The question on the screen.
    prompt: Option<String>,
}

impl Easel {
    fn new() -> Self {
        let bars = MultiProgress::new();
        let whole = bars.add(ProgressBar::new(0));
        whole.set_style(template("{bar:24.green} {pos}/{len}  {msg}"));
        let row = template("{spinner:.cyan} {msg}");
        Self { bars, whole, rows: Vec::new(), row, prompt: None }
    }

    fn draw(&mut self, board: &mut Board) {
        if self.ask(board.prompt.as_deref()) {
            return;
        }
        for line in board.lines.drain(..) {
            let _ = self.bars.println(line);
        }
        if std::mem::take(&mut board.dropped) > 0 {
            let _ = self.bars.println("… more lines than can be shown");
        }
        let mut running: Vec<(&Arc<str>, &Running)> = board.running.iter().collect();
        running.sort_unstable_by_key(|(_, running)| running.order);
        running.truncate(MOST_ROWS);
        while self.rows.len() > running.len() {
            self.rows.pop().iter().for_each(|row| self.bars.remove(row));
        }
        while self.rows.len() < running.len() {
            let row = ProgressBar::new_spinner().with_style(self.row.clone());
            self.rows.push(self.bars.insert_before(&self.whole, row));
        }
        for (row, (task, running)) in self.rows.iter().zip(running) {
            row.set_message(running.words(task));
            row.tick();
        }
        self.whole.set_length(board.tasks as u64);
        self.whole.set_position(board.finished as u64);
        let failed = match board.failed {
            0 => String::new(),
            failed => format!(", {failed} failed"),
        };
        let asking = match board.asking.len() {
            0 => String::new(),
            asking => format!(", {asking} asking"),
        };
        let paused = if board.paused { ", paused" } else { "" };
        let running = board.running.len();
        self.whole.set_message(format!("{running} running{asking}{failed}{paused}"));
    }

    /// Puts a question in the place of the bars; whether there is one. Lines
    /// wait until it is answered, so that it stays where it is.
    fn ask(&mut self, prompt: Option<&str>) -> bool {
        if self.prompt.as_deref() != prompt {
            self.prompt = prompt.map(str::to_owned);
            if let Some(prompt) = prompt {
                let _ = self.bars.clear();
                // Where nobody listens, nobody answers either.
                let _ = write!(std::io::stderr().lock(), "{prompt}");
            }
        }
        prompt.is_some()
    }

    fn clear(&mut self) {
        for row in self.rows.drain(..) {
            row.finish_and_clear();
        }
        self.whole.finish_and_clear();
    }
}

impl Running {
    fn words(&self, task: &str) -> String {
        let attempt = match self.attempt {
            0 | 1 => String::new(),
            attempt => format!("  attempt {attempt}"),
        };
        let share = self.share.map(|share| format!("  {:.0} %", share * 100.0));
        let words = format!(
            "{task}  {}{attempt}  {}{}  {}",
            self.agent,
            seconds(self.since.elapsed()),
            share.unwrap_or_default(),
            self.message
        );
        harmless(&words).replace(['\n', '\t'], " ")
    }
}

/// Shows at a glance how things go.
fn mark(event: &RunEvent) -> StyledObject<char> {
    let mark = match event {
        RunEvent::TaskFinished { status: Status::Succeeded, .. } => style('✓').green(),
        RunEvent::TaskFinished { status: Status::Failed, .. } => style('✗').red(),
        RunEvent::TaskFinished { .. } => style('–').dim(),
        RunEvent::Retrying { .. }
        | RunEvent::NotAdded { .. }
        | RunEvent::NotNotified { .. }
        | RunEvent::PolicyFault { .. }
        | RunEvent::PolicyRested { .. } => style('!').yellow(),
        RunEvent::Asked { .. } => style('?').cyan(),
        _ => style(' '),
    };
    mark.for_stderr()
}

fn template(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template)
        .expect("the templates of this file are well-formed")
        .progress_chars("━╸─")
}

fn lock(board: &Mutex<Board>) -> MutexGuard<'_, Board> {
    board.lock().unwrap_or_else(PoisonError::into_inner)
}
