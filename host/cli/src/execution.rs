//! An *execution*: a run that is ready is carried out before somebody's eyes,
//! until it ends or a signal stops it.

use std::collections::HashSet;
use std::io::IsTerminal as _;
use std::sync::Arc;

use clap::Args;
use consort_core::scheduler::Status;
use consort_engine::{CancellationToken, Engine, Interrupted, Report, Run};
use consort_plugin_host::egress::Rule;
use serde_json::{Map, Value, json};

use crate::approvals::Asker;
use crate::document::Document;
use crate::error::{CommandError, Exit};
use crate::host::{HostArgs, PolicyArgs, engine};
use crate::outcome::{self, Style};
use crate::process;
use crate::secrets::SecretArg;
use crate::terminal::{harmless, print, print_by, print_json, tell};
use crate::watch::{Screen, Show};

/// The host, and what this run may use besides.
#[derive(Debug, Args)]
pub(crate) struct OperatorArgs {
    #[command(flatten)]
    pub(crate) host: HostArgs,

    /// Allow more requests, such as 'GET https://*.example.com/docs'
    #[arg(long, value_name = "RULE")]
    allow: Vec<Rule>,

    /// Allow addresses of this private network, where a rule allows the request
    #[arg(long, value_name = "CIDR")]
    allow_private: Vec<ipnet::IpNet>,

    /// Provide a secret [default: from the environment variable of that name]
    #[arg(long, value_name = "NAME[=env:VAR|file:PATH]")]
    secret: Vec<SecretArg>,
}

/// What is shown.
#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    /// Print one JSON object: {run_id, status, tasks, metrics}
    #[arg(long)]
    pub(crate) json: bool,

    /// Print nothing but the results, and why tasks failed
    #[arg(long, short)]
    pub(crate) quiet: bool,

    /// Show what plugins log, too
    #[arg(long, short, conflicts_with = "quiet")]
    pub(crate) verbose: bool,
}

impl OperatorArgs {
    /// Sets the host up, with this policy and so many tasks at once if that is said.
    pub(crate) fn set_up(
        &self,
        show: &ShowArgs,
        policy: Option<&PolicyArgs>,
        concurrency: Option<u32>,
    ) -> Result<(Engine, Document), CommandError> {
        if show.verbose {
            process::log_to_stderr();
        }
        process::allow_many_files();
        let (mut setup, written) = self.host.setup(policy)?;
        let config = &mut setup.config;
        config.concurrency = concurrency.or(config.concurrency);
        config.network.allow.extend(self.allow.iter().cloned());
        config.network.options.private.extend(&self.allow_private);
        for secret in &self.secret {
            secret.apply(&mut config.secrets)?;
        }
        Ok((engine(setup, &written.config)?, written.policy))
    }
}

/// Makes a run ready with `make_ready`, which also gives its inputs, and carries
/// it out. One that is recorded can be answered from elsewhere.
pub(crate) fn execute(
    args: &ShowArgs,
    recorded: bool,
    make_ready: impl AsyncFnOnce() -> Result<(Run, Map<String, Value>), CommandError>,
) -> Result<Exit, CommandError> {
    let runtime = process::runtime()?;
    let stop = CancellationToken::new();
    process::obey_signals(&runtime, stop.clone());
    let ended = runtime.block_on(async {
        let (run, inputs) = tokio::select! {
            ready = make_ready() => ready?,
            () = stop.cancelled() => return Ok(None),
        };
        let last = outcome::last_tasks(run.plan());
        let show = Show { quiet: args.quiet, json: args.json, verbose: args.verbose };
        let recorded = recorded.then(|| run.id().clone());
        let asker = Arc::new(Asker::new(Screen::new(show), run.control(), recorded));
        let report = run.execute(inputs, asker, stop.clone()).await.map_err(interrupted)?;
        Ok(Some((report, last)))
    });
    runtime.shutdown_background();
    let Some((report, last)) = ended? else {
        if args.json {
            print_json(&json!({"status": "cancelled", "problems": []}))?;
        }
        return Ok(Exit::Interrupted);
    };
    show(args, &report, &last)?;
    Ok(match report.status {
        Status::Succeeded => Exit::Success,
        _ if stop.is_cancelled() => Exit::Interrupted,
        _ => Exit::Failed,
    })
}

/// Prints why nothing came of it as an object, too, where one is expected.
pub(crate) fn also_as_json(args: &ShowArgs, error: &CommandError) {
    if args.json && !error.is_cut_off() {
        let status = if error.exit() == Exit::Invalid { "invalid" } else { "failed" };
        let report = json!({"status": status, "problems": error.findings()});
        // The error itself is shown in any case.
        let _ = print_json(&report);
    }
}

fn interrupted(error: Interrupted) -> CommandError {
    let hint = format!(
        "what was recorded is safe; when the store works again, 'consort resume {}' goes on",
        error.run_id
    );
    CommandError::failed(error.to_string()).hint(hint)
}

fn show(args: &ShowArgs, report: &Report, last: &HashSet<Arc<str>>) -> Result<(), CommandError> {
    if args.json {
        return outcome::print_report(report);
    }
    // A file gets what an agent said as it is; a terminal must not obey it.
    let terminal = std::io::stdout().is_terminal();
    if !args.quiet {
        let table = outcome::table(report);
        print(&if terminal { harmless(&table) } else { table })?;
    }
    let style = Style { titled: !args.quiet, terminal };
    let printed = print_by(|out| outcome::outputs(report, last, style, out));
    printed.map_err(|error| outcome::blame(report, error))?;
    let errors = outcome::errors(report);
    if !errors.is_empty() {
        tell(harmless(&errors).trim_end());
    }
    Ok(())
}
