//! URLs, and where the database is.

use redis::IntoConnectionInfo;
use reqwest::Url;
use secrecy::SecretString;

use super::Syntax;
use super::text::parse_file_path;
use crate::config::sections::DatabaseUrl;

/// The longest URL.
const MAX_URL_CHARS: usize = 2000;

/// The base URL of an HTTP server. It comes out without a trailing slash.
pub struct HttpUrl;

impl Syntax for HttpUrl {
    type Value = String;

    fn parse(&self, text: &str) -> Option<String> {
        let url = parse_url(text, &["http", "https"])?;
        // Such URLs are logged and shown in `/info`: a secret in one would be no secret.
        let bare = url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none();
        bare.then(|| url.as_str().trim_end_matches('/').to_owned())
    }

    fn allowed(&self) -> String {
        "an http:// or https:// URL without user, password, query or fragment".to_owned()
    }
}

/// Where Redis is. The URL may hold a password.
pub struct RedisUrl;

impl Syntax for RedisUrl {
    type Value = SecretString;
    const SECRET: bool = true;

    fn parse(&self, text: &str) -> Option<SecretString> {
        parse_url(text, &["redis", "rediss"])?;
        // What the client does not take, such as a database that is no number.
        text.into_connection_info().ok()?;
        Some(SecretString::from(text))
    }

    fn allowed(&self) -> String {
        "redis://[user:password@]host[:port][/number] or rediss://…".to_owned()
    }
}

/// Where the database is. The URL of a PostgreSQL server may hold a password.
pub struct DatabaseLocation;

impl Syntax for DatabaseLocation {
    type Value = DatabaseUrl;
    const SECRET: bool = true;

    fn parse(&self, text: &str) -> Option<DatabaseUrl> {
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            parse_url(text, &["postgres", "postgresql"])?;
            return Some(DatabaseUrl::Postgres(SecretString::from(text)));
        }
        let path = text
            .strip_prefix("sqlite://")
            .or_else(|| text.strip_prefix("sqlite:"))
            .unwrap_or(text);
        // A colon or question mark means another kind of URL, `:memory:`, or parameters: taken for a file name they
        // would quietly put the data in the wrong place.
        if path.contains([':', '?']) {
            return None;
        }
        parse_file_path(path).map(DatabaseUrl::Sqlite)
    }

    fn allowed(&self) -> String {
        "sqlite:PATH, sqlite://PATH, the path of a file, or postgres://[user[:password]@]host[:port]/name"
            .to_owned()
    }
}

/// A URL with one of these schemes and a host.
pub fn parse_url(text: &str, schemes: &[&str]) -> Option<Url> {
    if text.len() > MAX_URL_CHARS {
        return None;
    }
    let url = Url::parse(text).ok()?;
    let has_host = url.host_str().is_some_and(|host| !host.is_empty());
    (has_host && schemes.contains(&url.scheme())).then_some(url)
}
