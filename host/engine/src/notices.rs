//! A run's *notices*, and how far each of its webhooks is with them.
//!
//! There is one list for all webhooks, and each is at one place of it: it is told
//! of one notice after the other. Which notices there are, and their numbers,
//! follows from the run's inputs; what became of them are inputs themselves.

use std::collections::VecDeque;
use std::sync::Arc;

use consort_core::graph::TaskIx;
use serde::{Deserialize, Serialize};

use crate::notice::{Notice, Topic};
use crate::report::NotificationMetrics;
use crate::webhook::Outcome;

/// Notices that are kept with their details; if more wait, the others say less.
const MOST_DETAILED: usize = 1_000;

/// What a run tells whom: fixed when it begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Subscription {
    /// What the webhook is called.
    pub(crate) webhook: Arc<str>,
    pub(crate) events: Vec<Topic>,
}

/// What there is to tell.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Notices {
    /// The number of the first that is kept.
    first: u64,
    kept: VecDeque<Notice>,
    places: Vec<Place>,
    metrics: NotificationMetrics,
}

/// How far a webhook is.
#[derive(Serialize, Deserialize)]
struct Place {
    subscription: Subscription,
    /// All before this notice is behind it.
    next: u64,
    /// The notice at its place is on its way.
    #[serde(skip)]
    busy: bool,
    /// It wants no more.
    gone: bool,
}

impl Place {
    fn wants(&self, topic: Topic) -> bool {
        !self.gone && self.subscription.events.contains(&topic)
    }
}

/// A notice that is behind a webhook now.
pub(crate) struct Settled {
    pub(crate) webhook: Arc<str>,
    pub(crate) topic: Topic,
    pub(crate) task: Option<TaskIx>,
    /// How many others were given up with it.
    pub(crate) others: u64,
}

impl Notices {
    pub(crate) fn new(subscriptions: Vec<Subscription>) -> Self {
        let place = |subscription| Place { subscription, next: 0, busy: false, gone: false };
        Self { places: subscriptions.into_iter().map(place).collect(), ..Self::default() }
    }

    /// What became of them so far; none if nobody is told anything.
    pub(crate) fn metrics(&self) -> Option<NotificationMetrics> {
        (!self.places.is_empty()).then_some(self.metrics)
    }

    /// The webhooks' numbers.
    pub(crate) fn webhooks(&self) -> impl Iterator<Item = u32> + use<> {
        0..self.places.len() as u32
    }

    /// What a webhook is called.
    pub(crate) fn webhook(&self, webhook: u32) -> Option<&Arc<str>> {
        self.places.get(webhook as usize).map(|place| &place.subscription.webhook)
    }

    /// Whether anybody may want to hear of that.
    pub(crate) fn is_wanted(&self, topic: Topic) -> bool {
        self.places.iter().any(|place| place.wants(topic))
    }

    /// Something has happened: those that are gone miss it.
    pub(crate) fn miss(&mut self, topic: Topic) {
        let gone = self.places.iter().filter(|place| place.gone);
        let missed = gone.filter(|place| place.subscription.events.contains(&topic)).count();
        self.metrics.failed += missed as u64;
    }

    /// Whether the next one may have details.
    pub(crate) fn has_room(&self) -> bool {
        self.kept.len() < MOST_DETAILED
    }

    /// Adds one that is [wanted](Self::is_wanted). What is not wanted has no
    /// number.
    pub(crate) fn add(&mut self, notice: Notice) {
        self.kept.push_back(notice);
    }

    /// The number of the notice that a webhook is told of next; none while one
    /// is on its way.
    pub(crate) fn next(&mut self, webhook: u32) -> Option<u64> {
        let place = self.places.get_mut(webhook as usize).filter(|place| !place.busy)?;
        let ahead = self.kept.iter().skip((place.next - self.first) as usize);
        let behind = ahead.take_while(|notice| !place.wants(notice.topic)).count();
        place.next += behind as u64;
        (place.next < self.first + self.kept.len() as u64).then_some(place.next)
    }

    /// The notice of that number, while somebody waits for it.
    pub(crate) fn get(&self, number: u64) -> Option<&Notice> {
        self.kept.get(usize::try_from(number.checked_sub(self.first)?).ok()?)
    }

    /// It is on its way.
    pub(crate) fn begin(&mut self, webhook: u32) {
        if let Some(place) = self.places.get_mut(webhook as usize) {
            place.busy = true;
        }
    }

    /// How many are still to be delivered or given up, over all webhooks.
    pub(crate) fn waiting(&self) -> u64 {
        let ahead = |place: &Place| {
            let ahead = self.kept.iter().skip((place.next - self.first) as usize);
            ahead.filter(|notice| place.wants(notice.topic)).count() as u64
        };
        self.places.iter().map(ahead).sum()
    }

    /// Whether all are delivered or given up.
    pub(crate) fn is_empty(&mut self) -> bool {
        !self.places.iter().any(|place| place.busy)
            && self.webhooks().all(|webhook| self.next(webhook).is_none())
    }

