//! Families whose labels come in part from outside, and which hold a bounded number of series all the same.
//!
//! Each label is bounded by itself, but a family has as many series as they have combinations: 200 models and 100 users
//! are 20,000 already. So a family that is nearly full gives up one label after the other, by calling its values `other`.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use prometheus::core::{MetricVec, MetricVecBuilder};

use super::labels::OTHER;

/// The most series of one family, each line that a histogram is scraped as being one.
const SERIES_LIMIT: usize = 2000;

/// The part of the limit that is left free, for each label that can still be given up.
const SHARE_LEFT: usize = 10;

/// How a family gives up labels.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    /// The places of the labels that may become `other`, in this order, among those that are given.
    pub(super) open: &'static [usize],
    /// The place of a label that is given and that the family does not have.
    pub(super) hidden: Option<usize>,
    /// Lines for each combination of labels.
    pub(super) lines: usize,
}

/// A family with a bounded number of series.
#[derive(Debug)]
pub struct Limited<F> {
    family: F,
    shape: Shape,
    /// The combinations there are, each joined into one text.
    taken: Mutex<HashSet<Box<str>>>,
}

impl<T: MetricVecBuilder> Limited<MetricVec<T>> {
    pub(super) fn new(family: MetricVec<T>, shape: Shape) -> Self {
        Self {
            family,
            shape,
            taken: Mutex::default(),
        }
    }

    /// The metric with these labels, or, if there are too many already, with some of them as `other`.
    pub fn with_label_values(&self, values: &[&str]) -> T::M {
        let mut labels: Vec<&str> = values.to_vec();
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let most = SERIES_LIMIT / self.shape.lines;
        for (given_up, place) in self.shape.open.iter().enumerate() {
            let left_free = (self.shape.open.len() - given_up) * most / SHARE_LEFT;
            if take(&mut taken, &labels, most - left_free) {
                return self.resolve(&labels);
            }
            labels[*place] = OTHER;
        }
        // Only closed labels are left: their combinations fit into what was left free for them.
        take(&mut taken, &labels, most);
        self.resolve(&labels)
    }

    fn resolve(&self, labels: &[&str]) -> T::M {
        let shown = labels
            .iter()
            .enumerate()
            .filter(|(place, _)| Some(*place) != self.shape.hidden);
        let shown: Vec<_> = shown.map(|(_, label)| *label).collect();
        self.family.with_label_values(&shown)
    }
}

/// Whether there is this combination, or room for it among `most`.
fn take(taken: &mut HashSet<Box<str>>, labels: &[&str], most: usize) -> bool {
    let key = labels.join("\0");
    taken.contains(&*key) || (taken.len() < most && taken.insert(key.into()))
}

#[cfg(test)]
mod tests {
    use prometheus::core::Collector;
    use prometheus::{IntCounter, IntCounterVec, Opts};

    use super::*;

    fn family(names: &[&str], hidden: Option<usize>) -> (IntCounterVec, impl Fn(&[&str]) -> IntCounter) {
        let family = IntCounterVec::new(Opts::new("answers", "Answers"), names).expect("a family");
        let shape = Shape {
            open: &[1, 0],
            hidden,
            lines: 1,
        };
        let limited = Limited::new(family.clone(), shape);
        (family, move |labels| limited.with_label_values(labels))
    }

    fn series(family: &IntCounterVec) -> usize {
        family
            .collect()
            .iter()
            .map(|family| family.get_metric().len())
            .sum()
    }

    #[test]
    fn labels_are_given_up_in_their_order_and_nothing_is_lost() {
        let (family, get) = family(&["model", "user", "status"], None);
        for model in 0..300 {
            for user in 0..100 {
                get(&[&format!("model-{model}"), &format!("user-{user}"), "completed"]).inc();
            }
        }
        assert_eq!(series(&family), SERIES_LIMIT * 9 / 10 + 1);
        let value = |labels: &[&str]| family.with_label_values(labels).get();
        assert_eq!(value(&["model-0", "user-99", "completed"]), 1);
        assert_eq!(
            value(&["model-16", OTHER, "completed"]),
            100,
            "first the users are given up"
        );
        assert_eq!(value(&[OTHER, OTHER, "completed"]), 84 * 100, "then the models");
    }

    #[test]
    fn what_has_its_place_keeps_it() {
        let (family, get) = family(&["model", "user", "status"], None);
        get(&["early", "bird", "completed"]).inc();
        for user in 0..10_000 {
            get(&["late", &user.to_string(), "completed"]).inc();
        }
        get(&["early", "bird", "completed"]).inc();
        assert_eq!(family.with_label_values(&["early", "bird", "completed"]).get(), 2);
    }

    #[test]
    fn a_hidden_label_is_not_there() {
        let (family, get) = family(&["model", "status"], Some(1));
        get(&["model", "", "completed"]).inc();
        assert_eq!(family.with_label_values(&["model", "completed"]).get(), 1);
    }
}
