//! A *lookup* finds the run somebody means by part of its id.

use std::path::Path;

use rusqlite::Connection;

use crate::error::StoreError;
use crate::tables::{RunKey, runs};

/// How many ids an error lists.
const LISTED: usize = 5;

/// From where on ids look alike, on a scale from 0 to 1.
const ALIKE: f64 = 0.85;

/// The run with this id, or else the only one that begins with it, or else the
/// only one that ends with it.
pub(crate) fn find(connection: &Connection, path: &Path, part: &str) -> Result<RunKey, StoreError> {
    let failed = |error| StoreError::sqlite(path, error);
    if let Some((run, _)) = runs::find(connection, part).map_err(failed)? {
        return Ok(run);
    }
    pick(runs::all(connection).map_err(failed)?, part)
}

/// The error for a run that is not there.
pub(crate) fn unknown(connection: &Connection, id: &str) -> rusqlite::Result<StoreError> {
    Ok(unknown_among(&runs::all(connection)?, id))
}

fn pick(all: Vec<(RunKey, String)>, part: &str) -> Result<RunKey, StoreError> {
    type Test<'a> = &'a dyn Fn(&str) -> bool;
    let tests: [Test<'_>; 2] = [&|id| id.starts_with(part), &|id| id.ends_with(part)];
    for is_meant in tests.into_iter().filter(|_| !part.is_empty()) {
        // The newest first: of many, those are most likely meant.
        let meant: Vec<_> = all.iter().rev().filter(|(_, id)| is_meant(id)).collect();
        match meant[..] {
            [] => {}
            [(run, _)] => return Ok(*run),
            [..] => {
                let candidates = meant.iter().take(LISTED).map(|(_, id)| id.clone()).collect();
                return Err(StoreError::AmbiguousRun { id: part.to_owned(), candidates });
            }
        }
    }
    Err(unknown_among(&all, part))
}

fn unknown_among(all: &[(RunKey, String)], id: &str) -> StoreError {
    let similarity = |known: &str| strsim::jaro_winkler(&known.to_lowercase(), &id.to_lowercase());
    let mut near: Vec<(f64, &String)> =
        all.iter().map(|(_, known)| (similarity(known), known)).filter(|n| n.0 > ALIKE).collect();
    near.sort_by(|a, b| b.0.total_cmp(&a.0));
    let near = near.into_iter().take(LISTED).map(|(_, id)| id.clone()).collect();
    StoreError::UnknownRun { id: id.to_owned(), near }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(part: &str, expected: &str) {
        let ids = ["nightly-a1", "nightly-b2", "import-c3"];
        let all: Vec<_> = (0..).map(RunKey).zip(ids.map(str::to_owned)).collect();
        let found = match pick(all, part) {
            Ok(run) => ids[run.0 as usize].to_owned(),
            Err(error) => error.to_string(),
        };
        assert_eq!(found, expected);
    }

    #[test]
    fn part_of_an_id_is_enough_if_it_is_the_only_one() {
        check("imp", "import-c3");
        check("b2", "nightly-b2");
        check("nightly-a1", "nightly-a1");
        check("night", "'night' could be any of nightly-b2, nightly-a1; write more of it");
        check("inport-c3", "there is no run 'inport-c3'; did you mean import-c3?");
        check("x", "there is no run 'x'");
        check("", "there is no run ''");
    }
}
