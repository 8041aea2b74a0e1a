//! One task as people write it.
//!
//! A workflow may have a million of these, so fields that many tasks leave out are
//! boxed together, and those that most leave out apart from them.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};

use schemars::JsonSchema;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer, StrDeserializer};
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize as DeriveDeserialize, Serialize};

use super::forms::{self, Forms};
use super::free::has_floats;
use super::{Free, FreeObject, Text};
use crate::retry::Backoff;

/// One task, or one step of a collaborative task. What many tasks leave out is in
/// [`TermsDoc`]; what few say in [`MoreDoc`], whose fields read as if they were its
/// own.
#[derive(Debug, Clone, Default, JsonSchema)]
#[schemars(deny_unknown_fields, description = "One task, or one step of a collaborative task.")]
pub struct TaskDoc<'a> {
    /// Unique in the run; required.
    #[schemars(required, length(min = 1, max = 512))]
    pub task_id: Option<Text<'a>>,
    /// Kind of work. `collaborative_task` has steps, `approval` waits for a
    /// person, any other word is for agents and policies to know.
    #[schemars(rename = "type")]
    pub kind: Option<Text<'a>>,
    /// The instruction, a template.
    pub description: Option<Text<'a>>,
    /// Who does it.
    pub agent: Option<Text<'a>>,
    /// What it waits for; absent and empty differ in steps.
    pub depends_on: Option<Vec<DependencyDoc<'a>>>,
    /// On which terms it is done, if it has any of them.
    #[schemars(flatten, with = "TermsDoc<'a>")]
    pub terms: Option<Box<TermsDoc<'a>>>,
    /// The other fields, if it has any of them.
    #[schemars(flatten, with = "MoreDoc<'a>")]
    pub more: Option<Box<MoreDoc<'a>>>,
}

/// The terms a task is done on, and what it is about.
#[derive(Debug, Clone, Default, JsonSchema)]
pub struct TermsDoc<'a> {
    /// Seconds an attempt may take.
    #[schemars(range(min = 0.0, max = 31_622_400.0))]
    pub timeout: Option<f64>,
    /// 1 to 10, 10 first.
    #[schemars(range(min = 1, max = 10))]
    pub priority: Option<i64>,
    /// When to try again.
    pub retry_policy: Option<Box<RetryDoc>>,
    /// Any JSON.
    pub input: Option<Box<Free>>,
    /// Any JSON object.
    pub metadata: Option<Box<FreeObject>>,
    /// Words to find it by: an object of strings.
    #[schemars(with = "Option<BTreeMap<String, String>>")]
    pub labels: Option<Box<LabelsDoc<'a>>>,
}

impl TermsDoc<'static> {
    /// What a task says that has none.
    const NOTHING: Self = Self {
        timeout: None,
        priority: None,
        retry_policy: None,
        input: None,
        metadata: None,
        labels: None,
    };
}

/// What few tasks say.
#[derive(Debug, Clone, Default, JsonSchema)]
pub struct MoreDoc<'a> {
    /// Endpoint, overriding the agent's.
    pub url: Option<Text<'a>>,
    /// Other limits of its time.
    pub timeouts: Option<TimeoutsDoc>,
    /// When it must be finished.
    pub deadline: Option<DeadlineDoc<'a>>,
    /// Transformers of the result, in order.
    #[schemars(default)]
    pub transform: Vec<TransformDoc<'a>>,
    /// A condition without braces; the task is skipped unless it holds.
    pub when: Option<Text<'a>>,
    /// What it is done for, each item by itself.
    pub for_each: Option<ForEachDoc<'a>>,
    /// Items at once.
    #[schemars(range(min = 1, max = 4_294_967_295_u64))]
    pub max_parallel: Option<u64>,
    /// Limits of its plugin calls.
    pub resources: Option<ResourcesDoc>,
    /// Whether an earlier result of an equal task will do.
    pub cache: Option<CacheDoc<'a>>,
    /// JSON Schema that the answer to an approval must satisfy.
    pub schema: Option<Box<FreeObject>>,
    /// Whether it may be started together with similar tasks; the agent's
    /// unless given.
    pub batch: Option<bool>,
    /// What a failure means for others.
    pub on_failure: Option<OnFailureDoc<'a>>,
    /// Seconds; an estimate for policies.
    #[schemars(range(min = 0.0, max = 31_622_400.0))]
    pub expected_duration: Option<f64>,
    /// Steps of a collaborative task.
    #[schemars(length(min = 1))]
    pub steps: Option<Vec<TaskDoc<'a>>>,
    /// Whether this step starts together with the one before it.
    pub parallel: Option<bool>,
    /// What of it could not be read.
    #[schemars(skip)]
    pub unread: Unread,
}

