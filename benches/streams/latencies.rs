//! Moments in this process, and how long things took: a histogram, so that hours of them fit into memory.

use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Durations are told apart to one part in 32, which is 3 %.
const BITS: u32 = 5;

/// Up to an hour and longer.
const BUCKETS: usize = 1_024;

static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// A moment in the life of this process, in microseconds; as text, it looks like the fingerprint of a model.
#[derive(Debug, Clone, Copy)]
pub struct Moment(u64);

impl Moment {
    pub fn now() -> Self {
        Self(microseconds(START.elapsed()))
    }

    /// Microseconds since then.
    fn elapsed(self) -> u64 {
        Self::now().0.saturating_sub(self.0)
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "fp_{:012}", self.0)
    }
}

impl FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = text.strip_prefix("fp_").and_then(|number| number.parse().ok());
        number.map(Self).ok_or_else(|| format!("no moment: {text}"))
    }
}

fn microseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// How long each of many things took.
pub struct Latencies {
    counts: Box<[AtomicU64]>,
}

impl Default for Latencies {
    fn default() -> Self {
        Self {
            counts: (0..BUCKETS).map(|_| AtomicU64::new(0)).collect(),
        }
    }
}

impl Latencies {
    /// Counts what began at that moment and has ended now.
    pub fn add_since(&self, moment: Moment) {
        let bucket = bucket(moment.elapsed()).min(BUCKETS - 1);
        self.counts[bucket].fetch_add(1, Ordering::Relaxed);
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.counts
            .iter()
            .map(|count| count.load(Ordering::Relaxed))
            .sum()
    }

    /// What so many percent took at most, the nearest rank.
    pub fn percentile(&self, percent: u64) -> Duration {
        let rank = (self.count() * percent).div_ceil(100);
        let mut seen = 0;
        let found = self.counts.iter().position(|count| {
            seen += count.load(Ordering::Relaxed);
            seen >= rank
        });
        Duration::from_micros(found.map_or(0, upper_bound))
    }
}

/// One for each microsecond at first, then 32 for each power of two.
fn bucket(microseconds: u64) -> usize {
    let shift = microseconds.max(1).ilog2().saturating_sub(BITS);
    let bucket = (u64::from(shift) << BITS) + (microseconds >> shift);
    usize::try_from(bucket).unwrap_or(usize::MAX)
}

/// The longest duration of a bucket, in microseconds.
fn upper_bound(bucket: usize) -> u64 {
    let shift = (bucket >> BITS).saturating_sub(1);
    ((bucket - (shift << BITS) + 1) as u64) << shift
}
