//! How families are made and registered.

use prometheus::core::Collector;
use prometheus::{
    CounterVec, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec,
    Opts, Registry,
};

use super::limited::{Limited, Shape};

/// Seconds, from 0.5 ms to 120 s.
const BUCKETS: &[f64] = &[
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0,
];

/// The same range in fewer steps, for the times of requests: so that every operation has its place.
const REQUEST_BUCKETS: &[f64] = &[
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.25, 1.0, 5.0, 30.0, 120.0,
];

/// What a histogram shows for each combination of labels beside its buckets: `+Inf`, the sum and the count.
const LINES_BESIDE_BUCKETS: usize = 3;

pub(super) fn registered<C: Collector + Clone + 'static>(
    registry: &Registry,
    family: C,
) -> Result<C, prometheus::Error> {
    registry.register(Box::new(family.clone()))?;
    Ok(family)
}

pub(super) fn counter(registry: &Registry, name: &str, help: &str) -> Result<IntCounter, prometheus::Error> {
    registered(registry, IntCounter::new(name, help)?)
}

pub(super) fn gauge(registry: &Registry, name: &str, help: &str) -> Result<IntGauge, prometheus::Error> {
    registered(registry, IntGauge::new(name, help)?)
}

pub(super) fn counters(
    registry: &Registry,
    name: &str,
    help: &str,
    labels: &[&str],
) -> Result<IntCounterVec, prometheus::Error> {
    registered(registry, IntCounterVec::new(Opts::new(name, help), labels)?)
}

pub(super) fn gauges(
    registry: &Registry,
    name: &str,
    help: &str,
    labels: &[&str],
) -> Result<IntGaugeVec, prometheus::Error> {
    registered(registry, IntGaugeVec::new(Opts::new(name, help), labels)?)
}

pub(super) fn histograms(
    registry: &Registry,
    name: &str,
    help: &str,
    labels: &[&str],
) -> Result<HistogramVec, prometheus::Error> {
    histograms_in(BUCKETS, registry, name, help, labels)
}

fn histograms_in(
    buckets: &[f64],
    registry: &Registry,
    name: &str,
    help: &str,
    labels: &[&str],
) -> Result<HistogramVec, prometheus::Error> {
    let opts = HistogramOpts::new(name, help).buckets(buckets.to_vec());
    registered(registry, HistogramVec::new(opts, labels)?)
}

pub(super) fn histogram(registry: &Registry, name: &str, help: &str) -> Result<Histogram, prometheus::Error> {
    let opts = HistogramOpts::new(name, help).buckets(BUCKETS.to_vec());
    registered(registry, Histogram::with_opts(opts)?)
}

/// Requests by `method`, `endpoint` and `status`.
pub(super) fn by_request(
    registry: &Registry,
    name: &str,
    help: &str,
) -> Result<Limited<IntCounterVec>, prometheus::Error> {
    let shape = Shape {
        open: &[0, 1],
        hidden: None,
        lines: 1,
    };
    let family = counters(registry, name, help, &["method", "endpoint", "status"])?;
    Ok(Limited::new(family, shape))
}

/// Times of requests by `method` and `endpoint`.
pub(super) fn times_by_request(
    registry: &Registry,
    name: &str,
    help: &str,
) -> Result<Limited<HistogramVec>, prometheus::Error> {
    let shape = Shape {
        open: &[0, 1],
        hidden: None,
        lines: REQUEST_BUCKETS.len() + LINES_BESIDE_BUCKETS,
    };
    let family = histograms_in(REQUEST_BUCKETS, registry, name, help, &["method", "endpoint"])?;
    Ok(Limited::new(family, shape))
}

/// Answers by `model`, `user`, `status` and `stream`; without `user`, which is given all the same, unless users are named.
pub(super) fn by_answer(
    registry: &Registry,
    name: &str,
    help: &str,
    names_users: bool,
) -> Result<Limited<IntCounterVec>, prometheus::Error> {
    let labels: &[&str] = if names_users {
        &["model", "user", "status", "stream"]
    } else {
        &["model", "status", "stream"]
    };
    let shape = Shape {
        open: &[1, 0],
        hidden: (!names_users).then_some(1),
        lines: 1,
    };
    Ok(Limited::new(counters(registry, name, help, labels)?, shape))
}

/// What is counted by `model`, the first of these labels.
pub(super) fn by_model(
    registry: &Registry,
    name: &str,
    help: &str,
    labels: &[&str],
) -> Result<Limited<IntCounterVec>, prometheus::Error> {
    Ok(Limited::new(
        counters(registry, name, help, labels)?,
        of_models(1),
    ))
}

/// Amounts by `model`.
pub(super) fn amounts_by_model(
    registry: &Registry,
    name: &str,
    help: &str,
) -> Result<Limited<CounterVec>, prometheus::Error> {
    let family = registered(registry, CounterVec::new(Opts::new(name, help), &["model"])?)?;
    Ok(Limited::new(family, of_models(1)))
}

/// Times by `model`.
pub(super) fn times_by_model(
    registry: &Registry,
    name: &str,
    help: &str,
) -> Result<Limited<HistogramVec>, prometheus::Error> {
    let family = histograms(registry, name, help, &["model"])?;
    Ok(Limited::new(
        family,
        of_models(BUCKETS.len() + LINES_BESIDE_BUCKETS),
    ))
}

/// The shape of a family whose first label is the model.
const fn of_models(lines: usize) -> Shape {
    Shape {
        open: &[0],
        hidden: None,
        lines,
    }
}
