//! A *template* is an instruction with gaps that a run fills in.
//!
//! minijinja without access to anything but the values it is given, with a
//! budget of steps and of output, and where an undefined value is an error: a
//! prompt with a hole in it is worse than a task that fails.

use std::io;
use std::sync::{Arc, LazyLock};

use minijinja::value::Serde;
use minijinja::{Environment, ErrorKind, UndefinedBehavior, Value};
use serde::Serialize;

/// Steps one rendering may take.
const FUEL: u64 = 1_000_000;
/// Bytes one rendering may produce.
pub const MAX_OUTPUT: usize = 4 << 20;

static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_fuel(Some(FUEL));
    environment
});

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
    /// What is wrong, with the line.
    pub fn new(source: &str) -> Result<Self, String> {
        let plain = !["{{", "{%", "{#"].iter().any(|mark| source.contains(mark));
        if !plain {
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
    let named = error.range().filter(|_| undefined).and_then(|range| source.get(range));
    let what = match (named, error.detail()) {
        (Some(expression), _) => format!("`{}` is undefined", expression.trim()),
        (None, Some(detail)) => detail.to_owned(),
        (None, None) => error.kind().to_string(),
    };
    match error.line() {
        Some(line) => format!("{what} (line {line} of the template)"),
        None => what,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn gaps_are_filled_and_plain_text_is_not_touched() {
        let template = Template::new("Compare {{ results.a.text }} with {{ inputs.n }}").unwrap();
        let values = json!({"results": {"a": {"text": "x"}}, "inputs": {"n": 3}});
        assert_eq!(&*template.render(|| values).unwrap(), "Compare x with 3");
        let plain = Template::new("100 % {plain}").unwrap();
        assert_eq!(&*plain.render(|| -> () { panic!("not needed") }).unwrap(), "100 % {plain}");
    }

    #[test]
    fn holes_endless_loops_and_floods_are_errors() {
        let render = |source: &str| Template::new(source).unwrap().render(|| json!({"a": {}}));
        assert!(render("{{ a.b.c }}").is_err());
        let hole = render("hello {{ nothing }}").unwrap_err();
        assert_eq!(hole, "`nothing` is undefined (line 1 of the template)");
        let endless =
            "{% for i in range(9999) %}{% for j in range(9999) %}{% endfor %}{% endfor %}";
        assert!(render(endless).unwrap_err().contains("fuel"));
        let flood = "{% for i in range(9999) %}{{ '0123456789' * 100 }}{% endfor %}";
        assert!(render(flood).is_err());
        assert!(Template::new("{% if %}").is_err());
    }
}
