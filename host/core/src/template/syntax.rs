//! What minijinja does not check before it is too late.
//!
//! Its compiler recurses over expressions, so an expression without end would
//! end the process: their length is bounded, in tokens. And it looks up filters
//! and tests only when it comes to them.

use minijinja::ErrorKind;
use minijinja::machinery::{Token, tokenize};

use super::ENVIRONMENT;
use crate::spec::limits::{MAX_EXPRESSION, MAX_STATEMENTS};

/// Checks a template, or an expression, token by token. What is not even a
/// token is left to the parser, which says it better.
pub(super) fn check(source: &str, expression: bool) -> Result<(), String> {
    let mut length = 0;
    let mut statements = 0;
    let mut before = [None, None];
    for token in tokenize(source, expression, Default::default()) {
        let Ok((token, _)) = token else { break };
        match token {
            Token::VariableStart | Token::BlockStart => {
                length = 0;
                statements += 1;
            }
            _ => length += 1,
        }
        if length > MAX_EXPRESSION {
            return Err(format!("an expression has more than {MAX_EXPRESSION} parts"));
        }
        if statements > MAX_STATEMENTS {
            return Err(format!("there are more than {MAX_STATEMENTS} gaps and statements"));
        }
        let word = match token {
            Token::Ident(word) => Some(word),
            Token::Pipe => Some("|"),
            _ => None,
        };
        if let Some(name) = word {
            match before {
                [_, Some("|")] => known("filter", name)?,
                [_, Some("is")] if name != "not" => known("test", name)?,
                [Some("is"), Some("not")] => known("test", name)?,
                _ => {}
            }
        }
        before = [before[1], word];
    }
    Ok(())
}

/// Whether minijinja has a filter or test of that name.
fn known(what: &str, name: &str) -> Result<(), String> {
    let mut state = ENVIRONMENT.empty_state();
    let (tried, missing) = match what {
        "filter" => (state.apply_filter(name, &[]).map(drop), ErrorKind::UnknownFilter),
        _ => (state.perform_test(name, &[]).map(drop), ErrorKind::UnknownTest),
    };
    match tried {
        Err(error) if error.kind() == missing => Err(format!("there is no {what} '{name}'")),
        _ => Ok(()),
    }
}