impl MoreDoc<'static> {
    /// What most tasks say.
    const NOTHING: Self = Self {
        url: None,
        timeouts: None,
        deadline: None,
        transform: Vec::new(),
        when: None,
        for_each: None,
        max_parallel: None,
        resources: None,
        cache: None,
        schema: None,
        batch: None,
        on_failure: None,
        expected_duration: None,
        steps: None,
        parallel: None,
        unread: Unread::Nothing,
    };
}

impl<'a> TaskDoc<'a> {
    /// Its terms; none of them if it has none.
    pub fn terms(&self) -> &TermsDoc<'a> {
        static NOTHING: TermsDoc<'static> = TermsDoc::NOTHING;
        self.terms.as_deref().unwrap_or(&NOTHING)
    }

    /// Whether a number in its free values is held as a floating-point one.
    pub(crate) fn has_floats(&self) -> bool {
        let object = |object: &FreeObject| object.0.values().any(has_floats);
        let transforms = |transforms: &[TransformDoc<'_>]| {
            transforms.iter().any(|transform| match transform {
                TransformDoc::Name(_) => false,
                TransformDoc::Configured(doc) => object(&doc.config),
            })
        };
        let edge = |dependency: &DependencyDoc<'_>| match dependency {
            DependencyDoc::Id(_) => false,
            DependencyDoc::Edge(edge) => transforms(&edge.transform),
        };
        let more = |more: &MoreDoc<'_>| {
            let items = match &more.for_each {
                Some(ForEachDoc::List(items)) => items.iter().any(|item| has_floats(&item.0)),
                _ => false,
            };
            items || transforms(&more.transform) || more.schema.as_deref().is_some_and(object)
        };
        let terms = |terms: &TermsDoc<'_>| {
            let input = terms.input.as_ref().is_some_and(|input| has_floats(&input.0));
            input || terms.metadata.as_deref().is_some_and(object)
        };
        self.terms.as_deref().is_some_and(terms)
            || self.depends_on.iter().flatten().any(edge)
            || self.more.as_deref().is_some_and(more)
    }
}

impl<'a> Deref for TaskDoc<'a> {
    type Target = MoreDoc<'a>;

    fn deref(&self) -> &MoreDoc<'a> {
        static NOTHING: MoreDoc<'static> = MoreDoc::NOTHING;
        self.more.as_deref().unwrap_or(&NOTHING)
    }
}

impl DerefMut for TaskDoc<'_> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        self.more.get_or_insert_default()
    }
}

/// Reads [`TaskDoc`] field by field, in place: a derived reader would hold all
/// fields apart first, and those of [`MoreDoc`] in a map.
macro_rules! read_fields {
    (
        first: $($first_name:literal $first:ident),*;
        terms: $($term_name:literal $term:ident),*;
        others: $($name:literal $field:ident),*;
    ) => {
        #[derive(Clone, Copy, DeriveDeserialize)]
        #[serde(field_identifier)]
        #[expect(non_camel_case_types, reason = "the fields' own names")]
        enum Field {
            $(#[serde(rename = $first_name)] $first,)*
            $(#[serde(rename = $term_name)] $term,)*
            $(#[serde(rename = $name)] $field,)*
        }

        const FIELDS: &[&str] = &[$($first_name,)* $($term_name,)* $($name,)*];

        impl<'de: 'a, 'a> Visitor<'de> for TaskVisitor<'a> {
            type Value = TaskDoc<'a>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("struct TaskDoc")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<TaskDoc<'a>, A::Error> {
                let mut task = TaskDoc::default();
                let mut given = 0_u32;
                while let Some(field) = map.next_key::<Field>()? {
                    let bit = 1 << field as u32;
                    if given & bit != 0 {
                        return Err(A::Error::duplicate_field(FIELDS[field as usize]));
                    }
                    given |= bit;
                    match field {
                        $(Field::$first => task.$first = map.next_value()?,)*
                        $(Field::$term => {
                            task.terms.get_or_insert_default().$term = map.next_value()?;
                        })*
                        $(Field::$field => task.$field = map.next_value()?,)*
                    }
                }
                Ok(task)
            }
        }
    };
}

struct TaskVisitor<'a>(PhantomData<TaskDoc<'a>>);

read_fields! {
    first: "task_id" task_id, "type" kind, "description" description, "agent" agent, "url" url,
        "depends_on" depends_on;
    terms: "timeout" timeout, "priority" priority, "retry_policy" retry_policy, "input" input,
        "metadata" metadata, "labels" labels;
    others: "timeouts" timeouts, "deadline" deadline, "transform" transform, "when" when, "for_each" for_each, "max_parallel" max_parallel,
        "resources" resources, "cache" cache, "schema" schema, "batch" batch,
        "on_failure" on_failure, "expected_duration" expected_duration, "steps" steps,
        "parallel" parallel;
}

impl<'de: 'a, 'a> Deserialize<'de> for TaskDoc<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_struct("TaskDoc", FIELDS, TaskVisitor(PhantomData))
    }
}

