//! One *agent* as people write it: who does tasks, and how much of them at once.

use schemars::JsonSchema;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::forms::{self, Forms};
use super::{DurationDoc, Text};

/// An agent, in a workflow or in the host's configuration.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AgentDoc {
    /// A plugin's name, `name@digest` or a file.
    pub adapter: String,
    /// Where it answers.
    pub url: Option<String>,
    /// Checked against the plugin's schema.
    #[serde(default)]
    pub config: Map<String, Value>,
    /// Limits of its plugin calls, in the plugin host's terms.
    #[serde(default)]
    pub limits: Map<String, Value>,
    /// Attempts at once.
    #[schemars(range(min = 1))]
    pub max_concurrency: Option<u32>,
    /// How often attempts may start; continuing one does not count.
    pub rate_limit: Option<RateDoc>,
    /// Whether similar tasks of it are started together, unless a task says.
    pub batch: Option<BatchDoc>,
}

/// How often attempts of an agent may start.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum RateDoc {
    /// Such as `10/s`, `600/m`, `1000/h` or `5000/d`.
    Text(String),
    /// With details.
    Limits(RateLimitDoc),
}

/// A rate with details.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RateLimitDoc {
    /// As many attempts.
    #[schemars(range(min = 1, max = 4_294_967_295_u64))]
    pub attempts: u64,
    /// In this time: seconds or a duration.
    #[serde(deserialize_with = "owned_duration")]
    pub per: DurationDoc<'static>,
    /// As many may start at once after a pause; 1 unless given, which spreads
    /// them evenly.
    #[schemars(range(min = 1, max = 4_294_967_295_u64))]
    pub burst: Option<u64>,
}

/// Whether similar tasks are started together.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum BatchDoc {
    /// As usual, or not at all.
    Switch(bool),
    /// With details.
    Limits(BatchLimitsDoc),
}

/// How similar tasks are started together.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BatchLimitsDoc {
    /// Tasks of one start, at the most; 16 unless given.
    #[schemars(range(min = 1, max = 1000))]
    pub max: Option<u64>,
    /// How long a task waits for others, seconds or a duration; 0 unless given:
    /// what is ready at the same time starts together.
    #[serde(default, deserialize_with = "optional_duration")]
    pub linger: Option<DurationDoc<'static>>,
}

fn owned_duration<'de, D: Deserializer<'de>>(from: D) -> Result<DurationDoc<'static>, D::Error> {
    DurationDoc::deserialize(from).map(DurationDoc::into_owned)
}

/// Reads a duration that may be left out, for `#[serde(deserialize_with = …)]`.
pub fn optional_duration<'de, D: Deserializer<'de>>(
    from: D,
) -> Result<Option<DurationDoc<'static>>, D::Error> {
    let duration: Option<DurationDoc<'de>> = Deserialize::deserialize(from)?;
    Ok(duration.map(DurationDoc::into_owned))
}

impl<'de> Deserialize<'de> for RateDoc {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        forms::read(deserializer)
    }
}

impl<'de> Deserialize<'de> for BatchDoc {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        forms::read(deserializer)
    }
}

impl<'de> Forms<'de> for RateDoc {
    const EXPECTING: &'static str = "a rate such as 10/s, or an object {attempts, per, burst}";

    fn text<E: Error>(text: Text<'de>) -> Result<Self, E> {
        Ok(Self::Text(text.as_str().to_owned()))
    }

    fn object<A: MapAccess<'de>>(fields: A) -> Result<Self, A::Error> {
        RateLimitDoc::deserialize(MapAccessDeserializer::new(fields)).map(Self::Limits)
    }
}

impl<'de> Forms<'de> for BatchDoc {
    const EXPECTING: &'static str = "true, false, or an object {max, linger}";

    fn switch<E: Error>(on: bool) -> Result<Self, E> {
        Ok(Self::Switch(on))
    }

    fn object<A: MapAccess<'de>>(fields: A) -> Result<Self, A::Error> {
        BatchLimitsDoc::deserialize(MapAccessDeserializer::new(fields)).map(Self::Limits)
    }
}
