//! Why Redis did not do what it was asked.

use std::error::Error;

use redis::{ErrorKind, ParsingError, RedisError, ServerErrorKind};

/// Why there is no reply that could be used. No variant carries what was asked or what was replied: both may hold
/// what users wrote.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RedisFailure {
    /// It is known to be down, and was not asked.
    #[error("Redis is down")]
    Down,
    /// Others had no reply in time, and it was not asked: whether it is there will be known in a moment.
    #[error("Redis did not reply to others in time")]
    Doubted,
    /// No reply within `REDIS_TIMEOUT_MS`. Whether it was done is unknown.
    #[error("Redis did not reply in time")]
    TimedOut,
    /// The connection broke. Whether it was done is unknown.
    #[error("the connection to Redis broke ({0})")]
    Broken(String),
    /// It is there, but cannot serve: it loads its data, or has become a replica. Holds its error code.
    #[error("Redis cannot serve now ({0})")]
    Unready(String),
    /// It replied with an error about this one request. Holds its error code, such as `OOM` or `WRONGTYPE`.
    #[error("Redis refused ({0})")]
    Refused(String),
    /// It replied with another type of value than was asked for.
    #[error("Redis replied with something unexpected")]
    Unexpected,
}

impl RedisFailure {
    /// Whether Redis is what fails, rather than this one request.
    #[must_use]
    pub const fn is_outage(&self) -> bool {
        match self {
            Self::Down | Self::Doubted | Self::TimedOut | Self::Broken(_) | Self::Unready(_) => true,
            Self::Refused(_) | Self::Unexpected => false,
        }
    }

    /// The `result` label of the metrics.
    pub(super) const fn label(&self) -> &'static str {
        match self {
            Self::TimedOut => "timeout",
            Self::Down | Self::Doubted | Self::Broken(_) | Self::Unready(_) => "unavailable",
            Self::Refused(_) => "refused",
            Self::Unexpected => "unexpected",
        }
    }
}

impl From<RedisError> for RedisFailure {
    fn from(error: RedisError) -> Self {
        match error.kind() {
            ErrorKind::Server(
                ServerErrorKind::BusyLoading
                | ServerErrorKind::ReadOnly
                | ServerErrorKind::MasterDown
                | ServerErrorKind::ClusterDown
                | ServerErrorKind::TryAgain,
            ) => Self::Unready(code(error)),
            ErrorKind::Server(_) | ErrorKind::Extension => Self::Refused(code(error)),
            ErrorKind::UnexpectedReturnType => Self::Unexpected,
            // The reply was read, but is none of the type that was asked for: the connection is as good as before.
            ErrorKind::Parse if error.source().is_some_and(|source| source.is::<ParsingError>()) => {
                Self::Unexpected
            }
            // The system's text, such as a refused connection or a bad certificate.
            ErrorKind::Io => Self::Broken(error.to_string()),
            _ => Self::Broken(error.category().to_owned()),
        }
    }
}

/// The error code alone: the text behind it may quote what was asked.
fn code(error: RedisError) -> String {
    let code = error.code().map(str::to_owned);
    let of_first = || {
        let errors = error.into_server_errors()?;
        errors.first().map(|(_, error)| error.code().to_owned())
    };
    code.or_else(of_first).unwrap_or_else(|| "ERR".to_owned())
}
