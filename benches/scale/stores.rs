//! The databases that are measured.

use std::path::PathBuf;

use ai_chat_orchestrator::config::Settings;
use ai_chat_orchestrator::services::sql::sqlite::SqliteDatabase;
use ai_chat_orchestrator::utils::clock::Clock;
use tempfile::TempDir;
use tokio_util::task::TaskTracker;

use crate::Failure;

/// A file, with the settings that a server has by default.
pub struct Sqlite {
    /// The open database.
    pub database: SqliteDatabase,
    path: PathBuf,
    /// Removed at the end; none for a file that is to be kept.
    _folder: Option<TempDir>,
}

impl Sqlite {
    /// Opens the file that is to be kept, or a new one.
    pub async fn open(keep: Option<&str>) -> Result<Self, Failure> {
        let (folder, path) = match keep {
            Some(path) => (None, PathBuf::from(path)),
            None => {
                let folder = tempfile::tempdir()?;
                let path = folder.path().join("scale.db");
                (Some(folder), path)
            }
        };
        let settings = Settings::from_pairs([])?;
        let database =
            SqliteDatabase::open(&path, &settings.database, Clock::system(), &TaskTracker::new()).await?;
        Ok(Self {
            database,
            path,
            _folder: folder,
        })
    }

    /// Bytes of the file.
    pub fn size(&self) -> Result<u64, Failure> {
        Ok(self.path.metadata()?.len())
    }
}

/// Bytes as people read them.
pub fn bytes(bytes: u64) -> String {
    format!("{:.2} GB", bytes as f64 / 1e9)
}
