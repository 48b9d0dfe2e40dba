//! The command line.
//!
//! Exit statuses: 0; 1 if the command failed; 2 for a wrong command line; 78 (`EX_CONFIG`) for wrong settings;
//! 130 or 143 if a second signal ended the server at once.

mod banner;
mod commands;
mod database;
mod outbox;
mod usage;
mod user;

use std::io::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};
use uuid::Uuid;

use crate::config::Settings;

/// Wrong settings, as `sysexits.h` numbers it.
const EX_CONFIG: u8 = 78;

/// A chat back end in one binary.
#[derive(Debug, Parser)]
#[command(name = "ai-chat-orchestrator", version, about)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve (the default).
    Serve,
    /// Print a token that this installation accepts. For development: real tokens come from Supabase.
    Token {
        /// The user that the token is for (a UUID); the development user unless given.
        #[arg(long, default_value_t = commands::DEVELOPMENT_USER)]
        user: Uuid,
        /// An address to put into it.
        #[arg(long)]
        email: Option<String>,
        /// How long it is valid: seconds, or a number with s, m, h or d.
        #[arg(long, default_value = "30d", value_parser = duration)]
        ttl: Duration,
    },
    /// Bring the database's schema up to date.
    Migrate,
    /// Look at dead letters: answers that could not be stored and are not tried any more.
    Outbox {
        #[command(subcommand)]
        command: outbox::OutboxCommand,
    },
    /// Look at users' accounts, and change them.
    User {
        #[command(subcommand)]
        command: user::UserCommand,
    },
    /// Report what was used.
    Usage {
        #[command(subcommand)]
        command: usage::UsageCommand,
    },
    /// Print the OpenAPI document.
    Openapi,
    /// Ask the server on this machine whether it is ready; for containers.
    Healthcheck,
}

/// Runs the command that the process was started with.
#[must_use]
pub fn run() -> ExitCode {
    let command = Cli::parse().command.unwrap_or(Command::Serve);
    if matches!(command, Command::Openapi) {
        return commands::openapi();
    }
    let settings = match Settings::from_env() {
        Ok(settings) => settings,
        Err(problems) => {
            complain(&problems.to_string());
            return ExitCode::from(EX_CONFIG);
        }
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            complain(&format!("the runtime cannot be started: {error}"));
            return ExitCode::FAILURE;
        }
    };
    runtime.block_on(async {
        match command {
            Command::Serve => commands::serve(settings).await,
            Command::Token { user, email, ttl } => commands::token(&settings, user, email.as_deref(), ttl),
            Command::Migrate => commands::migrate(&settings).await,
            Command::Outbox { command } => outbox::run(&settings, command).await,
            Command::User { command } => user::run(&settings, command).await,
            Command::Usage { command } => usage::run(&settings, command).await,
            Command::Openapi => commands::openapi(),
            Command::Healthcheck => commands::healthcheck(&settings).await,
        }
    })
}

/// `90`, `90s`, `15m`, `12h`, `30d`.
fn duration(text: &str) -> Result<Duration, String> {
    let problem =
        || "must be a number of seconds, or a number with s, m, h or d, and at least 1 second".to_owned();
    let (number, unit) = match text.char_indices().last() {
        Some((at, unit)) if unit.is_ascii_alphabetic() => (&text[..at], unit),
        _ => (text, 's'),
    };
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return Err(problem()),
    };
    let number: u64 = number.parse().map_err(|_| problem())?;
    number
        .checked_mul(seconds)
        .filter(|total| *total > 0)
        .map(Duration::from_secs)
        .ok_or_else(problem)
}

/// Writes to standard output what the user asked for; a closed pipe is the user's choice.
fn say(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// Writes to standard error why there is nothing to say.
fn complain(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn reads_durations() {
        assert_eq!(duration("90"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("2h"), Ok(Duration::from_secs(7_200)));
        for bad in ["", "h", "-1", "0", "1w", "1.5h", "99999999999999999999d"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }
}
