//! Streams without end: whether memory stays what it was.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::{Instant, interval, sleep};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::caller::Caller;
use crate::options::Options;
use crate::reader::{self, Habit};
use crate::script::{PAUSE, Script};
use crate::server::Server;
use crate::tally::Tally;
use crate::{Failure, Verdict};

/// Memory may grow to so much of what it was.
const GOAL: f64 = 1.10;

/// Of an hour, memory is looked at each 10 seconds.
const SAMPLES: u32 = 360;

/// Of an hour, a line is printed each 5 minutes.
const SAMPLES_PER_LINE: u32 = 30;

/// The samples that are compared: of an hour, those of the minutes 2 to 6 and those of the last 5.
const FIRST: std::ops::Range<usize> = 12..36;
const LAST: std::ops::RangeFrom<usize> = 330..;

/// What all readers share.
struct Soak {
    chunks: u32,
    /// Of the next answer.
    seed: AtomicU64,
    tally: Tally,
    stop: CancellationToken,
}

/// Keeps streams going for so long.
pub async fn run(server: &Server, options: &Options, duration: Duration) -> Result<Verdict, Failure> {
    let soak = Arc::new(Soak {
        chunks: options.chunks,
        seed: AtomicU64::new(0),
        tally: Tally::default(),
        stop: CancellationToken::new(),
    });
    let readers = TaskTracker::new();
    // So that they do not all end at the same time.
    let apart = PAUSE * options.chunks / options.streams();
    for number in 0..options.streams() {
        let (user, soak) = (server.new_user()?, Arc::clone(&soak));
        readers.spawn(async move {
            sleep(apart * number).await;
            while !soak.stop.is_cancelled() {
                soak.read_another(&user).await;
            }
        });
    }
    let samples = sample(server, &soak.tally, duration).await?;
    soak.stop.cancel();
    readers.close();
    readers.wait().await;
    Ok(judge(&soak.tally, &samples))
}

impl Soak {
    async fn read_another(&self, user: &Caller) {
        let seed = self.seed.fetch_add(1, Ordering::Relaxed);
        let script = Script {
            seed,
            chunks: self.chunks,
            pause: PAUSE,
        };
        let habit = match seed % 10 {
            0 => Habit::Leaves,
            1 | 2 => Habit::Returns,
            3 => Habit::Cancels,
            _ => Habit::Stays,
        };
        reader::read(user, script, habit, &self.tally).await;
    }
}

/// Bytes that are resident, so many times.
async fn sample(server: &Server, tally: &Tally, duration: Duration) -> Result<Vec<u64>, Failure> {
    println!("| minute | resident, MiB | streams ended | lost |");
    println!("| ---: | ---: | ---: | ---: |");
    let started = Instant::now();
    let mut sampling = interval(duration / SAMPLES);
    // The first tick is at once.
    sampling.tick().await;
    let mut samples = Vec::new();
    for number in 1..=SAMPLES {
        sampling.tick().await;
        let resident = server.resident()?;
        samples.push(resident);
        if number % SAMPLES_PER_LINE == 0 {
            let minute = started.elapsed().as_secs_f64() / 60.0;
            let (mebibytes, ended, lost) = (mebibytes(resident), tally.ended(), tally.lost());
            println!("| {minute:.1} | {mebibytes:.1} | {ended} | {lost} |");
        }
    }
    Ok(samples)
}

fn judge(tally: &Tally, samples: &[u64]) -> Verdict {
    let (first, last) = (median(&samples[FIRST]), median(&samples[LAST]));
    let ratio = last as f64 / first as f64;
    let milliseconds = |percent| tally.latencies.percentile(percent).as_secs_f64() * 1_000.0;
    println!("\n| soak | | goal |");
    println!("| --- | ---: | --- |");
    println!("| streams that ended | {} | |", tally.ended());
    println!("| streams of which anything was lost | {} | 0 |", tally.lost());
    println!(
        "| resident in the first minutes, median, MiB | {:.1} | |",
        mebibytes(first)
    );
    println!(
        "| resident in the last minutes, median, MiB | {:.1} | |",
        mebibytes(last)
    );
    println!("| the last to the first | {ratio:.3} | at most {GOAL} |");
    println!(
        "| from the model to the client, median, ms | {:.2} | |",
        milliseconds(50)
    );
    println!("| the same, 99 of 100, ms | {:.2} | |", milliseconds(99));
    for problem in tally.problems() {
        println!("\nlost: {problem}");
    }
    if tally.lost() == 0 && ratio <= GOAL {
        Verdict::Passed
    } else {
        Verdict::Failed
    }
}

fn median(samples: &[u64]) -> u64 {
    let mut sorted = samples.to_vec();
    sorted.sort_unstable();
    sorted[sorted.len() / 2]
}

fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / 1_048_576.0
}
