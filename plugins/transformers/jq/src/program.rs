//! A *program* is a compiled filter.

use consort_plugin_sdk::Failure;
use jaq_core::data::JustLut;
use jaq_core::load::{Arena, Error, File, Loader, lex, span};
use jaq_core::{Compiler, Ctx, Filter, Vars, unwrap_valr};
use jaq_json::Val;

use crate::functions::{definitions, natives};

/// A compiled filter.
pub(crate) struct Program(Filter<JustLut<Val>>);

impl Program {
    /// Compiles a filter; `InvalidInput` names every problem with its place.
    pub(crate) fn compile(filter: &str) -> Result<Self, Failure> {
        let arena = Arena::default();
        let modules =
            Loader::new(definitions()).load(&arena, File { code: filter, path: () }).map_err(
                |errors| refuse(errors.into_iter().flat_map(|(f, e)| load_problems(f.code, e))),
            )?;
        let compiled = Compiler::default()
            .with_funs(natives())
            .with_global_vars(["$task", "$metadata"])
            .compile(modules)
            .map_err(|errors| {
                refuse(errors.into_iter().flat_map(|(file, undefined)| {
                    undefined.into_iter().map(move |(name, what)| {
                        format!(
                            "undefined {} '{name}' at {}",
                            what.as_str(),
                            place(file.code, name)
                        )
                    })
                }))
            })?;
        Ok(Self(compiled))
    }

    /// Runs it; results come one by one, and an error ends them.
    pub(crate) fn run(
        &self,
        input: Val,
        task: Val,
        metadata: Val,
    ) -> impl Iterator<Item = Result<Val, Failure>> + '_ {
        let context = Ctx::<JustLut<Val>>::new(&self.0.lut, Vars::new([task, metadata]));
        let results = self.0.id.run((context, input)).map(unwrap_valr);
        results.map(|result| {
            result.map_err(|error| {
                let message = format!("the filter failed: {}", shortened(&error.to_string()));
                Failure::invalid_input(message).with_code("jq-error")
            })
        })
    }
}

/// Errors quote values, and values can be large.
fn shortened(message: &str) -> String {
    const LIMIT: usize = 300;
    if message.len() <= LIMIT {
        return message.to_owned();
    }
    let (start, end) = (
        message.floor_char_boundary(LIMIT * 2 / 3),
        message.ceil_char_boundary(message.len() - LIMIT / 3),
    );
    format!("{} … {}", &message[..start], &message[end..])
}

fn refuse(problems: impl Iterator<Item = String>) -> Failure {
    let mut problems: Vec<String> = problems.collect();
    problems.dedup();
    let message = format!("'filter' does not compile: {}", problems.join("; "));
    Failure::invalid_input(message).with_code("jq-syntax")
}

fn load_problems(code: &str, error: Error<&str>) -> Vec<String> {
    let found = |part: &str| match part {
        "" => "the end".to_owned(),
        part => format!("'{}'", part.chars().take(20).collect::<String>()),
    };
    match error {
        Error::Io(imports) => imports
            .into_iter()
            .map(|(path, _)| {
                format!(
                    "'{path}' at {} cannot be imported: there are no modules here",
                    place(code, path)
                )
            })
            .collect(),
        Error::Lex(errors) => errors
            .into_iter()
            .map(|(expected, part)| {
                let expected = match expected {
                    // jaq names the other delimiters only.
                    lex::Expect::Delim(open) => format!("an end to '{open}'"),
                    other => other.as_str().to_owned(),
                };
                format!("expected {expected}, found {} at {}", found(part), place(code, part))
            })
            .collect(),
        Error::Parse(errors) => errors
            .into_iter()
            .map(|(expected, part)| {
                let expected = expected.as_str();
                format!("expected {expected}, found {} at {}", found(part), place(code, part))
            })
            .collect(),
    }
}

/// Line and column, counted from 1 in characters.
fn place(code: &str, part: &str) -> String {
    let start = code.floor_char_boundary(span(code, part).start);
    let before = &code[..start];
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
    if code.contains('\n') {
        format!("line {line}, column {column}")
    } else {
        format!("column {column}")
    }
}
