//! A *secret* on the command line: its name, and where its value comes from. The
//! value itself never stands there, where every process could read it.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::path::PathBuf;

use consort_engine::config::SecretConfig;

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
    /// Makes this the place the secret comes from. Where it may go stays as the
    /// configuration says it.
    pub(crate) fn apply(
        &self,
        secrets: &mut BTreeMap<String, SecretConfig>,
    ) -> Result<(), CommandError> {
        let secret = secrets.entry(self.name.clone()).or_default();
        (secret.env, secret.file) = match &self.from {
            From::Variable(variable) => (Some(variable.clone()), None),
            From::File(path) => (None, Some(path.clone())),
            From::Unclear => {
                return Err(CommandError::invalid(format!(
                    "where the secret '{}' comes from is not clear",
                    self.name
                ))
                .hint("behind the '=' stands env:VARIABLE or file:PATH, not the secret itself"));
            }
        };
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn secrets_are_named_never_given() {
        let parse = |text: &str| text.parse::<SecretArg>();
        assert_eq!(parse("KEY").unwrap().from, From::Variable("KEY".to_owned()));
        assert_eq!(parse("KEY=env:OTHER").unwrap().from, From::Variable("OTHER".to_owned()));
        assert_eq!(parse("KEY=file:/k:1").unwrap().from, From::File("/k:1".into()));
        for unclear in ["KEY=sk-123456", "KEY=", "KEY=file:", "KEY=env:"] {
            let error = parse(unclear).unwrap().apply(&mut BTreeMap::new()).unwrap_err();
            let error = error.to_string();
            assert!(error.contains("env:VARIABLE") && !error.contains("sk-123456"), "{error}");
        }
    }

    #[test]
    fn the_command_line_says_where_from_and_the_configuration_where_to() {
        let config = SecretConfig {
            env: Some("OLD".to_owned()),
            file: None,
            to: Some(vec!["https://a.example".parse().unwrap()]),
        };
        let mut secrets = BTreeMap::from([("KEY".to_owned(), config)]);
        "KEY=file:k".parse::<SecretArg>().unwrap().apply(&mut secrets).unwrap();
        let secret = &secrets["KEY"];
        assert_eq!((&secret.env, secret.file.as_deref()), (&None, Some(Path::new("k"))));
        assert_eq!(secret.to.as_ref().map(Vec::len), Some(1));
    }
}
