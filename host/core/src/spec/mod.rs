//! The workflow format, as people write it.
//!
//! These types mirror the document and nothing else reads them but the
//! compiler in [`plan`](crate::plan): what the scheduler works on is different.
//! Times are seconds here and milliseconds everywhere after.
//!
//! A document is read in one pass that goes on after a mistake: what could not
//! be read is noted and left out, so that the compiler still finds what is wrong
//! with the rest. In the order data flows:
//!
//! * [`parse()`]: from text to a [`Document`].
//! * [`TaskDoc`], [`AgentDoc`]: its parts.
//! * [`limits`]: what a document may hold at most.
//! * [`schema()`]: all that as a JSON Schema.

mod agent;
mod describe;
mod findings;
mod forms;
mod free;
pub mod limits;
mod parse;
mod part;
mod repair;
mod schema;
mod task;
mod text;
mod workflow;

pub use agent::{AgentDoc, BatchDoc, BatchLimitsDoc, RateDoc, RateLimitDoc, optional_duration};
pub(crate) use findings::{Findings, brief, near};
pub(crate) use free::has_floats;
pub use free::{Free, FreeObject};
pub use parse::{Format, parse, parse_open, parse_typed, utf8};
pub use schema::schema;
pub use task::{
    CacheDoc, ConfiguredTransformDoc, DeadlineDoc, DependencyDoc, DurationDoc, EdgeDoc,
    FallbackDoc, ForEachDoc, JitterDoc, LabelDoc, LabelsDoc, MoreDoc, NetworkDoc, OnFailureDoc,
    OnFailureWord, ResourcesDoc, RetryDoc, TaskDoc, TermsDoc, TimeoutsDoc, TransformDoc, Unread,
};
pub use text::Text;
pub use workflow::{BudgetDoc, ConflictWord, Document, Root};
