//! What is saved of a *run*.

use std::collections::BTreeMap;
use std::sync::Arc;

use consort_core::scheduler::{ClassLimits, RunReason, Scheduler, Status};
use postcard::Deserializer;
use serde::de::DeserializeSeed as _;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::record::Records;
use super::{Part, Unusable, Written, as_json};
use crate::nodes::SavedNodes;
use crate::notices::Notices;
use crate::output::Archive;
use crate::record::Record;
use crate::report::UsageTotals;
use crate::run::{SavedAdditions, SavedRemote};

/// All that follows from a run's inputs and is not made anew when it comes back,
/// but for the records.
#[derive(Serialize, Deserialize)]
pub(crate) struct State<'a> {
    pub(crate) scheduler: Part<'a, Scheduler>,
    /// The time of the last step.
    pub(crate) now: i64,
    pub(crate) nodes: SavedNodes,
    /// Those that the scheduler's facts refer to.
    pub(crate) names: Vec<Arc<str>>,
    pub(crate) classes: Part<'a, Vec<ClassLimits>>,
    /// Given before they were asked for.
    #[serde(with = "as_json")]
    pub(crate) answers: BTreeMap<String, Value>,
    pub(crate) additions: SavedAdditions,
    pub(crate) remotes: Vec<SavedRemote>,
    pub(crate) notices: Part<'a, Notices>,
    pub(crate) spent: UsageTotals,
    pub(crate) cancelled: bool,
    pub(crate) paused: bool,
    /// Bytes of results.
    pub(crate) kept: u64,
    /// Bytes of logs that are recorded, by task.
    pub(crate) logged: BTreeMap<Option<Arc<str>>, usize>,
    /// The last post that has been taken up.
    pub(crate) taken: i64,
    pub(crate) ended: Option<(Status, RunReason, i64)>,
}

impl State<'_> {
    /// As it is kept, with the records of the run.
    pub(crate) fn written(&self, records: &[Record]) -> Written {
        Written::of(&(self, records))
    }

    /// What was written; large results are in that archive.
    ///
    /// # Errors
    ///
    /// It was something else.
    pub(crate) fn read(
        state: &[u8],
        archive: &Arc<Archive>,
    ) -> Result<(State<'static>, Vec<Record>), Unusable> {
        let in_words = |error: postcard::Error| error.to_string();
        let (state, rest) = postcard::take_from_bytes(state).map_err(in_words)?;
        let mut rest = Deserializer::from_bytes(rest);
        let records = Records(archive).deserialize(&mut rest).map_err(in_words)?;
        match rest.finalize().map_err(in_words)? {
            [] => Ok((state, records)),
            more => Err(format!("{} bytes are left over", more.len())),
        }
    }
}