/// Labels as written: names and what should be strings.
#[derive(Debug, Clone, Default)]
pub struct LabelsDoc<'a>(pub Box<[(Text<'a>, LabelDoc<'a>)]>);

/// A label as written.
#[derive(Debug, Clone)]
pub enum LabelDoc<'a> {
    /// As it should be.
    Text(Text<'a>),
    /// Anything else.
    Other,
}

impl<'de: 'a, 'a> Deserialize<'de> for LabelsDoc<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct LabelsVisitor;

        impl<'de> Visitor<'de> for LabelsVisitor {
            type Value = LabelsDoc<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<LabelsDoc<'de>, A::Error> {
                let mut labels: Vec<(Text<'de>, LabelDoc<'de>)> = Vec::with_capacity(1);
                while let Some(label) = map.next_entry()? {
                    labels.push(label);
                }
                // Few enough to be compared; whoever finds the twins says where.
                let mut names = HashSet::with_capacity(labels.len().saturating_sub(1));
                if labels.len() > 1 && !labels.iter().all(|(name, _)| names.insert(name.as_str())) {
                    return Err(A::Error::custom("a label is given twice"));
                }
                Ok(LabelsDoc(labels.into()))
            }
        }

        deserializer.deserialize_map(LabelsVisitor)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for LabelDoc<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct LabelVisitor;

        impl<'de> Visitor<'de> for LabelVisitor {
            type Value = LabelDoc<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<LabelDoc<'de>, E> {
                Ok(LabelDoc::Text(text.into()))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<LabelDoc<'de>, E> {
                Ok(LabelDoc::Text(text.to_owned().into()))
            }

            fn visit_unit<E: Error>(self) -> Result<LabelDoc<'de>, E> {
                Ok(LabelDoc::Other)
            }

            fn visit_bool<E: Error>(self, _: bool) -> Result<LabelDoc<'de>, E> {
                Ok(LabelDoc::Other)
            }

            fn visit_f64<E: Error>(self, _: f64) -> Result<LabelDoc<'de>, E> {
                Ok(LabelDoc::Other)
            }

            fn visit_u64<E: Error>(self, _: u64) -> Result<LabelDoc<'de>, E> {
                Ok(LabelDoc::Other)
            }

            fn visit_i64<E: Error>(self, _: i64) -> Result<LabelDoc<'de>, E> {
                Ok(LabelDoc::Other)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<LabelDoc<'de>, A::Error> {
                Vec::<Free>::deserialize(SeqAccessDeserializer::new(items))?;
                Ok(LabelDoc::Other)
            }

            fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<LabelDoc<'de>, A::Error> {
                FreeObject::deserialize(MapAccessDeserializer::new(fields))?;
                Ok(LabelDoc::Other)
            }
        }

        deserializer.deserialize_any(LabelVisitor)
    }
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
    #[schemars(length(min = 1))]
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
    #[schemars(range(min = 1))]
    pub fuel: Option<u64>,
    /// Bytes.
    #[schemars(range(min = 1))]
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
const _: () = assert!(size_of::<TaskDoc<'_>>() <= 136);
