//! A *secret* never enters the sandbox. The guest is given a *placeholder*, and
//! the host puts the secret in its place while a request leaves, provided the
//! secret is granted for where the request goes.
//!
//! Placeholders are replaced in header values: the whole value, a part of it
//! (`Bearer <placeholder>`), or inside the base64 of `authorization: Basic`. In
//! the path or query of any request, and in the headers of a request the secret
//! is not granted for, a placeholder refuses the request. Bodies are not
//! scanned: a placeholder there arrives as it stands, which is worth nothing.
//!
//! A server that was sent a secret could send it back. In the headers of its
//! answer the secret, as it stands, is turned into the placeholder again; in the
//! body it is not, so grant secrets only for hosts that do not echo them.

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue, Method};
use serde::{Serialize, Serializer};
use zeroize::Zeroizing;

use super::mask::SHORTEST;
use super::rule::{Rule, Verdict};
use super::target::{Target, decode};

/// A value that is shown to nobody: not printed, and wiped from memory when the
/// last copy is dropped.
#[derive(Clone)]
pub struct Secret(Arc<Zeroizing<String>>);

/// A value that cannot be a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSecret {
    /// There is nothing in it.
    #[error("the secret is empty")]
    Empty,
    /// It could not stand in a header.
    #[error("the secret contains a line break or another control character; remove it")]
    Control,
}

impl Secret {
    /// Keeps `value`, without white space at its ends: files end in a line break.
    pub fn new(value: impl Into<String>) -> Result<Self, InvalidSecret> {
        let value = Zeroizing::new(value.into());
        let trimmed = value.trim();
        if trimmed.is_empty() {
            return Err(InvalidSecret::Empty);
        }
        if HeaderValue::from_bytes(trimmed.as_bytes()).is_err() {
            return Err(InvalidSecret::Control);
        }
        Ok(Self(Arc::new(Zeroizing::new(trimmed.to_owned()))))
    }

    pub(super) fn expose(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// What a guest sees instead of a secret: `consort-secret-` and 128 random bits
/// in hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Placeholder(Arc<str>);

impl Placeholder {
    /// A new one, which nobody can guess.
    #[expect(clippy::new_without_default, reason = "two of them are never equal")]
    pub fn new() -> Self {
        let mut bits = [0; 16];
        getrandom::fill(&mut bits).expect("the operating system always has randomness to give");
        let hex: String = bits.iter().map(|byte| format!("{byte:02x}")).collect();
        Self(format!("consort-secret-{hex}").into())
    }

    /// The text to put into the guest's configuration.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Placeholder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for Placeholder {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&self.0)
    }
}

/// One secret that one call may use.
#[derive(Debug, Clone)]
pub struct SecretGrant {
    /// What the guest was given.
    pub placeholder: Placeholder,
    /// What goes out in its place.
    pub value: Secret,
    /// The requests it may go out with. They need the operator's and the
    /// manifest's leave besides.
    pub to: Vec<Rule>,
}

impl SecretGrant {
    fn covers(&self, method: &Method, target: &Target) -> bool {
        self.to.iter().any(|rule| rule.verdict(method, target) == Verdict::Allows)
    }

    fn reach(&self) -> String {
        let rules: Vec<String> = self.to.iter().map(Rule::to_string).collect();
        if rules.is_empty() { "no host".to_owned() } else { rules.join(", ") }
    }
}

/// Puts the secrets into `headers`. Gives those that were used, or why the
/// request has to be refused.
pub(super) fn substitute<'a>(
    secrets: &'a [SecretGrant],
    method: &Method,
    target: &Target,
    headers: &mut HeaderMap,
) -> Result<Vec<&'a SecretGrant>, String> {
    let mut used: Vec<&SecretGrant> = Vec::new();
    for secret in secrets {
        let placeholder = secret.placeholder.as_str();
        if in_url(target, placeholder) {
            return Err("it carries the placeholder of a secret in its URL, and secrets are \
                        put into headers only; send it as a header"
                .to_owned());
        }
        for (name, value) in headers.iter_mut() {
            let Some(replaced) = replace_placeholder(name == AUTHORIZATION, value, secret) else {
                continue;
            };
            if !secret.covers(method, target) {
                return Err(format!(
                    "it carries the placeholder of a secret that is granted for {} only; \
                     grant the secret for this host to allow it",
                    secret.reach()
                ));
            }
            let mut replaced = HeaderValue::from_bytes(&replaced)
                .map_err(|_| format!("the secret does not fit into the header '{name}'"))?;
            replaced.set_sensitive(true);
            *value = replaced;
            if !used.iter().any(|other| other.placeholder == secret.placeholder) {
                used.push(secret);
            }
        }
    }
    Ok(used)
}

/// Turns secrets that a server sent back in a header into placeholders again.
pub(super) fn redact(used: &[SecretGrant], headers: &mut HeaderMap) {
    for secret in used.iter().filter(|secret| secret.value.expose().len() >= SHORTEST) {
        for value in headers.values_mut() {
            let redacted =
                replace(value.as_bytes(), secret.value.expose(), secret.placeholder.0.as_bytes());
            if let Some(redacted) = redacted.and_then(|text| HeaderValue::from_bytes(&text).ok()) {
                *value = redacted;
            }
        }
    }
}

fn in_url(target: &Target, placeholder: &str) -> bool {
    [Some(target.path()), target.query()].into_iter().flatten().any(|text| {
        text.contains(placeholder) || decode(text).is_some_and(|text| text.contains(placeholder))
    })
}

/// The value with the secret in it; `None` when it has no placeholder.
fn replace_placeholder(
    authorization: bool,
    value: &HeaderValue,
    secret: &SecretGrant,
) -> Option<Zeroizing<Vec<u8>>> {
    let placeholder = secret.placeholder.0.as_bytes();
    let plain = replace(value.as_bytes(), placeholder, secret.value.expose());
    if plain.is_some() || !authorization {
        return plain.map(Zeroizing::new);
    }
    let text = value.to_str().ok()?;
    let (scheme, encoded) = text.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = STANDARD.decode(encoded.trim()).ok()?;
    let replaced = Zeroizing::new(replace(&decoded, placeholder, secret.value.expose())?);
    Some(Zeroizing::new(format!("{scheme} {}", STANDARD.encode(&*replaced)).into_bytes()))
}

/// Replaces every `from` in `text`; `None` when there is none.
fn replace(text: &[u8], from: &[u8], to: &[u8]) -> Option<Vec<u8>> {
    let find = |text: &[u8]| text.windows(from.len()).position(|window| window == from);
    let mut rest = text;
    let mut replaced = Vec::new();
    while let Some(at) = find(rest) {
        replaced.extend_from_slice(&rest[..at]);
        replaced.extend_from_slice(to);
        rest = &rest[at + from.len()..];
    }
    if rest.len() == text.len() {
        return None;
    }
    replaced.extend_from_slice(rest);
    Some(replaced)
}
