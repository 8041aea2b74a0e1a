//! One task as people write it.
//!
//! A workflow may have a million of these, so fields that most tasks leave out
//! are boxed.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer, StrDeserializer};
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess};
use serde::{Deserialize as DeriveDeserialize, Serialize};

use super::forms::{self, Forms};
use super::{Free, FreeObject, Text};
use crate::retry::Backoff;

/// One task, or one step of a collaborative task.
#[derive(Debug, Clone, Default, DeriveDeserialize, JsonSchema)]
#[serde(deny_unknown_fields, bound(deserialize = "'de: 'a"))]
pub struct TaskDoc<'a> {
    /// Unique in the run; required.
    #[schemars(required, length(min = 1, max = 512))]
    pub task_id: Option<Text<'a>>,
    /// Kind of work. `collaborative_task` has steps, `approval` waits for a
    /// person, any other word is for agents and policies to know.
    #[serde(rename = "type")]
    pub kind: Option<Text<'a>>,
    /// The instruction, a template.
    pub description: Option<Text<'a>>,
    /// Who does it.
    pub agent: Option<Text<'a>>,
    /// Endpoint, overriding the agent's.
    pub url: Option<Text<'a>>,
    /// What it waits for; absent and empty differ in steps.
    pub depends_on: Option<Vec<DependencyDoc<'a>>>,
    /// Seconds an attempt may take.
    #[schemars(range(min = 0.0, max = 31_622_400.0))]
    pub timeout: Option<f64>,
    /// Other limits of its time.
    pub timeouts: Option<Box<TimeoutsDoc>>,
    /// 1 to 10, 10 first.
    #[schemars(range(min = 1, max = 10))]
    pub priority: Option<i64>,
    /// When it must be finished.
    pub deadline: Option<Box<DeadlineDoc<'a>>>,
    /// When to try again.
    pub retry_policy: Option<Box<RetryDoc>>,
    /// Any JSON.
    pub input: Option<Box<Free>>,
    /// Any JSON object.
    pub metadata: Option<Box<FreeObject>>,
    /// Words to find it by: an object of strings.
    #[schemars(with = "Option<BTreeMap<String, String>>")]
    pub labels: Option<Box<FreeObject>>,
    /// Transformers of the result, in order.
    #[serde(default)]
    pub transform: Vec<TransformDoc<'a>>,
    /// A condition without braces; the task is skipped unless it holds.
    pub when: Option<Text<'a>>,
    /// What it is done for, each item by itself.
    pub for_each: Option<Box<ForEachDoc<'a>>>,
    /// Items at once.
    #[schemars(range(min = 1, max = 4_294_967_295_u64))]
    pub max_parallel: Option<u64>,
    /// Limits of its plugin calls.
    pub resources: Option<Box<ResourcesDoc>>,
    /// Whether an earlier result of an equal task will do.
    pub cache: Option<Box<CacheDoc<'a>>>,
    /// JSON Schema that the answer to an approval must satisfy.
    pub schema: Option<Box<FreeObject>>,
    /// Whether it may be started together with similar tasks; the agent's
    /// unless given.
    pub batch: Option<bool>,
    /// What a failure means for others.
    pub on_failure: Option<Box<OnFailureDoc<'a>>>,
    /// Seconds; an estimate for policies.
    #[schemars(range(min = 0.0, max = 31_622_400.0))]
    pub expected_duration: Option<f64>,
    /// Steps of a collaborative task.
    #[schemars(length(min = 1))]
    pub steps: Option<Vec<TaskDoc<'a>>>,
    /// Whether this step starts together with the one before it.
    pub parallel: Option<bool>,
    /// What of it could not be read.
    #[serde(skip)]
    pub unread: Unread,
}

/// The fields of a task that were wrong and have been reported. What hangs on
/// them is not reported again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Unread {
    /// All is well.
    #[default]
    Nothing,
    /// These, by name.
    Fields(Box<Vec<String>>),
    /// The task as a whole.
    Everything,
}

impl Unread {
    /// Whether that field is among them.
    pub fn contains(&self, field: &str) -> bool {
        match self {
            Self::Nothing => false,
            Self::Fields(fields) => fields.iter().any(|unread| unread == field),
            Self::Everything => true,
        }
    }
}

/// A dependency: an id, or an id with what is to happen on the way.
#[derive(Debug, Clone, JsonSchema)]
#[schemars(untagged)]
pub enum DependencyDoc<'a> {
    /// Just the id.
    Id(Text<'a>),
    /// With details.
    Edge(Box<EdgeDoc<'a>>),
}

/// A dependency with details.
#[derive(Debug, Clone, DeriveDeserialize, JsonSchema)]
#[serde(deny_unknown_fields, bound(deserialize = "'de: 'a"))]
pub struct EdgeDoc<'a> {
    /// The task waited for.
    pub task: Text<'a>,
    /// The name its result gets; its id unless given.
    #[serde(rename = "as")]
    pub name: Option<Text<'a>>,
    /// Transformers applied to its result for this dependent alone.
    #[serde(default)]
    pub transform: Vec<TransformDoc<'a>>,
}

