//! `consort graph`: draws a workflow, or one task and what it hangs together
//! with. Needs nothing but the file: agents need not exist to be drawn.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use consort_core::plan::{Known, Plan};
use consort_core::problem::{Problem, nearest};

use crate::diagnose;
use crate::document::Document;
use crate::error::{CommandError, Exit};
use crate::picture::{Picture, TooLarge, dot, mermaid, svg, text};
use crate::terminal::print;

/// Stands for the agent of tasks that name none.
const DEFAULT_AGENT: &str = "default agent";

/// Draw a workflow, or one task with its dependencies and dependents
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  consort graph flow.yaml                          levels of tasks in the terminal
  consort graph flow.yaml --format svg > flow.svg  a picture for a document
  consort graph flow.yaml --task report            what 'report' waits for, and what waits for it

Exit codes: 0 drawn, 1 too large to draw, 2 the workflow is not valid")]
pub(crate) struct GraphArgs {
    /// Workflow file, YAML or JSON; '-' reads standard input
    file: PathBuf,

    /// What to draw it as
    #[arg(long, value_enum, default_value_t = PictureFormat::Text)]
    format: PictureFormat,

    /// Only this task, everything it waits for and everything that waits for it
    #[arg(long, value_name = "ID")]
    task: Option<String>,
}

/// What a workflow can be drawn as.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum PictureFormat {
    /// For Markdown: a Mermaid flow chart
    Mermaid,
    /// For Graphviz
    Dot,
    /// A picture that needs nothing else
    Svg,
    /// For the terminal
    Text,
}

/// Carries the command out.
pub(crate) fn graph(args: &GraphArgs) -> Result<Exit, CommandError> {
    let document = Document::read(&args.file)?;
    let plan = plan(&document).map_err(|problems| diagnose::problems(&document, problems))?;
    let picture = match &args.task {
        None => Picture::of_plan(&plan),
        Some(id) => {
            let task = plan.find(id).ok_or_else(|| no_such_task(&plan, id))?;
            Picture::of_task(&plan, task)
        }
    };
    let drawn = match args.format {
        PictureFormat::Mermaid => mermaid(&picture),
        PictureFormat::Dot => dot(&picture),
        PictureFormat::Text => text(&picture),
        PictureFormat::Svg => svg(&picture).map_err(|TooLarge| {
            CommandError::failed(format!(
                "{} tasks are too many for one SVG picture",
                picture.nodes.len()
            ))
            .hint("draw a part with '--task ID', or use '--format dot' with Graphviz's sfdp")
        })?,
    };
    print(&drawn)?;
    Ok(Exit::Success)
}

fn no_such_task(plan: &Plan, id: &str) -> CommandError {
    let error = CommandError::invalid(format!("the workflow has no task '{id}'"));
    match nearest(id, plan.tasks.iter().map(|task| &*task.id)) {
        Some(near) => error.hint(format!("did you mean '{near}'?")),
        None => error.hint("'consort graph FILE' lists all tasks"),
    }
}

/// The plan, with every agent and plugin that the workflow names taken for
/// known: what it is for need not be here.
fn plan(document: &Document) -> Result<Plan, Vec<Problem>> {
    let default_agent = Some(DEFAULT_AGENT.to_owned());
    document.compile(&Known { default_agent, anything: true, ..Known::default() }).plan
}
