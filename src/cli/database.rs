//! The database of this installation, as commands use it: beside a running service.

use std::error::Error;
use std::process::ExitCode;

use tokio_util::task::TaskTracker;

use super::commands::failed;
use super::say;
use crate::config::Settings;
use crate::models::ids::InstanceId;
use crate::services::sql::{OpenDatabase, OpenError};
use crate::utils::clock::Clock;

/// The database while a command runs.
pub(super) struct CommandDatabase {
    pub(super) database: OpenDatabase,
    tracker: TaskTracker,
}

impl CommandDatabase {
    pub(super) async fn open(settings: &Settings) -> Result<Self, OpenError> {
        let (clock, tracker) = (Clock::system(), TaskTracker::new());
        let instance = InstanceId::new(&clock);
        Ok(Self {
            database: OpenDatabase::open(&settings.database, clock, instance, &tracker).await?,
            tracker,
        })
    }

    /// Closes it. Whatever it was handed out as must be dropped before.
    pub(super) async fn close(self) {
        self.database.close().await;
        // The writer ends with the last handle on it.
        drop(self.database);
        self.tracker.close();
        self.tracker.wait().await;
    }
}

/// Prints what a command answers, or why it has no answer.
pub(super) fn print(answer: Result<String, Box<dyn Error>>) -> ExitCode {
    match answer {
        Ok(text) => {
            say(&text);
            ExitCode::SUCCESS
        }
        Err(error) => failed(&error),
    }
}
