use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::plan::ConflictRule;
use crate::test_support::{Drawing, draw};

/// Tasks that are added one by one, as far as they fit.
fn several<T>(newcomers: Vec<Newcomer<T>>) -> Batch<T> {
    Batch { newcomers, whole: false, rule: None }
}

/// The names of what completing a task makes ready.
fn complete(drawing: &mut Drawing<'_>, name: &str) -> String {
    let task = drawing.find(name);
    let mut ready = Vec::new();
    drawing.graph.mark_completed(task, |task| ready.push(task));
    ready.sort_unstable();
    drawing.spell(ready)
}

#[test]
fn completing_a_task_readies_those_that_waited_for_it_alone() {
    let mut drawing = draw("b <- a\nc <- a\nd <- b c");
    assert_eq!(drawing.spell(drawing.graph.ready_tasks()), "a");
    assert_eq!(complete(&mut drawing, "a"), "b c");
    assert_eq!(complete(&mut drawing, "b"), "");
    assert_eq!(drawing.spell(drawing.graph.ready_tasks()), "c");
    assert_eq!(complete(&mut drawing, "c"), "d");
    assert_eq!(complete(&mut drawing, "c"), "");
}

#[test]
fn every_cyclic_group_is_found_with_a_path() {
    let drawing = draw("a <- b\nb <- c\nc <- a\nd <- c\ne <- f\nf <- e\ng <- g");
    let cycles = drawing.graph.topological_order().unwrap_err();
    let spelled: Vec<_> = cycles
        .iter()
        .map(|cycle| (drawing.spell(cycle.members.clone()), drawing.spell(cycle.path.clone())))
        .collect();
    let expected = [("a b c", "a b c a"), ("e f", "e f e"), ("g", "g g")];
    assert_eq!(spelled, expected.map(|(members, path)| (members.to_owned(), path.to_owned())));
}

#[test]
fn edges_that_close_a_cycle_are_found_with_the_way_round() {
    let drawing = draw("a <- b\nb <- c\nc <- a d\nd <- b\ne <- e c");
    let closing: Vec<String> = drawing
        .graph
        .closing_edges(9)
        .iter()
        .map(|edge| {
            let path = drawing.spell(edge.path.clone());
            format!("{}: {path}", drawing.spell([edge.task, edge.dependency]))
        })
        .collect();
    assert_eq!(closing, ["d b: b c d b", "c a: a b c a", "e e: e e"]);
}

#[test]
fn a_long_way_round_is_cut_in_the_middle() {
    let mut graph = DependencyGraph::default();
    let tasks: Vec<TaskIx> = (0..100).map(|_| graph.add_task()).collect();
    for pair in tasks.windows(2) {
        graph.add_dependency(pair[0], pair[1]);
    }
    graph.add_dependency(tasks[99], tasks[0]);
    let closing = graph.closing_edges(2);
    let expected = [0, 1, 98, 99, 0].map(TaskIx).to_vec();
    assert_eq!(closing, [ClosingEdge { task: tasks[99], dependency: tasks[0], path: expected }]);
}

#[test]
fn critical_path_follows_durations_not_edges() {
    let drawing = draw("b <- a\nc <- b\nd <- a");
    let graph = &drawing.graph;
    let order = graph.topological_order().unwrap();
    let remaining = graph.remaining_paths(&order, &[1, 1, 1, 10]);
    assert_eq!(drawing.spell(graph.critical_path(&remaining)), "a d");
    assert_eq!(remaining, [11, 2, 1, 10]);
    assert_eq!(graph.depths(&order), [0, 1, 2, 1]);
    let levels = graph.levels(&order);
    assert_eq!(
        levels.iter().map(|level| drawing.spell(level.clone())).collect::<Vec<_>>(),
        ["a", "b d", "c"]
    );
}

#[test]
fn a_ladder_of_many_rungs_is_walked_without_recursion() {
    let mut graph = DependencyGraph::default();
    let mut last: Option<(TaskIx, TaskIx)> = None;
    for _ in 0..100_000 {
        let rung = (graph.add_task(), graph.add_task());
        if let Some((left, right)) = last {
            for task in [rung.0, rung.1] {
                graph.add_dependency(task, left);
                graph.add_dependency(task, right);
            }
        }
        last = Some(rung);
    }
    let order = graph.topological_order().unwrap();
    let remaining = graph.remaining_paths(&order, &vec![1; graph.len()]);
    assert_eq!(graph.critical_path(&remaining).len(), 100_000);
    assert!(graph.closing_edges(16).is_empty());
    graph.add_dependency(TaskIx(0), last.unwrap().0);
    assert_eq!(graph.cycles().len(), 1);
    assert_eq!(graph.closing_edges(16).len(), 2);
}

/// A hostile batch, a ring in which everyone also waits for the first, costs
/// no more than its edges.
#[test]
fn a_large_ring_of_additions_is_answered_quickly() {
    let size = 50_000;
    for rule in [ConflictRule::Reject, ConflictRule::Hold, ConflictRule::Admit] {
        let batch = (0..size).map(|n| Newcomer {
            key: n,
            name: n.to_string().into(),
            wants: [(n + 1) % size, 0].map(|n| Wanted::Name(n.to_string().into())).into(),
            payload: (),
        });
        let mut graph = DependencyGraph::default();
        let answers = Additions::new(rule).add(&mut graph, several(batch.collect()));
        assert_eq!(answers.len(), size as usize);
        let added = if rule == ConflictRule::Admit { size as usize } else { 0 };
        assert_eq!(graph.len(), added);
        assert!(graph.cycles().is_empty());
    }
}

