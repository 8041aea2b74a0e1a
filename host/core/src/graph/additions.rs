//! *Additions*: tasks for a run that is going on, which name what they wait for.
//!
//! A task of the graph never comes to wait for more than it did, so an addition
//! can only wait for itself through other additions that are not in the graph
//! yet. Looking for cycles therefore costs what can be reached among those, and
//! nothing of it depends on the size of the run.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{DependencyGraph, TaskIx};
use crate::plan::ConflictRule;

/// Names in the path of a [`Conflict::Cycle`], at the most.
const MAX_PATH: usize = 16;

/// Something an added task waits for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Wanted {
    /// A task of the graph.
    Task(TaskIx),
    /// Another addition, which may not be there yet.
    Name(Arc<str>),
}

/// Why an added task does not fit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Conflict {
    /// It waits for a task of this name, and there is none.
    Missing(Arc<str>),
    /// It waits for itself, or for one that does: each of these waits for the
    /// next, and the first is also the last. The middle of a long path is left
    /// out, with `…` in its place.
    Cycle(Vec<Arc<str>>),
    /// Its name is taken.
    Duplicate(Arc<str>),
    /// It was to be added only together with this one, which does not fit.
    Companion(Arc<str>),
}

/// A task to be added.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Newcomer<T> {
    /// The caller's number for it, which the answers carry.
    pub key: u64,
    /// Its name.
    pub name: Arc<str>,
    /// What it waits for.
    pub wants: Vec<Wanted>,
    /// Whatever belongs to it; given back when it is added.
    pub payload: T,
}

/// Tasks to be added at once.
#[derive(Debug, Clone)]
pub struct Batch<T> {
    /// The tasks.
    pub newcomers: Vec<Newcomer<T>>,
    /// All of them or none.
    pub whole: bool,
    /// What happens to those that do not fit; as it does to all others, unless
    /// given.
    pub rule: Option<ConflictRule>,
}

/// What has become of a task to be added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer<T> {
    /// It is in the graph.
    Added {
        /// The caller's number for it.
        key: u64,
        /// Its number in the graph.
        task: TaskIx,
        /// Why it does not wait for all it was to wait for.
        without: Vec<Conflict>,
        /// What belongs to it.
        payload: T,
    },
    /// It is kept until what is missing has been added.
    Held {
        /// The caller's number for it.
        key: u64,
        /// What is missing.
        conflicts: Vec<Conflict>,
    },
    /// It is not added.
    Rejected {
        /// The caller's number for it.
        key: u64,
        /// Why.
        conflicts: Vec<Conflict>,
    },
}

/// The names of all additions, and those that are kept back.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Additions<T> {
    rule: ConflictRule,
    names: BTreeMap<Arc<str>, Place>,
    /// By order of arrival.
    held: BTreeMap<u32, Held<T>>,
    /// Who waits for a name that is not in the graph.
    waiting: BTreeMap<Arc<str>, Vec<u32>>,
    arrivals: u32,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
enum Place {
    Task(TaskIx),
    Held(u32),
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Held<T> {
    newcomer: Newcomer<T>,
    /// Names it waits for that are not in the graph.
    open: usize,
    without: Vec<Conflict>,
}

impl<T> Additions<T> {
    /// No additions yet; `rule` says what happens to those that do not fit.
    pub fn new(rule: ConflictRule) -> Self {
        Self {
            rule,
            names: BTreeMap::new(),
            held: BTreeMap::new(),
            waiting: BTreeMap::new(),
            arrivals: 0,
        }
    }

    /// Adds those tasks to the graph that fit, and those that were kept back
    /// and fit now. Every newcomer gets one answer, and everyone who was kept
    /// back and is added gets another.
    ///
    /// What can never fit is rejected under [`ConflictRule::Hold`] too: a name
    /// that is taken, and a cycle. A name that is taken is rejected even under
    /// [`ConflictRule::Admit`].
    ///
    /// If a whole batch is wanted and one of it is rejected, all are: those that
    /// fit by themselves with [`Conflict::Companion`].
    pub fn add(&mut self, graph: &mut DependencyGraph, batch: Batch<T>) -> Vec<Answer<T>> {
        let rule = batch.rule.unwrap_or(self.rule);
        let mut answers = Vec::with_capacity(batch.newcomers.len());
        let first = self.arrivals;
        for newcomer in batch.newcomers {
            self.arrive(graph, newcomer, &mut answers);
        }
        if rule == ConflictRule::Admit {
            self.leave_out(first);
        } else {
            self.reject_cycles(first, &mut answers);
        }
        if batch.whole && self.reject_all(first, rule, &mut answers) {
            return answers;
        }
        let fitting = self.count_open(first);
        self.admit(graph, fitting, &mut answers);
        if rule == ConflictRule::Hold {
            self.hold(first, &mut answers);
        } else {
            self.turn_away(first, &mut answers);
        }
        answers
    }

