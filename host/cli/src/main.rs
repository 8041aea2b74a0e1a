//! The `consort` command.
//!
//! * [`commands`]: one command, one file.
//! * [`document`]: the workflow file they are about.
//! * [`diagnose`]: problems with it, shown in place.
//! * [`host`], [`inputs`], [`secrets`], [`approvals`]: what a run is set up with.
//! * [`process`]: open files, threads, signals.
//! * [`execution`], [`watch`], [`outcome`]: a run as it goes on, and what came of it.
//! * [`store`], [`requests`], [`when`]: runs that are recorded.
//! * [`picture`]: workflows as drawings.
//! * [`component`]: plugins as their files show them.
//! * [`terminal`], [`table`], [`error`]: what is printed, and how the process
//!   ends.

mod approvals;
mod commands;
mod component;
mod diagnose;
mod document;
mod error;
mod execution;
mod host;
mod inputs;
mod outcome;
mod picture;
mod process;
mod requests;
mod secrets;
mod store;
mod table;
mod terminal;
mod watch;
mod when;

use std::io::ErrorKind;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::commands::answer::{AnswerArgs, answer};
use crate::commands::backup::{BackupArgs, backup};
use crate::commands::cancel::{CancelArgs, cancel};
use crate::commands::check::{CheckArgs, check};
use crate::commands::complete::{CompleteArgs, complete};
use crate::commands::gc::{GcArgs, gc};
use crate::commands::graph::{GraphArgs, graph};
use crate::commands::history::{HistoryArgs, history};
use crate::commands::list::{ListArgs, list};
use crate::commands::plugin_inspect::{PluginInspectArgs, plugin_inspect};
use crate::commands::plugin_list::{PluginListArgs, plugin_list};
use crate::commands::result::{ResultArgs, result};
use crate::commands::resume::{ResumeArgs, resume};
use crate::commands::retry::{RetryArgs, retry};
use crate::commands::run::{RunArgs, run};
use crate::commands::schema::{SchemaArgs, print_schema};
use crate::commands::status::{StatusArgs, status};
use crate::commands::validate::{ValidateArgs, validate};
use crate::error::Exit;

/// Millions of small things are made on one thread and dropped on another, and
/// some of them stay; the allocator of glibc keeps nearly twice the memory then.
/// Huge pages are not asked for (`no_thp`): they are a little faster, and 10,000
/// calls at once take a tenth more memory.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Run graphs of tasks across agents of different frameworks
#[derive(Debug, Parser)]
#[command(
    name = "consort",
    version,
    after_help = "\
Examples:
  consort run flow.yaml           live progress, then the results
  consort validate flow.yaml      every problem, with line and remedy
  consort graph flow.yaml         who waits for whom
  consort run flow.yaml --store runs.db    recorded: 'resume', 'list', 'history'
  consort schema                  the format, for editors
  consort plugin list             adapters, prioritizers, transformers

'consort COMMAND --help' has more examples. https://github.com/consort-project/consort"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Validate(ValidateArgs),
    Run(RunArgs),
    Resume(ResumeArgs),
    Retry(RetryArgs),
    Answer(AnswerArgs),
    Complete(CompleteArgs),
    Cancel(CancelArgs),
    Graph(GraphArgs),
    List(ListArgs),
    Status(StatusArgs),
    History(HistoryArgs),
    Result(ResultArgs),
    Gc(GcArgs),
    Backup(BackupArgs),
    Check(CheckArgs),
    Schema(SchemaArgs),
    /// Look at plugins
    #[command(
        subcommand,
        after_help = "\
Examples:
  consort plugin list
  consort plugin inspect openai

Plugins are compiled when they are first used. The code is kept in $CONSORT_CACHE_DIR,
else in $XDG_CACHE_HOME/consort, else in ~/.cache/consort: at most 2 GiB of it, or what
'cache_size' under 'plugins' in the host configuration says, and what was not used for
longest goes first. It may be deleted at any time."
    )]
    Plugin(PluginCommand),
}

#[derive(Debug, Subcommand)]
enum PluginCommand {
    List(PluginListArgs),
    Inspect(PluginInspectArgs),
}

fn main() -> ExitCode {
    let command = match Cli::try_parse() {
        Ok(cli) => cli.command,
        Err(other) => return told(&other).into(),
    };
    let done = match command {
        Command::Validate(args) => validate(&args),
        Command::Run(args) => run(&args),
        Command::Resume(args) => resume(&args),
        Command::Retry(args) => retry(&args),
        Command::Answer(args) => answer(&args),
        Command::Complete(args) => complete(&args),
        Command::Cancel(args) => cancel(&args),
        Command::Graph(args) => graph(&args),
        Command::List(args) => list(&args),
        Command::Status(args) => status(&args),
        Command::History(args) => history(&args),
        Command::Result(args) => result(&args),
        Command::Gc(args) => gc(&args),
        Command::Backup(args) => backup(&args),
        Command::Check(args) => check(&args),
        Command::Schema(args) => print_schema(&args),
        Command::Plugin(PluginCommand::List(args)) => plugin_list(&args),
        Command::Plugin(PluginCommand::Inspect(args)) => plugin_inspect(&args),
    };
    match done {
        Ok(exit) => exit.into(),
        Err(error) => {
            terminal::complain(&error);
            error.exit().into()
        }
    }
}

/// Shows what is wrong with the command line, or the help or the version that it
/// asks for.
fn told(what: &clap::Error) -> Exit {
    match what.print() {
        _ if what.use_stderr() => Exit::Invalid,
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            terminal::tell(&format!("error: could not write to standard output: {error}"));
            Exit::Failed
        }
        _ => Exit::Success,
    }
}