/// A transformer's name, or its name and configuration.
#[derive(Debug, Clone, JsonSchema)]
#[schemars(untagged)]
pub enum TransformDoc<'a> {
    /// Without configuration.
    Name(Text<'a>),
    /// With configuration.
    Configured(Box<ConfiguredTransformDoc<'a>>),
}

/// A transformer with its configuration.
#[derive(Debug, Clone, DeriveDeserialize, JsonSchema)]
#[serde(deny_unknown_fields, bound(deserialize = "'de: 'a"))]
pub struct ConfiguredTransformDoc<'a> {
    /// A plugin's name, `name@digest` or a file.
    pub transformer: Text<'a>,
    /// Checked against the plugin's schema.
    #[serde(default)]
    pub config: FreeObject,
}

/// Limits of a task's time besides `timeout`, in seconds.
#[derive(Debug, Clone, Copy, Default, DeriveDeserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TimeoutsDoc {
    /// Waiting in line, each time it is ready.
    #[schemars(range(min = 0.0, max = 31_622_400.0))]
    pub queue: Option<f64>,
    /// An attempt without a sign of life.
    #[schemars(range(min = 0.0, max = 31_622_400.0))]
    pub idle: Option<f64>,
    /// The whole task, from when its dependencies are finished.
    #[schemars(range(min = 0.0, max = 31_622_400.0))]
    pub total: Option<f64>,
}

/// A point in time, or a span.
#[derive(Debug, Clone, PartialEq, JsonSchema)]
#[schemars(untagged)]
pub enum DeadlineDoc<'a> {
    /// RFC 3339, or a duration such as `1h 30m`.
    Text(Text<'a>),
    /// Seconds from submission.
    Seconds(f64),
}

/// A span of time.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum DurationDoc<'a> {
    /// Such as `1h 30m`.
    Text(Text<'a>),
    /// Seconds.
    Seconds(f64),
}

impl DurationDoc<'_> {
    /// The same, without the text it was read from.
    pub(super) fn into_owned(self) -> DurationDoc<'static> {
        match self {
            Self::Text(text) => DurationDoc::Text(text.as_str().to_owned().into()),
            Self::Seconds(seconds) => DurationDoc::Seconds(seconds),
        }
    }
}

/// When a failed task is tried again. Times are seconds.
#[derive(Debug, Clone, Default, DeriveDeserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RetryDoc {
    /// Attempts in all.
    #[schemars(range(min = 1, max = 1000))]
    pub max_attempts: Option<i64>,
    /// How the wait grows.
    pub backoff: Option<Backoff>,
    /// The first wait.
    #[schemars(range(min = 0.0, max = 31_622_400.0))]
    pub initial_delay: Option<f64>,
    /// The longest wait, unless the agent asks for a longer one (Retry-After).
    #[schemars(range(min = 0.0, max = 31_622_400.0))]
    pub max_delay: Option<f64>,
    /// `true` for full jitter, `false` for none, or the random share (0 to 1).
    pub jitter: Option<JitterDoc>,
}

/// The random share of a wait.
#[derive(Debug, Clone, Copy, PartialEq, JsonSchema)]
#[schemars(untagged)]
pub enum JitterDoc {
    /// All or nothing.
    Switch(bool),
    /// Something between.
    Share(#[schemars(range(min = 0.0, max = 1.0))] f64),
}

/// What a task is done for.
#[derive(Debug, Clone, PartialEq, JsonSchema)]
#[schemars(untagged)]
pub enum ForEachDoc<'a> {
    /// The items themselves.
    List(Vec<Free>),
    /// An expression whose value is a list.
    Expression(Text<'a>),
}

/// Whether an earlier result of an equal task will do.
#[derive(Debug, Clone, Default, DeriveDeserialize, JsonSchema)]
#[serde(deny_unknown_fields, bound(deserialize = "'de: 'a"))]
pub struct CacheDoc<'a> {
    /// What makes tasks equal, a template.
    pub key: Option<Text<'a>>,
    /// How long a result may be used: seconds or a duration.
    pub ttl: Option<DurationDoc<'a>>,
}

/// What the failure of a task means for others.
#[derive(Debug, Clone, JsonSchema)]
#[schemars(untagged)]
pub enum OnFailureDoc<'a> {
    /// One of the three words.
    Word(OnFailureWord),
    /// Other agents to try.
    Fallback(FallbackDoc<'a>),
}

/// A rule without arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, DeriveDeserialize, JsonSchema, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OnFailureWord {
    /// The run fails.
    Fail,
    /// Dependents are skipped, the run goes on.
    Skip,
    /// Dependents run without its result.
    Continue,
}

/// Other agents to try before the task has failed.
#[derive(Debug, Clone, DeriveDeserialize, JsonSchema)]
#[serde(deny_unknown_fields, bound(deserialize = "'de: 'a"))]
pub struct FallbackDoc<'a> {
    /// Agents' names, in order.
    pub fallback: Vec<Text<'a>>,
}