    /// Adds one that is kept back without what it waits for and is not in the
    /// graph, with all that fit then; or else gives it up. No answers if none
    /// with that key is kept back.
    pub fn resolve(
        &mut self,
        graph: &mut DependencyGraph,
        key: u64,
        admit: bool,
    ) -> Vec<Answer<T>> {
        let mut held = self.held.iter();
        let found = held.find(|(_, held)| held.newcomer.key == key).map(|(number, _)| *number);
        let Some(number) = found else { return Vec::new() };
        let mut answers = Vec::new();
        self.waiting.retain(|_, waiting| {
            waiting.retain(|other| *other != number);
            !waiting.is_empty()
        });
        if !admit {
            self.reject(number, &mut answers);
            return answers;
        }
        let missing = self.missing(&self.held[&number]);
        if let Some(held) = self.held.get_mut(&number) {
            held.newcomer.wants.retain(|wanted| match wanted {
                Wanted::Name(name) => !missing.contains(&Conflict::Missing(name.clone())),
                Wanted::Task(_) => true,
            });
            held.open = 0;
            held.without.extend(missing);
        }
        self.admit(graph, vec![number], &mut answers);
        answers
    }

    /// Gives up those that are kept back.
    pub fn give_up(&mut self) -> Vec<Answer<T>> {
        let mut answers = Vec::new();
        self.turn_away(0, &mut answers);
        answers
    }

    /// Rejects a whole batch if one of it was rejected, or will be. Says whether
    /// it did.
    fn reject_all(&mut self, first: u32, rule: ConflictRule, answers: &mut Vec<Answer<T>>) -> bool {
        let mut unfit: Option<Arc<str>> = None;
        if rule == ConflictRule::Reject {
            let newcomers: BTreeSet<&Arc<str>> =
                self.held.range(first..).map(|(_, held)| &held.newcomer.name).collect();
            let missing = |held: &&Held<T>| {
                self.missing(held).into_iter().any(|conflict| match &conflict {
                    Conflict::Missing(name) => !newcomers.contains(name),
                    _ => true,
                })
            };
            let mut held = self.held.range(first..).map(|(_, held)| held);
            unfit = held.find(missing).map(|held| held.newcomer.name.clone());
        }
        let rejected = answers.iter().find_map(|answer| match answer {
            Answer::Rejected { conflicts, .. } => conflicts.first(),
            _ => None,
        });
        let unfit = match (rejected, unfit) {
            (Some(Conflict::Duplicate(name)), _) => name.clone(),
            (Some(Conflict::Cycle(path)), _) if !path.is_empty() => path[0].clone(),
            (_, Some(name)) => name,
            (_, None) => return false,
        };
        let numbers: Vec<u32> = self.held.range(first..).map(|(number, _)| *number).collect();
        let all: BTreeSet<Arc<str>> =
            numbers.iter().map(|number| self.held[number].newcomer.name.clone()).collect();
        for number in numbers {
            let Some(held) = self.held.remove(&number) else { continue };
            let mut conflicts = self.missing(&held);
            // Those that come with it are no reason of its own.
            conflicts.retain(|conflict| match conflict {
                Conflict::Missing(name) => rule == ConflictRule::Reject && !all.contains(name),
                _ => true,
            });
            if conflicts.is_empty() {
                conflicts.push(Conflict::Companion(unfit.clone()));
            }
            self.names.remove(&held.newcomer.name);
            answers.push(Answer::Rejected { key: held.newcomer.key, conflicts });
        }
        true
    }

