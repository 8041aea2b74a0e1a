//! `consort schema`: the workflow format for editors and programs.

use clap::Args;
use consort_core::spec::schema;

use crate::error::{CommandError, Exit};
use crate::terminal::print_json;

/// Print the JSON Schema of the workflow format
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  consort schema > workflow.schema.json

Editors check workflows as they are written, given a first line such as
  # yaml-language-server: $schema=workflow.schema.json")]
pub(crate) struct SchemaArgs {}

/// Carries the command out.
pub(crate) fn print_schema(_: &SchemaArgs) -> Result<Exit, CommandError> {
    print_json(&schema())?;
    Ok(Exit::Success)
}
