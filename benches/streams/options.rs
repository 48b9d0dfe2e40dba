//! What can be asked for on the command line.

use std::time::Duration;

use clap::{Parser, value_parser};

/// Streams of [`Options::streams`], unless told otherwise.
const STREAMS: u32 = 2_000;

/// The same in a soak: so many that thousands end each minute, so few that both cores have time.
const STREAMS_IN_SOAK: u32 = 200;

/// Files that each process has open beside those of the streams: its database, its log, its event loop.
const SPARE_FILES: u32 = 200;

/// Of a soak of an hour or more; of a shorter one, as much less. It lets logs of ended streams pile up only before the
/// first minutes that are compared.
const RETENTION: Duration = Duration::from_secs(60);

/// So that readers who come back find their streams.
const SHORTEST_RETENTION: Duration = Duration::from_secs(5);

const MINUTE: Duration = Duration::from_secs(60);

const HOUR: Duration = Duration::from_secs(60 * 60);

/// Measures what many streams at once cost the server, and exits with 1 if anything of any stream is lost.
#[derive(Debug, Parser)]
pub struct Options {
    /// Streams at once [default: 2000; in a soak 200].
    #[arg(long, value_parser = value_parser!(u32).range(1..100_000))]
    streams: Option<u32>,
    /// Chunks of each answer, one each 100 ms.
    #[arg(long, default_value_t = 100, value_parser = value_parser!(u32).range(1..100_000))]
    pub chunks: u32,
    /// Redis for the server; without it the server has none.
    #[arg(long, value_name = "URL")]
    pub redis: Option<String>,
    /// An empty PostgreSQL database for the server; without it the server makes an SQLite file.
    #[arg(long, value_name = "URL")]
    pub database: Option<String>,
    /// Instead, keep streams going for so many minutes, and exit with 1 if memory grows by more than a tenth.
    #[arg(long, value_name = "MINUTES", value_parser = value_parser!(u32).range(1..))]
    soak: Option<u32>,
    /// One more environment variable of the server; may be repeated.
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = assignment)]
    pub settings: Vec<(String, String)>,
    /// Cargo says this to every benchmark.
    #[arg(long, hide = true)]
    bench: bool,
}

impl Options {
    /// Streams at once.
    pub fn streams(&self) -> u32 {
        let usual = if self.soak.is_some() {
            STREAMS_IN_SOAK
        } else {
            STREAMS
        };
        self.streams.unwrap_or(usual)
    }

    /// How long to keep streams going, if that is asked for.
    pub fn soak(&self) -> Option<Duration> {
        self.soak.map(|minutes| MINUTE * minutes)
    }

    /// `STREAM_RETENTION_SECONDS`, where it is not to be the default.
    pub fn retention(&self) -> Option<Duration> {
        let part = self.soak()?.min(HOUR).as_secs_f64() / HOUR.as_secs_f64();
        Some(RETENTION.mul_f64(part).max(SHORTEST_RETENTION))
    }

    /// Files that a process has open at most. A stream takes two connections of each of the two processes: here the
    /// client's end and the model's, there the ends opposite.
    pub fn files(&self) -> u32 {
        2 * self.streams() + SPARE_FILES
    }
}

fn assignment(text: &str) -> Result<(String, String), String> {
    text.split_once('=')
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .ok_or_else(|| "is written NAME=VALUE".to_owned())
}