    /// Gives a newcomer its number, unless its name is taken.
    fn arrive(
        &mut self,
        graph: &DependencyGraph,
        mut newcomer: Newcomer<T>,
        answers: &mut Vec<Answer<T>>,
    ) {
        if self.names.contains_key(&newcomer.name) {
            let conflicts = vec![Conflict::Duplicate(newcomer.name)];
            answers.push(Answer::Rejected { key: newcomer.key, conflicts });
            return;
        }
        let mut seen = BTreeSet::new();
        for wanted in &mut newcomer.wants {
            if let Wanted::Task(task) = *wanted
                && task.index() >= graph.len()
            {
                *wanted = Wanted::Name(format!("{task:?}").into());
            }
        }
        newcomer.wants.retain(|wanted| seen.insert(wanted.clone()));
        self.names.insert(newcomer.name.clone(), Place::Held(self.arrivals));
        self.held.insert(self.arrivals, Held { newcomer, open: 0, without: Vec::new() });
        self.arrivals += 1;
    }

    /// The number of a task that is not in the graph.
    fn pending(&self, wanted: &Wanted) -> Option<u32> {
        let Wanted::Name(name) = wanted else { return None };
        match self.names.get(name) {
            Some(Place::Held(number)) => Some(*number),
            Some(Place::Task(_)) | None => None,
        }
    }

    /// The graph of those that are not in the graph, as far as those from
    /// `first` on can reach, with the number of each.
    fn unsettled(&self, first: u32) -> (DependencyGraph, Vec<u32>) {
        let mut graph = DependencyGraph::default();
        let mut places = BTreeMap::new();
        let mut numbers: Vec<u32> = self.held.range(first..).map(|(number, _)| *number).collect();
        for number in &numbers {
            places.insert(*number, graph.add_task());
        }
        let mut at = 0;
        while at < numbers.len() {
            for wanted in &self.held[&numbers[at]].newcomer.wants {
                let Some(number) = self.pending(wanted) else { continue };
                let dependency = *places.entry(number).or_insert_with(|| {
                    numbers.push(number);
                    graph.add_task()
                });
                graph.add_dependency(TaskIx(at as u32), dependency);
            }
            at += 1;
        }
        (graph, numbers)
    }

    /// A path as people read it.
    fn spell(&self, path: &[TaskIx], numbers: &[u32]) -> Conflict {
        let name = |task: &TaskIx| self.held[&numbers[task.index()]].newcomer.name.clone();
        if path.len() <= MAX_PATH {
            return Conflict::Cycle(path.iter().map(name).collect());
        }
        let (head, tail) = (&path[..MAX_PATH / 2], &path[path.len() - MAX_PATH / 2..]);
        let gap = std::iter::once(Arc::from("…"));
        Conflict::Cycle(head.iter().map(name).chain(gap).chain(tail.iter().map(name)).collect())
    }

    /// Rejects newcomers that wait for themselves.
    fn reject_cycles(&mut self, first: u32, answers: &mut Vec<Answer<T>>) {
        let (graph, numbers) = self.unsettled(first);
        for cycle in graph.cycles() {
            let conflict = self.spell(&cycle.path, &numbers);
            for member in cycle.members {
                let number = numbers[member.index()];
                if number >= first
                    && let Some(held) = self.held.remove(&number)
                {
                    self.names.remove(&held.newcomer.name);
                    let conflicts = vec![conflict.clone()];
                    answers.push(Answer::Rejected { key: held.newcomer.key, conflicts });
                }
            }
        }
    }

    /// Strikes out what newcomers want and cannot have: what is kept back is not
    /// there either.
    fn leave_out(&mut self, first: u32) {
        let names = &self.names;
        let there = |name: &Arc<str>| match names.get(name) {
            Some(Place::Task(_)) => true,
            Some(Place::Held(number)) => *number >= first,
            None => false,
        };
        for held in self.held.range_mut(first..).map(|(_, held)| held) {
            let without = &mut held.without;
            held.newcomer.wants.retain(|wanted| match wanted {
                Wanted::Name(name) if !there(name) => {
                    without.push(Conflict::Missing(name.clone()));
                    false
                }
                Wanted::Name(_) | Wanted::Task(_) => true,
            });
        }
        let (graph, numbers) = self.unsettled(first);
        for closing in graph.closing_edges(MAX_PATH) {
            let conflict = self.spell(&closing.path, &numbers);
            let struck = &self.held[&numbers[closing.dependency.index()]].newcomer.name;
            let struck = Wanted::Name(struck.clone());
            if let Some(held) = self.held.get_mut(&numbers[closing.task.index()]) {
                held.newcomer.wants.retain(|wanted| *wanted != struck);
                held.without.push(conflict);
            }
        }
    }

