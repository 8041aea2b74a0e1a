//! A *secret* on the command line: its name, and where its value comes from. The
//! value itself never stands there, where every process could read it.

use std::convert::Infallible;
use std::path::PathBuf;

use consort_plugin_host::egress::Secret;

use crate::error::CommandError;

/// One `--secret`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SecretArg {
    /// As agents' configurations name it.
    pub(crate) name: String,
    from: From,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum From {
    Variable(String),
    File(PathBuf),
    /// Neither. It may be the secret itself, so it is neither kept nor shown;
    /// that is also why parsing it is no error, which would repeat it.
    Unclear,
}

impl std::str::FromStr for SecretArg {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        let (name, from) = match text.split_once('=') {
            None => (text, From::Variable(text.to_owned())),
            Some((name, from)) => (name, place(from)),
        };
        Ok(Self { name: name.to_owned(), from })
    }
}

fn place(text: &str) -> From {
    match text.split_once(':') {
        Some(("env", name)) if !name.is_empty() => From::Variable(name.to_owned()),
        Some(("file", path)) if !path.is_empty() => From::File(path.into()),
        _ => From::Unclear,
    }
}

impl SecretArg {
    /// Fetches the value.
    pub(crate) fn value(&self) -> Result<Secret, CommandError> {
        let name = &self.name;
        let (place, text) = match &self.from {
            From::Variable(variable) => (
                format!("environment variable '{variable}'"),
                std::env::var(variable).map_err(|error| error.to_string()),
            ),
            From::File(path) => (
                format!("file '{}'", path.display()),
                std::fs::read_to_string(path).map_err(|error| error.to_string()),
            ),
            From::Unclear => (
                "what stands behind the '='".to_owned(),
                Err("it is neither env:VARIABLE nor file:PATH".to_owned()),
            ),
        };
        text.and_then(|text| Secret::new(text).map_err(|error| error.to_string())).map_err(
            |reason| {
                CommandError::invalid(format!(
                    "could not get the secret '{name}' from {place}: {reason}"
                ))
                .hint("set the variable, or write NAME=env:VARIABLE or NAME=file:PATH")
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_named_never_given() {
        let parse = |text: &str| text.parse::<SecretArg>();
        assert_eq!(parse("KEY").unwrap().from, From::Variable("KEY".to_owned()));
        assert_eq!(parse("KEY=env:OTHER").unwrap().from, From::Variable("OTHER".to_owned()));
        assert_eq!(parse("KEY=file:/k:1").unwrap().from, From::File("/k:1".into()));
        for unclear in ["KEY=sk-123456", "KEY=", "KEY=file:", "KEY=env:"] {
            let error = parse(unclear).unwrap().value().unwrap_err().to_string();
            assert!(error.contains("env:VARIABLE") && !error.contains("sk-123456"), "{error}");
        }
    }

    #[test]
    fn a_secret_that_is_not_there_says_where_it_was_looked_for() {
        let secret: SecretArg = "KEY=env:NO_SUCH_VARIABLE_ANYWHERE".parse().unwrap();
        let error = secret.value().unwrap_err().to_string();
        assert!(error.contains("NO_SUCH_VARIABLE_ANYWHERE"), "{error}");
    }
}
