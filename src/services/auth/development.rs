//! A signing secret and tokens for an installation that was given none. Production refuses to start on them.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use aws_lc_rs::rand;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use secrecy::ExposeSecret;
use serde::Serialize;

use crate::config::SecretBytes;
use crate::models::ids::UserId;
use crate::utils::clock::Clock;

/// The file in the data folder.
const SECRET_FILE: &str = "jwt_secret";

/// As long as the longest key that HS256 makes use of.
const SECRET_BYTES: usize = 32;

/// The signing secret that an installation generates for itself.
#[derive(Debug)]
pub struct DevelopmentSecret {
    /// The secret.
    pub secret: SecretBytes,
    /// Whether this call made it: true exactly once in the life of a data folder.
    pub created: bool,
}

/// Why the secret cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum SecretFileError {
    /// The file cannot be read or written.
    #[error("cannot use {path}: {cause}")]
    Io {
        /// The file or folder at fault.
        path: PathBuf,
        /// What the system says.
        #[source]
        cause: io::Error,
    },
    /// The file does not hold a secret of ours.
    #[error("{0} does not hold {SECRET_BYTES} bytes; delete it to have a new secret made")]
    Malformed(PathBuf),
    /// The system's random numbers cannot be had.
    #[error("no random numbers can be had")]
    NoRandomness,
}

impl DevelopmentSecret {
    /// Reads the secret from the data folder, or makes one, readable by the owner only.
    ///
    /// Of two processes that start at once, one makes the secret and both use it: it is written in full to a
    /// file of its own and then linked into place, which fails if another was faster.
    ///
    /// # Errors
    /// If the folder cannot be used, or the file holds something else.
    pub fn load_or_create(data_dir: &Path) -> Result<Self, SecretFileError> {
        let path = data_dir.join(SECRET_FILE);
        if let Some(secret) = read(&path)? {
            return Ok(Self {
                secret,
                created: false,
            });
        }
        fs::create_dir_all(data_dir).map_err(at(data_dir))?;
        let draft = data_dir.join(format!("{SECRET_FILE}.{}.tmp", std::process::id()));
        let secret = write_draft(&draft)?;
        let linked = fs::hard_link(&draft, &path);
        fs::remove_file(&draft).map_err(at(&draft))?;
        match linked {
            Ok(()) => {
                sync_folder(data_dir)?;
                Ok(Self {
                    secret,
                    created: true,
                })
            }
            Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists => {
                let secret = read(&path)?.ok_or(SecretFileError::Malformed(path))?;
                Ok(Self {
                    secret,
                    created: false,
                })
            }
            Err(cause) => Err(SecretFileError::Io { path, cause }),
        }
    }
}

/// The secret in the file; `None` if there is no file.
fn read(path: &Path) -> Result<Option<SecretBytes>, SecretFileError> {
    match fs::read(path) {
        Ok(bytes) if bytes.len() == SECRET_BYTES => Ok(Some(bytes.into())),
        Ok(_) => Err(SecretFileError::Malformed(path.to_owned())),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(cause) => Err(at(path)(cause)),
    }
}

fn write_draft(draft: &Path) -> Result<SecretBytes, SecretFileError> {
    let mut bytes = vec![0; SECRET_BYTES];
    rand::fill(&mut bytes).map_err(|_| SecretFileError::NoRandomness)?;
    // A draft of that name can only be left over from a killed process that had the same id.
    match fs::remove_file(draft) {
        Err(cause) if cause.kind() != io::ErrorKind::NotFound => return Err(at(draft)(cause)),
        _ => {}
    }
    let write = |bytes: &[u8]| {
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(draft)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    write(&bytes).map_err(at(draft))?;
    Ok(bytes.into())
}

/// Makes the new name survive a power loss.
fn sync_folder(folder: &Path) -> Result<(), SecretFileError> {
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(at(folder))
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> SecretFileError {
    let path = path.to_owned();
    move |cause| SecretFileError::Io { path, cause }
}

/// What a development token is to say.
#[derive(Debug, Clone)]
pub struct DevelopmentToken<'a> {
    /// The user it is for.
    pub user: UserId,
    /// The user's address.
    pub email: Option<&'a str>,
    /// How long it is valid.
    pub ttl: Duration,
    /// `aud`: the service's `JWT_AUDIENCE`.
    pub audience: &'a str,
    /// `iss`: the service's `JWT_ISSUER`.
    pub issuer: Option<&'a str>,
}

#[derive(Serialize)]
struct DevelopmentClaims<'a> {
    sub: UserId,
    aud: &'a str,
    role: &'static str,
    iat: i64,
    exp: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    iss: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<&'a str>,
}

impl DevelopmentToken<'_> {
    /// Signs the token, in the form that Supabase gives its access tokens.
    ///
    /// # Errors
    /// If the algorithm is not one of HS256, HS384 and HS512.
    pub fn sign(
        &self,
        secret: &SecretBytes,
        algorithm: Algorithm,
        clock: &Clock,
    ) -> Result<String, jsonwebtoken::errors::Error> {
        let now = clock.now().timestamp();
        let ttl = i64::try_from(self.ttl.as_secs()).unwrap_or(i64::MAX);
        let claims = DevelopmentClaims {
            sub: self.user,
            aud: self.audience,
            role: "authenticated",
            iat: now,
            exp: now.saturating_add(ttl),
            iss: self.issuer,
            email: self.email,
        };
        let key = EncodingKey::from_secret(secret.expose_secret());
        encode(&Header::new(algorithm), &claims, &key)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn makes_one_secret_and_keeps_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let data = folder.path().join("data");
        let first = DevelopmentSecret::load_or_create(&data).expect("a secret");
        let second = DevelopmentSecret::load_or_create(&data).expect("a secret");
        assert!(first.created && !second.created);
        assert_eq!(first.secret.expose_secret(), second.secret.expose_secret());
        let mode = fs::metadata(data.join(SECRET_FILE))
            .expect("the file")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        let files = fs::read_dir(&data).expect("the folder").count();
        assert_eq!(files, 1, "no draft is left behind");
    }

    #[test]
    fn the_slower_of_two_takes_the_secret_of_the_faster() {
        let folder = tempfile::tempdir().expect("a folder");
        let draft = folder.path().join("draft");
        write_draft(&draft).expect("a draft");
        let path = folder.path().join(SECRET_FILE);
        fs::write(&path, [7; SECRET_BYTES]).expect("the other's secret");
        assert!(fs::hard_link(&draft, &path).is_err(), "linking never overwrites");
        let loaded = DevelopmentSecret::load_or_create(folder.path()).expect("a secret");
        assert_eq!(loaded.secret.expose_secret(), [7; SECRET_BYTES]);
    }

    #[test]
    fn refuses_a_file_that_holds_something_else() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join(SECRET_FILE), "short").expect("a file");
        let refused = DevelopmentSecret::load_or_create(folder.path());
        assert!(matches!(refused, Err(SecretFileError::Malformed(_))));
    }
}
