//! A *place* in the journal: where something came in that is kept for as long as
//! the run goes on, and too large to be kept twice.

use serde::{Deserialize, Serialize};

/// Where in a run's journal something came in; of no meaning in a run that is
/// not recorded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Place {
    pub(crate) entry: u64,
    /// Which of the entry's inputs.
    pub(crate) input: u32,
    /// Which of the tasks that it adds.
    pub(crate) part: u32,
}
