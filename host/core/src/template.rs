//! A *template* is an instruction with gaps that a run fills in.
//!
//! minijinja without access to anything but the values it is given, with a
//! budget of steps and of output, and where an undefined value is an error: a
//! prompt with a hole in it is worse than a task that fails.

mod reads;
mod syntax;

use std::io;
use std::ops::Range;
use std::sync::{Arc, LazyLock};

use minijinja::value::Serde;
use minijinja::{Environment, ErrorKind, UndefinedBehavior, Value};
use serde::Serialize;

pub use reads::Reads;

use crate::spec::brief;
use crate::spec::limits::{MAX_TEMPLATE, MAX_TEXT};

/// Steps one rendering may take.
const FUEL: u64 = 1_000_000;
/// Bytes one rendering may produce.
pub const MAX_OUTPUT: usize = 4 << 20;

static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_fuel(Some(FUEL));
    environment.set_formatter(write_value);
    environment
});

/// A string is inserted as it is and anything else as JSON: instructions are read
/// by agents, which know JSON better than a template engine's own notation.
fn write_value(
    output: &mut minijinja::Output<'_>,
    state: &mut minijinja::State<'_, '_>,
    value: &Value,
) -> Result<(), minijinja::Error> {
    if value.is_undefined() || value.as_str().is_some() {
        return minijinja::escape_formatter(output, state, value);
    }
    match serde_json::to_string(value) {
        Ok(json) => Ok(output.write_str(&json)?),
        Err(_) => minijinja::escape_formatter(output, state, value),
    }
}

/// An instruction, checked once and rendered once for every attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    source: Arc<str>,
    /// Without `{{`, `{%` or `{#` there is nothing to render.
    plain: bool,
}

impl Template {
    /// Checks the syntax.
    ///
    /// # Errors
    ///
    /// What is wrong, with the line. A text, a template or one of its gaps that
    /// is too long is wrong as well: see [`limits`](crate::spec::limits).
    pub fn new(source: &str) -> Result<Self, String> {
        let plain = is_plain(source);
        let most = if plain { MAX_TEXT } else { MAX_TEMPLATE };
        if source.len() > most {
            return Err(format!("{} bytes are too long; {most} are the most", source.len()));
        }
        if !plain {
            syntax::check(source, false)?;
            ENVIRONMENT.template_from_str(source).map_err(|error| explain(&error, source))?;
        }
        Ok(Self { source: source.into(), plain })
    }

    /// Whether rendering needs no values.
    pub fn is_plain(&self) -> bool {
        self.plain
    }

    /// The text as written.
    pub fn source(&self) -> &Arc<str> {
        &self.source
    }

    /// What it reads from the values it is given.
    pub fn reads(&self) -> Reads {
        if self.plain {
            return Reads::default();
        }
        let template = ENVIRONMENT.template_from_str(&self.source);
        template.map(|t| Reads::of(&self.source, t.undeclared_variables(true))).unwrap_or_default()
    }

    /// Fills in the gaps. `values` is called only if there are any.
    ///
    /// # Errors
    ///
    /// An undefined value, a wrong operation, or too many steps or bytes.
    pub fn render<V: Serialize>(&self, values: impl FnOnce() -> V) -> Result<Arc<str>, String> {
        if self.plain {
            return Ok(self.source.clone());
        }
        let template = ENVIRONMENT
            .template_from_str(&self.source)
            .map_err(|error| explain(&error, &self.source))?;
        let mut output = Capped::default();
        match template.render_captured_to(Value::from(Serde(values())), &mut output) {
            _ if output.full => Err(format!("it renders to more than {MAX_OUTPUT} bytes")),
            Err(error) => Err(explain(&error, &self.source)),
            Ok(_) => Ok(String::from_utf8(output.bytes)
                .map_err(|_| "it renders to something that is not UTF-8".to_owned())?
                .into()),
        }
    }
}

/// An expression, such as `results.search.hits | length > 3`, without braces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expression {
    source: Arc<str>,
}

impl Expression {
    /// Checks the syntax.
    ///
    /// # Errors
    ///
    /// What is wrong.
    pub fn new(source: &str) -> Result<Self, String> {
        syntax::check(source, true)?;
        ENVIRONMENT.compile_expression(source).map_err(|error| explain(&error, source))?;
        Ok(Self { source: source.into() })
    }

