//! Many streams at once, all of which are read to the end.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, interval};
use tokio_util::task::TaskTracker;

use crate::options::Options;
use crate::reader::{self, Habit};
use crate::script::{PAUSE, Script};
use crate::server::Server;
use crate::tally::Tally;
use crate::{Failure, Verdict};

/// The streams are opened over so long, evenly, as users would.
const OPENING: Duration = Duration::from_secs(2);

/// How often memory is looked at.
const SAMPLING: Duration = Duration::from_millis(100);

/// Streams that are read before memory is first looked at, so that what is made once is there.
const WARM_UP: u64 = 20;

/// What memory of a stream has to stay under.
const GOAL: f64 = 40.0;

/// What was measured.
pub struct Load {
    streams: u32,
    tally: Arc<Tally>,
    /// Bytes that were resident before the first stream.
    idle: u64,
    /// The most bytes that were resident.
    peak: u64,
    took: Duration,
    time_spent: Duration,
}

/// Has some short answers read.
pub async fn warm_up(server: &Server) -> Result<(), Failure> {
    let tally = Tally::default();
    for seed in 0..WARM_UP {
        let script = Script {
            seed,
            chunks: 10,
            pause: Duration::ZERO,
        };
        reader::read(&server.new_user()?, script, Habit::Stays, &tally).await;
    }
    match tally.problems().pop() {
        Some(problem) => Err(problem.into()),
        None => Ok(()),
    }
}

/// Opens all streams and reads each to its end.
pub async fn run(server: &Server, options: &Options) -> Result<Load, Failure> {
    let tally = Arc::new(Tally::default());
    let (idle, spent_before, started) = (server.resident()?, server.time_spent()?, Instant::now());
    let mut peak = idle;
    tokio::select! {
        read = read_all(server, options, &tally) => read?,
        failed = watch_memory(server, &mut peak) => failed?,
    }
    Ok(Load {
        streams: options.streams(),
        tally,
        idle,
        peak,
        took: started.elapsed(),
        time_spent: server.time_spent()?.saturating_sub(spent_before),
    })
}

async fn read_all(server: &Server, options: &Options, tally: &Arc<Tally>) -> Result<(), Failure> {
    let readers = TaskTracker::new();
    let mut opening = interval(OPENING / options.streams());
    for number in 0..options.streams() {
        opening.tick().await;
        let script = Script {
            seed: number.into(),
            chunks: options.chunks,
            pause: PAUSE,
        };
        let (user, tally) = (server.new_user()?, Arc::clone(tally));
        readers.spawn(async move { reader::read(&user, script, Habit::Stays, &tally).await });
    }
    readers.close();
    readers.wait().await;
    Ok(())
}

/// Goes on until it is dropped or fails.
async fn watch_memory(server: &Server, peak: &mut u64) -> Result<(), Failure> {
    let mut sampling = interval(SAMPLING);
    loop {
        sampling.tick().await;
        *peak = server.resident()?.max(*peak);
    }
}

impl Load {
    /// Passed if all streams were open at once and nothing of them was lost.
    pub fn verdict(&self) -> Verdict {
        if self.tally.lost() == 0 && self.tally.most_open() == self.streams {
            Verdict::Passed
        } else {
            Verdict::Failed
        }
    }

    /// KiB of memory for each stream, its replay log included.
    fn per_stream(&self) -> f64 {
        self.peak.saturating_sub(self.idle) as f64 / 1_024.0 / f64::from(self.streams)
    }
}

impl fmt::Display for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { tally, .. } = self;
        let milliseconds = |percent| tally.latencies.percentile(percent).as_secs_f64() * 1_000.0;
        let (took, spent) = (self.took.as_secs_f64(), self.time_spent.as_secs_f64());
        let mebibytes = |bytes| bytes as f64 / 1_048_576.0;
        writeln!(f, "| many streams at once | | goal |")?;
        writeln!(f, "| --- | ---: | --- |")?;
        writeln!(
            f,
            "| streams, open at once | {} | {} |",
            tally.most_open(),
            self.streams
        )?;
        writeln!(f, "| streams of which anything was lost | {} | 0 |", tally.lost())?;
        writeln!(f, "| resident before, MiB | {:.1} | |", mebibytes(self.idle))?;
        writeln!(f, "| resident at the peak, MiB | {:.1} | |", mebibytes(self.peak))?;
        writeln!(
            f,
            "| memory of a stream, KiB | {:.1} | under {GOAL} |",
            self.per_stream()
        )?;
        writeln!(f, "| chunks with a time | {} | |", tally.latencies.count())?;
        writeln!(
            f,
            "| from the model to the client, median, ms | {:.2} | |",
            milliseconds(50)
        )?;
        writeln!(f, "| the same, 99 of 100, ms | {:.2} | |", milliseconds(99))?;
        writeln!(
            f,
            "| from the first request to the last [DONE], s | {took:.1} | |"
        )?;
        writeln!(
            f,
            "| time that the server ran, s | {spent:.1} ({:.0} % of a core) | |",
            spent / took * 100.0
        )?;
        for problem in tally.problems() {
            writeln!(f, "\nlost: {problem}")?;
        }
        Ok(())
    }
}
