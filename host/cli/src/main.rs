//! The `consort` command.
//!
//! * [`commands`]: one command, one file.
//! * [`document`]: the workflow file they are about.
//! * [`diagnose`] and [`locate`]: problems with it, shown in place.
//! * [`picture`]: workflows as drawings.
//! * [`terminal`] and [`error`]: what is printed, and how the process ends.

mod commands;
mod diagnose;
mod document;
mod error;
mod locate;
mod picture;
mod terminal;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::commands::graph::{self, GraphArgs};

/// Run graphs of tasks across agents of different frameworks
#[derive(Debug, Parser)]
#[command(
    name = "consort",
    version,
    after_help = "\
Examples:
  consort validate flow.yaml      every problem, with line and remedy
  consort graph flow.yaml         who waits for whom

'consort COMMAND --help' has more examples. https://github.com/consort-project/consort"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Graph(GraphArgs),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = match &cli.command {
        Command::Graph(args) => graph::graph(args),
    };
    match result {
        Ok(exit) => exit.into(),
        Err(error) => {
            terminal::tell(&terminal::harmless(&error.to_string()));
            error.exit.into()
        }
    }
}