    /// Takes in what became of a notice. With one that could not be delivered
    /// go those that wait behind it, except the end of the run: who was away
    /// for so long has missed what happened, but may be back for that. None if
    /// the webhook was not to be told of it.
    pub(crate) fn settle(
        &mut self,
        webhook: u32,
        number: u64,
        outcome: &Outcome,
    ) -> Option<Settled> {
        let place = self.places.get_mut(webhook as usize)?;
        place.busy = false;
        if self.next(webhook)? != number {
            return None;
        }
        let place = &mut self.places[webhook as usize];
        let index = (number - self.first) as usize;
        let notice = &self.kept[index];
        let (topic, task) = (notice.topic, notice.task);
        place.next = number + 1;
        let mut others = 0;
        match outcome {
            Outcome::Delivered => self.metrics.delivered += 1,
            Outcome::Refused(_) => self.metrics.failed += 1,
            Outcome::Gone(_) => {
                let behind = self.kept.iter().skip(index + 1);
                others = behind.filter(|notice| place.wants(notice.topic)).count() as u64;
                self.metrics.failed += 1 + others;
                place.gone = true;
            }
            Outcome::Unreachable(_) => {
                let behind = self.kept.iter().skip(index + 1);
                let end = behind.take_while(|notice| notice.topic != Topic::RunFinished);
                for notice in end {
                    place.next += 1;
                    others += u64::from(place.wants(notice.topic));
                }
                self.metrics.failed += 1 + others;
            }
        }
        let webhook = place.subscription.webhook.clone();
        self.forget();
        Some(Settled { webhook, topic, task, others })
    }

    /// Drops what is behind all webhooks.
    fn forget(&mut self) {
        let places = self.places.iter().filter(|place| !place.gone);
        let end = self.first + self.kept.len() as u64;
        let next = places.map(|place| place.next).min().unwrap_or(end);
        self.kept.drain(..(next - self.first) as usize);
        self.first = next;
        for place in &mut self.places {
            place.next = place.next.max(next);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notices(events: &[&[Topic]]) -> Notices {
        let subscription = |(n, events): (usize, &&[Topic])| Subscription {
            webhook: format!("hook {n}").into(),
            events: events.to_vec(),
        };
        Notices::new(events.iter().enumerate().map(subscription).collect())
    }

    fn add(notices: &mut Notices, topics: &[Topic]) {
        for &topic in topics {
            notices.add(Notice { at: 0, topic, task: None, detail: None });
        }
    }

    fn next(notices: &mut Notices, webhook: u32) -> Option<(u64, Topic)> {
        let number = notices.next(webhook)?;
        Some((number, notices.get(number).expect("it is kept").topic))
    }

    use Topic::{Question, RunFinished, TaskFailed};

    #[test]
    fn each_webhook_is_told_in_order_of_what_it_wants() {
        let mut notices = notices(&[&[TaskFailed, RunFinished], &[Question]]);
        assert!(notices.is_wanted(Question) && !notices.is_wanted(Topic::Retrying));
        add(&mut notices, &[Question, TaskFailed, TaskFailed, RunFinished]);
        assert_eq!(notices.waiting(), 4);
        assert_eq!(next(&mut notices, 0), Some((1, TaskFailed)));
        notices.begin(0);
        assert_eq!(next(&mut notices, 0), None, "one at a time");
        assert_eq!(next(&mut notices, 1), Some((0, Question)));
        assert!(notices.settle(0, 1, &Outcome::Delivered).is_some());
        assert!(notices.settle(1, 0, &Outcome::Refused("no".to_owned())).is_some());
        assert_eq!(next(&mut notices, 0), Some((2, TaskFailed)));
        assert_eq!(next(&mut notices, 1), None);
        assert!(!notices.is_empty());
        notices.settle(0, 2, &Outcome::Delivered);
        notices.settle(0, 3, &Outcome::Delivered);
        assert!(notices.is_empty());
        assert_eq!(notices.kept.len(), 0, "nothing is kept that nobody waits for");
        let metrics = notices.metrics().expect("there are webhooks");
        assert_eq!((metrics.delivered, metrics.failed), (3, 1));
    }

    #[test]
    fn who_cannot_be_reached_misses_what_waits_but_the_end() {
        let mut notices = notices(&[&[TaskFailed, RunFinished]]);
        add(&mut notices, &[TaskFailed, Question, TaskFailed]);
        let away = Outcome::Unreachable("away".to_owned());
        let settled = notices.settle(0, 0, &away).expect("it was next");
        assert_eq!((settled.others, notices.is_empty()), (1, true));
        add(&mut notices, &[TaskFailed, TaskFailed, RunFinished]);
        assert_eq!(notices.settle(0, 3, &away).expect("it was next").others, 1);
        assert_eq!(next(&mut notices, 0), Some((5, RunFinished)));
        assert_eq!(notices.settle(0, 5, &away).expect("it was next").others, 0);
        assert!(notices.is_empty());
        assert_eq!(notices.metrics().expect("there is one").failed, 5);
    }

    #[test]
    fn who_is_gone_is_waited_for_no_more() {
        let mut notices = notices(&[&[TaskFailed], &[TaskFailed]]);
        add(&mut notices, &[TaskFailed, TaskFailed]);
        notices.settle(0, 0, &Outcome::Gone("410".to_owned()));
        assert_eq!((next(&mut notices, 0), notices.waiting()), (None, 2));
        assert!(notices.is_wanted(TaskFailed));
        notices.settle(1, 0, &Outcome::Delivered);
        add(&mut notices, &[TaskFailed]);
        assert_eq!((next(&mut notices, 0), next(&mut notices, 1)), (None, Some((1, TaskFailed))));
        notices.settle(1, 1, &Outcome::Gone("410".to_owned()));
        assert!(!notices.is_wanted(TaskFailed), "nobody is left");
        assert_eq!((notices.waiting(), notices.kept.len()), (0, 0));
    }

    #[test]
    fn what_was_not_to_be_told_changes_nothing() {
        let mut notices = notices(&[&[TaskFailed]]);
        add(&mut notices, &[TaskFailed]);
        assert!(notices.settle(0, 1, &Outcome::Delivered).is_none());
        assert!(notices.settle(7, 0, &Outcome::Delivered).is_none());
        assert_eq!(next(&mut notices, 0), Some((0, TaskFailed)));
    }
}
