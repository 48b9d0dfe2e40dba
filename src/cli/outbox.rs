//! The dead letters of the outbox: looked at, tried again, discarded. What they hold is never printed.

use std::error::Error;
use std::fmt::Write as _;
use std::io;
use std::process::ExitCode;

use chrono::{DateTime, SecondsFormat, Utc};
use clap::Subcommand;
use uuid::Uuid;

use super::database::{CommandDatabase, print};
use crate::config::Settings;
use crate::models::ids::StreamId;
use crate::services::outbox::{DeadFile, DeadLetter, DeadLine, OutboxRecords};

/// Dead letters of the database that are listed: the oldest.
const LISTED: u32 = 1000;

/// What can be done with dead letters. The service may be running meanwhile.
#[derive(Debug, Clone, Copy, Subcommand)]
pub(super) enum OutboxCommand {
    /// List them: those of the database, and those in the file of this data folder.
    List,
    /// Have the service try all of them again.
    Retry,
    /// Delete one of the database for good.
    Discard {
        /// Its id.
        id: Uuid,
    },
}

/// Runs the command.
pub(super) async fn run(settings: &Settings, command: OutboxCommand) -> ExitCode {
    print(answer(settings, command).await)
}

async fn answer(settings: &Settings, command: OutboxCommand) -> Result<String, Box<dyn Error>> {
    let opened = CommandDatabase::open(settings).await?;
    let (records, file) = (opened.database.outbox(), DeadFile::of(&settings.app.data_dir));
    let answer = match command {
        OutboxCommand::List => list(&*records, &file).await,
        OutboxCommand::Retry => retry(&*records, &file).await,
        OutboxCommand::Discard { id } => discard(&*records, StreamId(id)).await,
    };
    drop(records);
    opened.close().await;
    answer
}

async fn list(records: &dyn OutboxRecords, file: &DeadFile) -> Result<String, Box<dyn Error>> {
    let (letters, lines) = (records.dead_letters(LISTED).await?, file.letters()?);
    let all = records.state().await?.dead_letters;
    let mut text = format!(
        "{all} in the database, {} in {}",
        lines.len(),
        file.path().display()
    );
    // Writing to a `String` cannot fail.
    for letter in &letters {
        let _ = write!(text, "\n{}", describe(letter));
    }
    if all > letters.len() as u64 {
        let _ = write!(text, "\n… these are the oldest {LISTED}");
    }
    for line in &lines {
        let _ = write!(text, "\n{}", describe_line(line));
    }
    Ok(text)
}

fn describe(letter: &DeadLetter) -> String {
    let (kept_at, reason) = (
        shown(letter.kept_at),
        letter.reason.as_deref().unwrap_or("unknown"),
    );
    format!(
        "{}  kept {kept_at}  attempts {}: {reason}",
        letter.id, letter.attempts
    )
}

fn describe_line(line: &DeadLine) -> String {
    let number = line.line;
    match line.entry {
        Some((id, ended_at)) => format!(
            "{id}  line {number}  ended {}: neither the store nor the outbox table took it",
            shown(ended_at)
        ),
        None => format!("line {number}  {} bytes: it cannot be read", line.bytes),
    }
}

fn shown(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

async fn retry(records: &dyn OutboxRecords, file: &DeadFile) -> Result<String, Box<dyn Error>> {
    let of_table = records.retry_dead_letters().await?;
    let of_file = match file.retry() {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            return Err("those in the file wait already, for the service to be started".into());
        }
        retried => retried?,
    };
    Ok(format!(
        "{of_table} of the database and {of_file} of {} are tried again, within a second or when the service starts",
        file.path().display()
    ))
}

async fn discard(records: &dyn OutboxRecords, id: StreamId) -> Result<String, Box<dyn Error>> {
    if records.discard_dead_letter(id).await? {
        Ok(format!("{id} is deleted"))
    } else {
        Err(format!("{id} is no dead letter of the database").into())
    }
}
