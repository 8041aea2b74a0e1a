//! A *location* is the line and column at which a path such as
//! `tasks[2].depends_on[0]` stands in the text it is about.
//!
//! The compiler works on values, which have forgotten where they stood. Only
//! when there are problems is the text walked once more, event by event, to find
//! the places that the problems name. JSON is read as the YAML it also is.

use std::collections::HashMap;

use consort_core::problem::Problem;
use granit_parser::{Event, Parser, Span};

/// Line and column, both from 1.
type Place = (usize, usize);

/// Gives every problem without a line the one its path leads to, or that of the
/// nearest part around it which is in the text. Paths that begin with a task's
/// id instead of its place are understood too.
pub(crate) fn locate(text: &str, problems: &mut [Problem]) {
    let unplaced = |problem: &&mut Problem| problem.line.is_none() && !problem.path.is_empty();
    let mut wanted: HashMap<String, Option<Place>> = HashMap::new();
    for problem in problems.iter_mut().filter(unplaced) {
        want(&mut wanted, &problem.path);
    }
    if wanted.is_empty() {
        return;
    }
    let ids = walk(text, &mut wanted);
    let by_id = |path: &str| {
        let (id, rest) = path.split_once('.').unwrap_or((path, ""));
        ids.get(id).map(|at| format!("{at}.{rest}"))
    };
    let mut again: HashMap<String, Option<Place>> = HashMap::new();
    for problem in problems.iter_mut().filter(unplaced) {
        match find(&wanted, &problem.path) {
            Some((line, column)) => (problem.line, problem.column) = (Some(line), Some(column)),
            None => by_id(&problem.path).iter().for_each(|path| want(&mut again, path)),
        }
    }
    if again.is_empty() {
        return;
    }
    walk(text, &mut again);
    for problem in problems.iter_mut().filter(unplaced) {
        let place = by_id(&problem.path).and_then(|path| find(&again, &path));
        (problem.line, problem.column) = place.unzip();
    }
}

/// A path and everything around it.
fn want(wanted: &mut HashMap<String, Option<Place>>, path: &str) {
    let mut path = path;
    while !path.is_empty() && wanted.insert(path.to_owned(), None).is_none() {
        path = parent(path);
    }
}

fn find(wanted: &HashMap<String, Option<Place>>, path: &str) -> Option<Place> {
    let mut path = path;
    while !path.is_empty() {
        if let Some(Some(place)) = wanted.get(path) {
            return Some(*place);
        }
        path = parent(path);
    }
    None
}

fn parent(path: &str) -> &str {
    path.rfind(['.', '[']).map_or("", |end| &path[..end])
}

/// A list or an object that the walk is in.
enum Around {
    /// The number of the next item.
    List(usize),
    /// The key whose value is next, if there was one, and where it stood.
    Object(Option<(String, Span)>),
}

/// Fills in the wanted places and returns the path of each task by its id.
fn walk(text: &str, wanted: &mut HashMap<String, Option<Place>>) -> HashMap<String, String> {
    let mut ids = HashMap::new();
    let mut path = String::new();
    // What the walk is in, and how long the path was before each.
    let mut around: Vec<(Around, usize)> = Vec::new();
    // A text that stops making sense was understood up to there.
    for (event, span) in Parser::new_from_str(text).map_while(Result::ok) {
        let starts = match &event {
            Event::SequenceStart(..) => Some(Around::List(0)),
            Event::MappingStart(..) => Some(Around::Object(None)),
            Event::Scalar(..) | Event::Alias(_) => None,
            Event::SequenceEnd | Event::MappingEnd => {
                if let Some((_, length)) = around.pop() {
                    path.truncate(length);
                }
                continue;
            }
            _ => continue,
        };
        let before = path.len();
        match around.last_mut() {
            None => {}
            Some((Around::Object(key @ None), _)) => {
                let name = if let Event::Scalar(name, ..) = event {
                    name.into_owned()
                } else {
                    String::new()
                };
                *key = Some((name, span));
                if let Some(starts) = starts {
                    // A key that is itself a list: nothing in a workflow.
                    around.push((starts, before));
                }
                continue;
            }
            Some((Around::Object(key), _)) => {
                let (name, at) = key.take().unwrap_or_default();
                if let (Event::Scalar(id, ..), "task_id") = (&event, name.as_str()) {
                    ids.insert(id.to_string(), path.clone());
                }
                if !path.is_empty() {
                    path.push('.');
                }
                path.push_str(&name);
                note(wanted, &path, at);
            }
            Some((Around::List(number), _)) => {
                path.push_str(&format!("[{number}]"));
                *number += 1;
                note(wanted, &path, span);
            }
        }
        match starts {
            Some(starts) => around.push((starts, before)),
            None => path.truncate(before),
        }
    }
    ids
}

fn note(wanted: &mut HashMap<String, Option<Place>>, path: &str, span: Span) {
    if let Some(place @ None) = wanted.get_mut(path) {
        *place = Some((span.start.line(), span.start.col() + 1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(text: &str, path: &str) -> Option<(usize, usize)> {
        let mut problems = [Problem::error("x", path, "")];
        locate(text, &mut problems);
        problems[0].line.zip(problems[0].column)
    }

    #[test]
    fn paths_lead_to_keys_and_items_in_yaml_and_in_json() {
        let yaml = "name: w\ntasks:\n  - task_id: a\n  - task_id: b\n    depends_on: [a, zz]\n";
        assert_eq!(place(yaml, "tasks[1].depends_on[1]"), Some((5, 21)));
        assert_eq!(place(yaml, "tasks[1].depends_on"), Some((5, 5)));
        assert_eq!(place(yaml, "tasks[1]"), Some((4, 5)));
        let json = "[\n  {\"task_id\": \"a\"},\n\t{\"task_id\": \"b\", \"timeout\": -1}\n]";
        assert_eq!(place(json, "[1].timeout"), Some((3, 19)));
    }

    #[test]
    fn what_is_not_there_is_placed_at_what_is_around_it() {
        let yaml = "tasks:\n  - description: x\n    retry_policy: {backoff: none}\n";
        assert_eq!(place(yaml, "tasks[0].task_id"), Some((2, 5)));
        assert_eq!(place(yaml, "tasks[0].retry_policy.jitter"), Some((3, 5)));
        assert_eq!(place(yaml, "policy"), None);
    }

    #[test]
    fn names_may_hold_dots_and_tasks_may_be_named_by_id() {
        let yaml = "agents:\n  a.b:\n    adapter: x\ntasks:\n  - task_id: t\n    url: nowhere\n";
        assert_eq!(place(yaml, "agents.a.b.adapter"), Some((3, 5)));
        assert_eq!(place(yaml, "t.url"), Some((6, 5)));
    }
}
