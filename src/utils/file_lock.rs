//! A lock file: held by one process at a time, and freed by the system when that process ends, however it ends.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::Instant;

/// How often a taken lock is tried again.
const RETRY: Duration = Duration::from_millis(100);

/// Why a file is not locked.
#[derive(Debug, thiserror::Error)]
pub enum FileLockError {
    /// Another process has it.
    #[error("another instance uses {what} ({} is locked); stop it, or give this one another DATA_DIR", path.display())]
    Taken {
        /// What the lock is for.
        what: &'static str,
        /// The lock file.
        path: PathBuf,
    },
    /// The file cannot be made or locked.
    #[error("{path} cannot be locked: {source}")]
    Io {
        /// The lock file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

/// A locked file; what is in it may be read and written.
#[derive(Debug)]
pub struct FileLock {
    /// The open file.
    pub file: File,
}

impl FileLock {
    /// Locks a file, which is made with its folder if need be, waiting up to `patience` for a process that is about to
    /// stop. `what` says what the lock is for.
    ///
    /// # Errors
    /// If the lock is still taken then, or cannot be taken at all.
    pub async fn acquire(path: &Path, what: &'static str, patience: Duration) -> Result<Self, FileLockError> {
        let failed = |source| FileLockError::Io {
            path: path.to_owned(),
            source,
        };
        let file = open(path).map_err(failed)?;
        let deadline = Instant::now() + patience;
        let mut told = false;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Self { file }),
                Err(TryLockError::Error(source)) => return Err(failed(source)),
                Err(TryLockError::WouldBlock) if Instant::now() >= deadline => {
                    let path = path.to_owned();
                    return Err(FileLockError::Taken { what, path });
                }
                Err(TryLockError::WouldBlock) => {
                    if !told {
                        tracing::info!(
                            lock = %path.display(),
                            patience_seconds = patience.as_secs(),
                            "another instance uses {what}, waiting for it to stop"
                        );
                        told = true;
                    }
                    tokio::time::sleep(RETRY).await;
                }
            }
        }
    }
}

fn open(path: &Path) -> std::io::Result<File> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder)?;
    }
    File::options()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .open(path)
}