    /// The text as written.
    pub fn source(&self) -> &Arc<str> {
        &self.source
    }

    /// What it reads from the values it is given.
    pub fn reads(&self) -> Reads {
        let expression = ENVIRONMENT.compile_expression(&self.source);
        expression
            .map(|e| Reads::of(&self.source, e.undeclared_variables(true)))
            .unwrap_or_default()
    }

    /// Its value, if that is the same whatever it is given.
    pub fn constant(&self) -> Option<serde_json::Value> {
        self.reads().names.is_empty().then(|| self.evaluate(()).ok()).flatten()
    }

    /// An expression that holds when both do.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        Self { source: format!("({}) and ({})", self.source, other.source).into() }
    }

    /// Its value as JSON.
    ///
    /// # Errors
    ///
    /// An undefined value, a wrong operation, too many steps, or a value that
    /// JSON cannot express.
    pub fn evaluate<V: Serialize>(&self, values: V) -> Result<serde_json::Value, String> {
        let value = self.value(values)?;
        serde_json::to_value(&value).map_err(|error| error.to_string())
    }

    /// Whether its value counts as true: not `false`, `none`, 0, or empty.
    ///
    /// # Errors
    ///
    /// As [`evaluate`](Self::evaluate).
    pub fn holds<V: Serialize>(&self, values: V) -> Result<bool, String> {
        Ok(self.value(values)?.is_true())
    }

    fn value<V: Serialize>(&self, values: V) -> Result<Value, String> {
        let explain = |error: minijinja::Error| explain(&error, &self.source);
        let expression = ENVIRONMENT.compile_expression(&self.source).map_err(explain)?;
        let value = expression.eval(Value::from(Serde(values))).map_err(explain)?;
        if value.is_undefined() {
            return Err(format!("`{}` is undefined", self.source.trim()));
        }
        Ok(value)
    }
}

/// Values made ready for templates once and used by any number of renderings.
/// Cheap to clone, and cheap as a part of other values.
#[derive(Debug, Clone, Default)]
pub struct Shared(Value);

impl Shared {
    /// Makes values ready.
    pub fn new<V: Serialize>(values: V) -> Self {
        Self(Value::from(Serde(values)))
    }
}

impl Serialize for Shared {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(to)
    }
}

/// Whether there is nothing to fill in.
fn is_plain(source: &str) -> bool {
    let bytes = source.as_bytes();
    !bytes.contains(&b'{') || !bytes.windows(2).any(|two| matches!(two, b"{{" | b"{%" | b"{#"))
}

/// A writer that refuses to grow past [`MAX_OUTPUT`].
#[derive(Default)]
struct Capped {
    bytes: Vec<u8>,
    full: bool,
}

impl io::Write for Capped {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + bytes.len() > MAX_OUTPUT {
            self.full = true;
            return Err(io::Error::other("too large"));
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What is wrong, for the author of the template `source`.
fn explain(error: &minijinja::Error, source: &str) -> String {
    let undefined = error.kind() == ErrorKind::UndefinedError;
    let named = error.range().filter(|_| undefined).and_then(|range| path_at(source, range));
    let what = match (named, error.detail()) {
        (Some(expression), _) => format!("`{}` is undefined", expression.trim()),
        _ if error.kind() == ErrorKind::OutOfFuel => {
            format!("it takes more than {FUEL} steps; let a transformer do what is so much work")
        }
        (None, Some(detail)) => detail.to_owned(),
        (None, None) if undefined => format!("something in `{}` is undefined", brief(source)),
        (None, None) => error.kind().to_string(),
    };
    match error.line() {
        Some(line) => format!("{what} (line {line} of the template)"),
        None => what,
    }
}

/// The path that ends in a range: of `a.b.c` minijinja names the last steps only.
fn path_at(source: &str, range: Range<usize>) -> Option<&str> {
    let named = source.get(range.clone())?;
    if !named.starts_with(['.', '[']) {
        return Some(named);
    }
    let step = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '[' | ']' | '\'' | '"');
    source.get(source[..range.start].trim_end_matches(step).len()..range.end)
}

#[cfg(test)]
mod tests;
