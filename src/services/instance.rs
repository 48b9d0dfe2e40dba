//! Who this instance is.
//!
//! One process at a time uses a data folder: its journal has one writer. What a process began there and did not end is
//! therefore nobody's when the next one starts, which goes by the same id and closes it at once. Instances with folders of
//! their own know each other by their leases in the database.

use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::models::ids::InstanceId;
use crate::utils::clock::Clock;
use crate::utils::file_lock::{FileLock, FileLockError};

/// The file in the data folder that is locked, and that holds the id.
const FILE_NAME: &str = "instance";

/// More than an id takes.
const MAX_LENGTH: u64 = 64;

/// Why the data folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum InstanceError {
    /// Another process does, or it cannot be locked.
    #[error(transparent)]
    Lock(#[from] FileLockError),
    /// The id cannot be read or written.
    #[error("{path} cannot be used: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// The right to use a data folder, for as long as this lives.
#[derive(Debug)]
pub struct Instance {
    /// The id that goes with the folder.
    pub id: InstanceId,
    _lock: FileLock,
}

impl Instance {
    /// Takes the folder, waiting up to `patience` for a process that is about to stop. An id is made if there is none, or
    /// none that can be read.
    ///
    /// # Errors
    /// If the folder is still in use then, or its file cannot be used.
    pub async fn claim(data_dir: &Path, patience: Duration, clock: &Clock) -> Result<Self, InstanceError> {
        let path = data_dir.join(FILE_NAME);
        let mut lock = FileLock::acquire(&path, "this data folder", patience).await?;
        let id = read_or_make(&mut lock, clock).map_err(|source| InstanceError::Io { path, source })?;
        Ok(Self { id, _lock: lock })
    }
}

fn read_or_make(lock: &mut FileLock, clock: &Clock) -> io::Result<InstanceId> {
    let file = &mut lock.file;
    let mut bytes = Vec::new();
    file.take(MAX_LENGTH).read_to_end(&mut bytes)?;
    let known = std::str::from_utf8(&bytes)
        .ok()
        .and_then(|text| text.trim().parse().ok());
    if let Some(id) = known {
        return Ok(id);
    }
    let id = InstanceId::new(clock);
    file.rewind()?;
    file.set_len(0)?;
    file.write_all(format!("{id}\n").as_bytes())?;
    file.sync_all()?;
    Ok(id)
}