/// Limits of a task's plugin calls.
#[derive(Debug, Clone, Default, DeriveDeserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ResourcesDoc {
    /// Fuel units.
    pub fuel: Option<u64>,
    /// Bytes.
    pub memory: Option<u64>,
    /// The network.
    pub network: Option<NetworkDoc>,
    /// Slots an attempt takes while it runs.
    #[schemars(range(min = 1, max = 4_294_967_295_u64))]
    pub slots: Option<u64>,
}

/// Limits of a task's network use.
#[derive(Debug, Clone, Default, DeriveDeserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NetworkDoc {
    /// Bytes in all, both directions.
    pub bytes: Option<u64>,
    /// Bytes a second.
    #[schemars(range(min = 1))]
    pub bytes_per_second: Option<u64>,
}

/// Implements [`Deserialize`] for a type with [`Forms`].
macro_rules! deserialize_forms {
    ($($type:ident $(<$life:lifetime>)?),* $(,)?) => {$(
        impl<'de $(: $life, $life)?> Deserialize<'de> for $type $(<$life>)? {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                forms::read(deserializer)
            }
        }
    )*};
}

deserialize_forms!(
    DependencyDoc<'a>,
    TransformDoc<'a>,
    DeadlineDoc<'a>,
    DurationDoc<'a>,
    ForEachDoc<'a>,
    OnFailureDoc<'a>,
    JitterDoc,
);

impl<'de: 'a, 'a> Forms<'de> for DependencyDoc<'a> {
    const EXPECTING: &'static str = "a task id, or an object {task, as, transform}";

    fn text<E: Error>(id: Text<'de>) -> Result<Self, E> {
        Ok(Self::Id(id))
    }

    fn object<A: MapAccess<'de>>(fields: A) -> Result<Self, A::Error> {
        EdgeDoc::deserialize(MapAccessDeserializer::new(fields)).map(|doc| Self::Edge(doc.into()))
    }
}

impl<'de: 'a, 'a> Forms<'de> for TransformDoc<'a> {
    const EXPECTING: &'static str = "a transformer's name, or an object {transformer, config}";

    fn text<E: Error>(name: Text<'de>) -> Result<Self, E> {
        Ok(Self::Name(name))
    }

    fn object<A: MapAccess<'de>>(fields: A) -> Result<Self, A::Error> {
        ConfiguredTransformDoc::deserialize(MapAccessDeserializer::new(fields))
            .map(|doc| Self::Configured(doc.into()))
    }
}

impl<'de: 'a, 'a> Forms<'de> for DeadlineDoc<'a> {
    const EXPECTING: &'static str = "a time, a duration, or a number of seconds";

    fn text<E: Error>(text: Text<'de>) -> Result<Self, E> {
        Ok(Self::Text(text))
    }

    fn number<E: Error>(seconds: f64) -> Result<Self, E> {
        Ok(Self::Seconds(seconds))
    }
}

impl<'de: 'a, 'a> Forms<'de> for DurationDoc<'a> {
    const EXPECTING: &'static str = "a duration, or a number of seconds";

    fn text<E: Error>(text: Text<'de>) -> Result<Self, E> {
        Ok(Self::Text(text))
    }

    fn number<E: Error>(seconds: f64) -> Result<Self, E> {
        Ok(Self::Seconds(seconds))
    }
}

impl<'de: 'a, 'a> Forms<'de> for ForEachDoc<'a> {
    const EXPECTING: &'static str = "a list, or an expression whose value is one";

    fn text<E: Error>(expression: Text<'de>) -> Result<Self, E> {
        Ok(Self::Expression(expression))
    }

    fn list<A: SeqAccess<'de>>(items: A) -> Result<Self, A::Error> {
        Vec::deserialize(SeqAccessDeserializer::new(items)).map(Self::List)
    }
}

impl<'de: 'a, 'a> Forms<'de> for OnFailureDoc<'a> {
    const EXPECTING: &'static str =
        "'fail', 'skip', 'continue', or an object {fallback: [agent, …]}";

    fn text<E: Error>(word: Text<'de>) -> Result<Self, E> {
        OnFailureWord::deserialize(StrDeserializer::new(word.as_str())).map(Self::Word)
    }

    fn object<A: MapAccess<'de>>(fields: A) -> Result<Self, A::Error> {
        FallbackDoc::deserialize(MapAccessDeserializer::new(fields)).map(Self::Fallback)
    }
}

impl Forms<'_> for JitterDoc {
    const EXPECTING: &'static str = "true, false, or a share from 0 to 1";

    fn switch<E: Error>(on: bool) -> Result<Self, E> {
        Ok(Self::Switch(on))
    }

    fn number<E: Error>(share: f64) -> Result<Self, E> {
        Ok(Self::Share(share))
    }
}

// A workflow may have a million of these.
const _: () = assert!(size_of::<TaskDoc<'_>>() <= 392);
