//! A *request* to a run that some process carries out, now or later.

use consort_engine::{PastRun, Request};
use consort_store::{Options, Store, StoreError};

use crate::error::{CommandError, Exit};
use crate::store::{StoreArgs, failed};
use crate::terminal::tell;

/// Puts a request into the inbox of a run, and says when it is taken up.
pub(crate) fn post(
    store: &StoreArgs,
    run: &PastRun,
    request: &Request,
) -> Result<Exit, CommandError> {
    let id = &run.row().id;
    request.post(store.path(), id).map_err(failed)?;
    match Store::open(store.path(), Options::default()) {
        Err(StoreError::Locked { .. }) => {}
        _ => tell(&format!(
            "noted; nobody carries the run out now: 'consort resume {id}' takes it up"
        )),
    }
    Ok(Exit::Success)
}
