//! What a template or an expression *reads* from the values it is given, known
//! before there are any.

use std::collections::BTreeSet;

use super::ENVIRONMENT;

/// What objects can be asked besides their values: none of these is an input.
const METHODS: [&str; 4] = ["items", "keys", "values", "get"];

/// What a template or an expression reads. Names that it sets itself are not
/// among them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reads {
    /// The names it reads.
    pub names: BTreeSet<String>,
    /// The names after `results.`. A result that is found by a computed name, as
    /// in `results[item]`, is not known here.
    pub results: BTreeSet<String>,
    /// The names after `inputs.`.
    pub inputs: BTreeSet<String>,
    /// Whether it reads `inputs` as a whole, or by a computed name.
    pub all_inputs: bool,
    /// Whether it asks if values are there (`is defined`, `default`), and so may
    /// be meant for some that are not.
    pub guarded: bool,
    /// Whether it sets variables, so that a name may be its own.
    pub sets: bool,
}

impl Reads {
    pub(super) fn of(source: &str, variables: impl IntoIterator<Item = String>) -> Self {
        let mut reads = Self {
            guarded: source.contains("defined") || source.contains("default"),
            sets: source.contains("set ") || source.contains("with "),
            ..Self::default()
        };
        for variable in variables {
            let mut parts = variable.split('.');
            let Some(name) = parts.next() else { continue };
            match (name, parts.next()) {
                ("results", Some(result)) => {
                    reads.results.insert(result.to_owned());
                }
                ("inputs", None) => reads.all_inputs = true,
                ("inputs", Some(method)) if METHODS.contains(&method) => reads.all_inputs = true,
                ("inputs", Some(input)) => {
                    reads.inputs.insert(input.to_owned());
                }
                _ => {}
            }
            if ENVIRONMENT.globals().all(|(global, _)| global != name) {
                reads.names.insert(name.to_owned());
            }
        }
        reads
    }
}
