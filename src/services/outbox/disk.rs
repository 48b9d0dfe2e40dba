//! What the outbox's files have in common.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// The files hold messages: they are nobody else's business.
const PRIVATE: u32 = 0o600;

/// The whole of a file; nothing if there is none.
pub(super) fn read(path: &Path) -> io::Result<Vec<u8>> {
    match fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        read => read,
    }
}

/// How long a file is, in bytes; zero if there is none.
pub(super) fn length(path: &Path) -> io::Result<u64> {
    match fs::metadata(path) {
        Ok(metadata) => Ok(metadata.len()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
        Err(error) => Err(error),
    }
}

/// Appends whole lines and returns once they are on the disk: all of them or none.
///
/// # Errors
/// If the file cannot be written, or would become longer than `limit` bytes (`FileTooLarge`).
pub(super) fn append(path: &Path, lines: &[u8], limit: u64) -> io::Result<()> {
    let mut file = File::options()
        .create(true)
        .append(true)
        .mode(PRIVATE)
        .open(path)?;
    let held = file.metadata()?.len();
    if held + lines.len() as u64 > limit {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    if let Err(error) = file.write_all(lines).and_then(|()| file.sync_all()) {
        // Half a line must not stay in front of the next one.
        let _ = file.set_len(held);
        return Err(error);
    }
    if held == 0 {
        sync_folder_of(path)?;
    }
    Ok(())
}

/// Replaces a file by one with this text, so that a crash leaves either the old or the new one.
pub(super) fn replace(path: &Path, text: &[u8]) -> io::Result<()> {
    let mut new = path.as_os_str().to_owned();
    new.push(".new");
    let mut file = File::options()
        .create(true)
        .write(true)
        .truncate(true)
        .mode(PRIVATE)
        .open(&new)?;
    file.write_all(text)?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    sync_folder_of(path)
}

/// Removes a file for good, if there is one.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Ok(()) => sync_folder_of(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// Makes it last that a file is there, or gone.
pub(super) fn sync_folder_of(path: &Path) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}
