//! Logs: flat JSON lines for machines, readable lines for people at a terminal.
//!
//! Each JSON line has `timestamp`, `level`, `target`, the fields of the event (first of all `message`) and, from
//! the spans around it, the fields named in [`CONTEXT_FIELDS`]. Fields of spans that are recorded after the span
//! was made count as well.
//!
//! Invariants: one event is one line, whatever its values hold; every value is cut at [`MAX_VALUE_BYTES`]; writing
//! never waits for a disk or a pipe (lines that a full queue cannot take are dropped and counted).
//!
//! Not here: what is logged. No caller may log tokens, keys, prompts, completions or bodies.

mod bounded;
mod context;
mod json;
mod readable;

use std::fs;
use std::io::{self, IsTerminal as _, Write};
use std::panic::PanicHookInfo;
use std::path::{Path, PathBuf};
use std::thread;

use tracing::Subscriber;
use tracing_appender::non_blocking::{ErrorCounter, NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_appender::rolling::{RollingFileAppender, Rotation};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::{SubscriberInitExt as _, TryInitError};

use crate::config::{AppSettings, MonitoringSettings};
use crate::utils::clock::Clock;

pub use bounded::MAX_VALUE_BYTES;
pub use context::CONTEXT_FIELDS;

/// Lines that wait for the disk or the pipe at most, for each of the two outputs.
const MAX_QUEUED_LINES: usize = 16_384;

/// Why logging could not be started.
#[derive(Debug, thiserror::Error)]
pub enum LoggingError {
    /// The filter cannot be read.
    #[error("the log filter cannot be read")]
    Filter(#[from] ParseError),
    /// The log file cannot be opened.
    #[error("the log file {path} cannot be opened: {reason}")]
    File {
        /// The file as it was configured.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// Logging was started before.
    #[error("logging has already been started")]
    Started(#[from] TryInitError),
}

/// Keeps the writers alive. Dropping it writes out what is queued: keep it until the very end of `main`, and end the
/// process by returning from there.
#[derive(Debug)]
#[must_use = "dropping the guard ends logging"]
pub struct LogGuard {
    workers: Vec<WorkerGuard>,
    dropped: Vec<ErrorCounter>,
}

impl LogGuard {
    /// How many lines were dropped because a queue was full.
    #[must_use]
    pub fn dropped_lines(&self) -> usize {
        self.dropped.iter().map(ErrorCounter::dropped_lines).sum()
    }

    /// A writer with a queue and a thread of its own.
    fn queued(&mut self, writer: impl Write + Send + 'static) -> NonBlocking {
        let (queued, worker) = NonBlockingBuilder::default()
            .buffered_lines_limit(MAX_QUEUED_LINES)
            .lossy(true)
            .thread_name("log-writer")
            .finish(writer);
        self.workers.push(worker);
        self.dropped.push(queued.error_counter());
        queued
    }
}

/// Starts logging for the whole process.
///
/// # Errors
/// If the filter cannot be read, the file cannot be opened, or logging was started before.
pub fn init(monitoring: &MonitoringSettings, app: &AppSettings) -> Result<LogGuard, LoggingError> {
    let mut guard = LogGuard {
        workers: Vec::new(),
        dropped: Vec::new(),
    };
    let terminal = io::stdout().is_terminal();
    let structured = monitoring.structured_logging.unwrap_or(!terminal && !app.debug);
    let stdout = guard.queued(io::stdout());
    let file = match &monitoring.log_file {
        Some(path) => Some(guard.queued(daily_file(path)?)),
        None => None,
    };
    tracing_subscriber::registry()
        .with(filter(&app.log_level)?)
        .with(context::ContextLayer)
        .with(structured.then(|| json::JsonLayer::new(stdout.clone(), Clock::system())))
        .with((!structured).then(|| readable::layer(stdout, terminal)))
        .with(file.map(|file| json::JsonLayer::new(file, Clock::system())))
        .try_init()?;
    std::panic::set_hook(Box::new(log_panic));
    Ok(guard)
}

/// Tells where a panic was; not what it said, which may quote what a user wrote.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let location = panic.location().map(tracing::field::display);
    tracing::error!(location, thread = thread::current().name(), "panic");
}

/// A subscriber that writes JSON lines to the given writer and is not installed anywhere: for tests, with
/// `tracing::subscriber::with_default` or `set_default`.
///
/// # Errors
/// If the filter cannot be read.
pub fn json_subscriber<W>(
    log_level: &str,
    writer: W,
    clock: Clock,
) -> Result<impl Subscriber + Send + Sync + use<W>, LoggingError>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    Ok(tracing_subscriber::registry()
        .with(filter(log_level)?)
        .with(context::ContextLayer)
        .with(json::JsonLayer::new(writer, clock)))
}

/// The filter that a level or filter text stands for. DEBUG and TRACE alone are about this service: its libraries
/// would drown it.
fn filter(log_level: &str) -> Result<EnvFilter, ParseError> {
    let directives = match log_level.to_ascii_lowercase().as_str() {
        level @ ("debug" | "trace") => format!("info,{}={level}", env!("CARGO_CRATE_NAME")),
        _ => log_level.to_owned(),
    };
    EnvFilter::builder().parse(directives)
}

/// The file of the day, `NAME.YYYY-MM-DD`, with a link `NAME` that points to it.
fn daily_file(path: &Path) -> Result<RollingFileAppender, LoggingError> {
    let refused = |reason: String| LoggingError::File {
        path: path.to_owned(),
        reason,
    };
    let name = path
        .file_name()
        .and_then(|name| name.to_str())
        .ok_or_else(|| refused("it has no name".to_owned()))?;
    // The link takes the place of what is there: an ordinary file would be lost.
    if fs::symlink_metadata(path).is_ok_and(|existing| !existing.is_symlink()) {
        return Err(refused("something that is not a link has this name".to_owned()));
    }
    let folder = path.parent().unwrap_or(Path::new(""));
    // The link holds the path of the file as it is: a relative one would be looked up from the link's own folder.
    let folder = std::path::absolute(folder.join(".")).map_err(|error| refused(error.to_string()))?;
    RollingFileAppender::builder()
        .rotation(Rotation::DAILY)
        .filename_prefix(name)
        .latest_symlink(name)
        .build(folder)
        .map_err(|error| refused(error_chain(&error)))
}

/// An error with its causes on one line.
fn error_chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests;
