//! Who may import now: of one user few at once, and of all so many as the disk and the memory can hold.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::models::ids::UserId;
use crate::utils::errors::{ApiError, ErrorCode};

/// Imports of one user at once, so that nobody keeps others from importing.
const MAX_PER_USER: usize = 2;

/// Files on disk at once: on their way, waiting, or being stored. Each has at most `MAX_IMPORT_BYTES`.
const MAX_FILES: usize = 16;

/// Files that are being stored at once. Each may hold three conversations in memory. A place is taken only once the file is
/// here, so that nobody holds one by sending slowly.
const MAX_STORING: usize = 4;

/// The places of those who import.
#[derive(Debug)]
pub(in super::super) struct ImportPlaces {
    files: Arc<Semaphore>,
    storing: Arc<Semaphore>,
    users: Arc<Users>,
}

/// How many imports each user has in work.
type Users = Mutex<HashMap<UserId, usize>>;

/// The place of one file; given back when dropped.
#[derive(Debug)]
pub(super) struct FilePlace {
    _file: OwnedSemaphorePermit,
    users: Arc<Users>,
    user: UserId,
}

impl Default for ImportPlaces {
    fn default() -> Self {
        Self {
            files: Arc::new(Semaphore::new(MAX_FILES)),
            storing: Arc::new(Semaphore::new(MAX_STORING)),
            users: Arc::default(),
        }
    }
}

impl ImportPlaces {
    /// A place for a file of the user.
    ///
    /// # Errors
    /// `RATE_LIMIT_EXCEEDED` if this user, `OVERLOADED` if all together have too many.
    pub(super) fn take(&self, user: UserId) -> Result<FilePlace, ApiError> {
        let file = self.files.clone().try_acquire_owned().map_err(|_| {
            ApiError::new(
                ErrorCode::Overloaded,
                "Too many files are being imported. Try again shortly.",
            )
        })?;
        let mut users = self.users.lock().unwrap_or_else(PoisonError::into_inner);
        let count = users.entry(user).or_default();
        if *count >= MAX_PER_USER {
            return Err(ApiError::new(
                ErrorCode::RateLimitExceeded,
                "Too many of your files are being imported at once.",
            )
            .with_detail("limit", MAX_PER_USER));
        }
        *count += 1;
        drop(users);
        Ok(FilePlace {
            _file: file,
            users: self.users.clone(),
            user,
        })
    }

    /// A place among the files that are being stored, as soon as there is one.
    pub(super) async fn storing(&self) -> Result<OwnedSemaphorePermit, ApiError> {
        let place = self.storing.clone().acquire_owned().await;
        place.map_err(ApiError::internal)
    }
}

impl Drop for FilePlace {
    fn drop(&mut self) {
        let mut users = self.users.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = users.get_mut(&self.user) {
            *count -= 1;
            if *count == 0 {
                users.remove(&self.user);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use uuid::Uuid;

    use super::*;

    fn user(number: usize) -> UserId {
        UserId(Uuid::from_u128(number as u128))
    }

    #[test]
    fn nobody_keeps_others_from_importing() {
        let places = ImportPlaces::default();
        let mut held: Vec<_> = (0..MAX_PER_USER)
            .map(|_| places.take(user(0)).expect("a place"))
            .collect();
        let refused = places.take(user(0)).expect_err("one too many");
        assert_eq!(refused.code(), ErrorCode::RateLimitExceeded);
        held.extend((held.len()..MAX_FILES).map(|number| places.take(user(number)).expect("a place")));
        let refused = places.take(user(MAX_FILES)).expect_err("all are taken");
        assert_eq!(refused.code(), ErrorCode::Overloaded);
        held.remove(0);
        assert!(places.take(user(0)).is_ok());
        drop(held);
        assert!(places.users.lock().expect("the counts").is_empty());
    }

    #[test]
    fn files_wait_until_they_can_be_stored() {
        let places = ImportPlaces::default();
        let mut storing: Vec<_> = (0..MAX_STORING)
            .map(|_| {
                places
                    .storing()
                    .now_or_never()
                    .expect("at once")
                    .expect("a place")
            })
            .collect();
        assert!(places.storing().now_or_never().is_none());
        storing.pop();
        assert!(places.storing().now_or_never().is_some());
    }
}