/// Batches of additions: for each task its name, and the names it waits for.
fn batches() -> impl Strategy<Value = Vec<Vec<(u8, Vec<u8>)>>> {
    let task = (0..20u8, prop::collection::vec(0..22u8, 0..4));
    prop::collection::vec(prop::collection::vec(task, 0..6), 0..8)
}

proptest! {
    /// Whatever is added, under each rule: the graph gets no cycle; who is added
    /// waits for all that was wanted, but for what the answer leaves out; nobody
    /// is forgotten; and who is held could not have been added.
    #[test]
    fn additions_never_close_a_cycle_and_every_one_is_answered(
        batches in batches(),
        rule in prop::sample::select(vec![
            ConflictRule::Reject, ConflictRule::Hold, ConflictRule::Admit,
        ]),
    ) {
        let mut graph = DependencyGraph::default();
        let root = graph.add_task();
        let mut additions = Additions::new(rule);
        let mut wanted: Vec<(String, BTreeSet<String>)> = Vec::new();
        let mut added: Vec<Option<(TaskIx, usize)>> = Vec::new();
        let mut held = BTreeSet::new();
        for batch in batches {
            let mut open = BTreeSet::new();
            let mut newcomers = Vec::new();
            for (name, wants) in batch {
                let key = wanted.len() as u64;
                open.insert(key);
                wanted.push((name.to_string(), wants.iter().map(u8::to_string).collect()));
                added.push(None);
                let names = wants.iter().map(|name| Wanted::Name(name.to_string().into()));
                let wants = names.chain([Wanted::Task(root)]).collect();
                newcomers.push(Newcomer { key, name: name.to_string().into(), wants, payload: key });
            }
            for answer in additions.add(&mut graph, several(newcomers)) {
                match answer {
                    Answer::Added { key, task, without, payload } => {
                        prop_assert_eq!(key, payload);
                        prop_assert!(open.remove(&key) || held.remove(&key));
                        prop_assert!(rule == ConflictRule::Admit || without.is_empty());
                        added[key as usize] = Some((task, without.len()));
                    }
                    Answer::Held { key, conflicts } => {
                        prop_assert!(open.remove(&key) && !conflicts.is_empty());
                        prop_assert_eq!(rule, ConflictRule::Hold);
                        held.insert(key);
                    }
                    Answer::Rejected { key, conflicts } => {
                        prop_assert!(open.remove(&key) && !conflicts.is_empty());
                        let taken = matches!(conflicts[..], [Conflict::Duplicate(_)]);
                        prop_assert!(rule != ConflictRule::Admit || taken);
                    }
                }
            }
            prop_assert!(open.is_empty(), "{:?} got no answer", open);
        }
        prop_assert!(graph.cycles().is_empty());
        let place = |name: &String| {
            let with_name = wanted.iter().zip(&added).filter(|((known, _), _)| known == name);
            with_name.filter_map(|(_, added)| *added).map(|(task, _)| task).next()
        };
        for ((_, wants), added) in wanted.iter().zip(&added) {
            let Some((task, without)) = *added else { continue };
            let edges: BTreeSet<TaskIx> = graph.dependencies(task).collect();
            prop_assert_eq!(edges.len(), graph.dependencies(task).count());
            prop_assert!(edges.contains(&root));
            prop_assert_eq!(edges.len(), wants.len() + 1 - without);
            let mut places = wants.iter().filter_map(place);
            prop_assert!(without > 0 || places.all(|task| edges.contains(&task)));
        }
        for key in &held {
            let (_, wants) = &wanted[*key as usize];
            prop_assert!(wants.iter().any(|name| place(name).is_none()), "{key} was forgotten");
        }
        let given_up: BTreeSet<u64> = additions
            .give_up()
            .into_iter()
            .filter_map(|answer| match answer {
                Answer::Rejected { key, .. } => Some(key),
                _ => None,
            })
            .collect();
        prop_assert_eq!(given_up, held);
    }

    /// Without the closing edges there is no cycle, and each is on one.
    #[test]
    fn closing_edges_are_all_that_makes_a_graph_cyclic(
        edges in prop::collection::vec((0..12u32, 0..12u32), 0..30),
    ) {
        let mut graph = DependencyGraph::default();
        (0..12).for_each(|_| { graph.add_task(); });
        let edges: BTreeSet<(u32, u32)> = edges.into_iter().collect();
        for (task, dependency) in &edges {
            graph.add_dependency(TaskIx(*task), TaskIx(*dependency));
        }
        let closing = graph.closing_edges(100);
        prop_assert_eq!(closing.is_empty(), graph.cycles().is_empty());
        let mut rest = DependencyGraph::default();
        (0..12).for_each(|_| { rest.add_task(); });
        for (task, dependency) in &edges {
            let edge = (TaskIx(*task), TaskIx(*dependency));
            if !closing.iter().any(|closing| (closing.task, closing.dependency) == edge) {
                rest.add_dependency(edge.0, edge.1);
            }
        }
        prop_assert!(rest.topological_order().is_ok());
        for closing in closing {
            prop_assert_eq!(closing.path.first(), closing.path.last());
            for step in closing.path.windows(2) {
                prop_assert!(edges.contains(&(step[0].0, step[1].0)));
            }
        }
    }
}