    /// Counts what newcomers wait for, and returns those that wait for nothing.
    fn count_open(&mut self, first: u32) -> Vec<u32> {
        let mut fitting = Vec::new();
        for (number, held) in self.held.range_mut(first..) {
            for wanted in &held.newcomer.wants {
                if let Wanted::Name(name) = wanted
                    && !matches!(self.names.get(name), Some(Place::Task(_)))
                {
                    held.open += 1;
                    self.waiting.entry(name.clone()).or_default().push(*number);
                }
            }
            if held.open == 0 {
                fitting.push(*number);
            }
        }
        fitting
    }

    /// Adds those that fit, and those that fit because of them, in the order
    /// they arrived.
    fn admit(
        &mut self,
        graph: &mut DependencyGraph,
        mut fitting: Vec<u32>,
        answers: &mut Vec<Answer<T>>,
    ) {
        let mut at = 0;
        while at < fitting.len() {
            let name = &self.held[&fitting[at]].newcomer.name;
            for number in self.waiting.remove(name).unwrap_or_default() {
                if let Some(held) = self.held.get_mut(&number) {
                    held.open -= 1;
                    if held.open == 0 {
                        fitting.push(number);
                    }
                }
            }
            at += 1;
        }
        fitting.sort_unstable();
        let admitted: Vec<(TaskIx, Held<T>)> = fitting
            .into_iter()
            .filter_map(|number| self.held.remove(&number))
            .map(|held| (graph.add_task(), held))
            .collect();
        for (task, held) in &admitted {
            self.names.insert(held.newcomer.name.clone(), Place::Task(*task));
        }
        for (task, held) in admitted {
            for wanted in &held.newcomer.wants {
                match wanted {
                    Wanted::Task(dependency) => graph.add_dependency(task, *dependency),
                    Wanted::Name(name) => {
                        if let Some(Place::Task(dependency)) = self.names.get(name) {
                            graph.add_dependency(task, *dependency);
                        }
                    }
                }
            }
            let Newcomer { key, payload, .. } = held.newcomer;
            answers.push(Answer::Added { key, task, without: held.without, payload });
        }
    }

    /// Keeps the newcomers back that do not fit.
    fn hold(&self, first: u32, answers: &mut Vec<Answer<T>>) {
        for held in self.held.range(first..).map(|(_, held)| held) {
            let conflicts = self.missing(held);
            answers.push(Answer::Held { key: held.newcomer.key, conflicts });
        }
    }

    /// Rejects those that are not in the graph, from `first` on.
    fn turn_away(&mut self, first: u32, answers: &mut Vec<Answer<T>>) {
        self.waiting.retain(|_, waiting| {
            waiting.retain(|number| *number < first);
            !waiting.is_empty()
        });
        let numbers: Vec<u32> = self.held.range(first..).map(|(number, _)| *number).collect();
        for number in numbers {
            self.reject(number, answers);
        }
    }

    fn reject(&mut self, number: u32, answers: &mut Vec<Answer<T>>) {
        let Some(held) = self.held.remove(&number) else { return };
        self.names.remove(&held.newcomer.name);
        let conflicts = self.missing(&held);
        answers.push(Answer::Rejected { key: held.newcomer.key, conflicts });
    }

    /// What one that is kept back waits for and is not in the graph.
    fn missing(&self, held: &Held<T>) -> Vec<Conflict> {
        let names = held.newcomer.wants.iter().filter_map(|wanted| match wanted {
            Wanted::Name(name) if !matches!(self.names.get(name), Some(Place::Task(_))) => {
                Some(Conflict::Missing(name.clone()))
            }
            Wanted::Name(_) | Wanted::Task(_) => None,
        });
        names.collect()
    }
}
