//! One serving instance for each SQLite file.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::Instant;

/// How often a taken lock is tried again.
const RETRY: Duration = Duration::from_millis(100);

/// Why this process may not serve from the file.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another instance serves from it.
    #[error(
        "another instance serves from this SQLite file ({0} is locked); stop it, or give this one another DATA_DIR"
    )]
    Taken(PathBuf),
    /// The lock file cannot be made or locked.
    #[error("{path} cannot be locked: {source}")]
    Io {
        /// The lock file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

/// Held by the serving instance for as long as it runs; the system frees it when the process ends, however it
/// ends. Commands do not take it.
#[derive(Debug)]
pub struct InstanceLock(#[expect(dead_code, reason = "held for its lock, which goes with it")] File);

impl InstanceLock {
    /// Takes the lock beside `database`, waiting up to `patience` for an instance that is about to stop.
    ///
    /// # Errors
    /// If the lock is still taken then, or cannot be taken at all.
    pub async fn acquire(database: &Path, patience: Duration) -> Result<Self, LockError> {
        let mut path = database.as_os_str().to_owned();
        path.push(".lock");
        let path = PathBuf::from(path);
        let failed = |source| LockError::Io {
            path: path.clone(),
            source,
        };
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder).map_err(failed)?;
        }
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(failed)?;
        let deadline = Instant::now() + patience;
        let mut told = false;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Self(file)),
                Err(TryLockError::Error(source)) => return Err(failed(source)),
                Err(TryLockError::WouldBlock) if Instant::now() >= deadline => {
                    return Err(LockError::Taken(path));
                }
                Err(TryLockError::WouldBlock) => {
                    if !told {
                        tracing::info!(
                            lock = %path.display(),
                            patience_seconds = patience.as_secs(),
                            "another instance serves from this SQLite file, waiting for it to stop"
                        );
                        told = true;
                    }
                    tokio::time::sleep(RETRY).await;
                }
            }
        }
    }
}
