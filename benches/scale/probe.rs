//! Requests that are measured, and the table of what was found.

use std::fmt;
use std::time::{Duration, Instant};

use ai_chat_orchestrator::services::conversations::StoreError;
use futures_util::FutureExt as _;
use futures_util::future::LocalBoxFuture;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;

/// What one run took, and how much it found.
pub type Sample = Result<(Duration, u64), StoreError>;

/// A request that is measured.
pub struct Probe {
    name: String,
    /// What the median has to stay under.
    goal: Duration,
    run: Box<dyn Fn(usize) -> LocalBoxFuture<'static, Sample>>,
}

impl Probe {
    /// A request that times itself. It is given the number of the run.
    pub fn timed<F>(name: impl Into<String>, goal: Duration, run: impl Fn(usize) -> F + 'static) -> Self
    where
        F: Future<Output = Sample> + 'static,
    {
        Self {
            name: name.into(),
            goal,
            run: Box::new(move |number| run(number).boxed_local()),
        }
    }

    /// A request that is timed as a whole, and tells how much it found.
    pub fn new<F>(name: impl Into<String>, goal: Duration, run: impl Fn(usize) -> F + 'static) -> Self
    where
        F: Future<Output = Result<u64, StoreError>> + 'static,
    {
        Self::timed(name, goal, move |number| {
            let request = run(number);
            async move {
                let started = Instant::now();
                let found = request.await?;
                Ok((started.elapsed(), found))
            }
        })
    }
}

/// Measures each request so many times, in random order, after one run that is not counted.
pub async fn run(probes: &[Probe], runs: usize) -> Result<Table, StoreError> {
    let mut random = StdRng::seed_from_u64(0);
    let mut order: Vec<usize> = (0..probes.len()).collect();
    let mut samples = vec![Samples::default(); probes.len()];
    for number in 0..=runs {
        order.shuffle(&mut random);
        for &index in &order {
            let (took, found) = (probes[index].run)(number).await?;
            if number > 0 {
                samples[index].took.push(took);
                samples[index].found = found;
            }
        }
    }
    let rows = probes
        .iter()
        .zip(samples)
        .map(|(probe, samples)| samples.row(probe));
    Ok(Table(rows.collect()))
}

#[derive(Clone, Default)]
struct Samples {
    took: Vec<Duration>,
    found: u64,
}

impl Samples {
    fn row(mut self, probe: &Probe) -> Row {
        self.took.sort_unstable();
        Row {
            name: probe.name.clone(),
            found: self.found,
            median: self.percentile(50),
            p95: self.percentile(95),
            goal: probe.goal,
        }
    }

    /// The nearest rank.
    fn percentile(&self, percent: usize) -> Duration {
        let rank = (self.took.len() * percent).div_ceil(100);
        self.took.get(rank.saturating_sub(1)).copied().unwrap_or_default()
    }
}

struct Row {
    name: String,
    found: u64,
    median: Duration,
    p95: Duration,
    goal: Duration,
}

/// What was measured, as a table in Markdown.
pub struct Table(Vec<Row>);

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| request | found | median, ms | p95, ms | goal, ms | met |")?;
        writeln!(f, "| --- | ---: | ---: | ---: | ---: | --- |")?;
        for row in &self.0 {
            writeln!(
                f,
                "| {} | {} | {:.2} | {:.2} | {} | {} |",
                row.name,
                row.found,
                milliseconds(row.median),
                milliseconds(row.p95),
                row.goal.as_millis(),
                if row.median < row.goal { "yes" } else { "**no**" }
            )?;
        }
        Ok(())
    }
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}
