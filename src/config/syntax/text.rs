//! Texts: names, choices, paths, secrets and log filters.

use std::net::IpAddr;
use std::path::PathBuf;

use secrecy::SecretString;
use tracing_subscriber::EnvFilter;

use super::Syntax;

/// The longest host name that DNS knows.
const MAX_HOST_CHARS: usize = 253;

/// The longest name of an Edge Function.
const MAX_FUNCTION_CHARS: usize = 100;

/// The longest secret, in bytes: past this something else was pasted.
const MAX_SECRET_BYTES: usize = 4096;

/// The longest path, in bytes, as on Linux.
const MAX_PATH_BYTES: usize = 4096;

/// The longest log filter.
const MAX_FILTER_CHARS: usize = 1000;

/// A line of text.
pub struct Text {
    max_chars: usize,
}

impl Text {
    pub const fn up_to(max_chars: usize) -> Self {
        Self { max_chars }
    }
}

impl Syntax for Text {
    type Value = String;

    fn parse(&self, text: &str) -> Option<String> {
        is_line(text, self.max_chars).then(|| text.to_owned())
    }

    fn allowed(&self) -> String {
        format!("a line of at most {} characters", self.max_chars)
    }
}

/// One of a few names, in any case.
pub struct Choice<T: 'static>(pub &'static [(&'static str, T)]);

impl<T: Copy> Syntax for Choice<T> {
    type Value = T;

    fn parse(&self, text: &str) -> Option<T> {
        self.0
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(text))
            .map(|(_, value)| *value)
    }

    fn allowed(&self) -> String {
        let names: Vec<_> = self.0.iter().map(|(name, _)| *name).collect();
        names.join(" or ")
    }
}

/// An address or host name to listen on.
pub struct Host;

impl Syntax for Host {
    type Value = String;

    fn parse(&self, text: &str) -> Option<String> {
        let name = text.len() <= MAX_HOST_CHARS
            && text
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
        (name || text.parse::<IpAddr>().is_ok()).then(|| text.to_owned())
    }

    fn allowed(&self) -> String {
        "an IP address or a host name".to_owned()
    }
}

/// The name of an Edge Function.
pub struct FunctionName;

impl Syntax for FunctionName {
    type Value = String;

    fn parse(&self, text: &str) -> Option<String> {
        is_function_name(text).then(|| text.to_owned())
    }

    fn allowed(&self) -> String {
        "a name of letters, digits, - and _".to_owned()
    }
}

/// Whether this can be a path segment of Supabase's functions, and nothing but one.
pub fn is_function_name(text: &str) -> bool {
    (1..=MAX_FUNCTION_CHARS).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}

/// A key or password. It must be able to stand in a header.
pub struct Secret;

impl Syntax for Secret {
    type Value = SecretString;
    const SECRET: bool = true;

    fn parse(&self, text: &str) -> Option<SecretString> {
        let fits = text.len() <= MAX_SECRET_BYTES && text.bytes().all(|byte| byte.is_ascii_graphic());
        fits.then(|| SecretString::from(text))
    }

    fn allowed(&self) -> String {
        format!("at most {MAX_SECRET_BYTES} visible ASCII characters without spaces")
    }
}

/// The path of a folder.
pub struct Folder;

impl Syntax for Folder {
    type Value = PathBuf;

    fn parse(&self, text: &str) -> Option<PathBuf> {
        is_line(text, MAX_PATH_BYTES).then(|| PathBuf::from(text))
    }

    fn allowed(&self) -> String {
        "the path of a folder".to_owned()
    }
}

/// The path of a file.
pub struct File;

impl Syntax for File {
    type Value = PathBuf;

    fn parse(&self, text: &str) -> Option<PathBuf> {
        parse_file_path(text)
    }

    fn allowed(&self) -> String {
        "the path of a file".to_owned()
    }
}

/// A path that ends in the name of a file.
pub fn parse_file_path(text: &str) -> Option<PathBuf> {
    let path = PathBuf::from(text);
    let names_file = path.file_name().is_some() && !text.ends_with('/');
    (names_file && is_line(text, MAX_PATH_BYTES)).then_some(path)
}

/// A level or a `tracing` filter.
pub struct LogFilter;

impl LogFilter {
    const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

    /// A word that is no level would be taken for the name of a target and silence everything else.
    fn is_directive(part: &str) -> bool {
        part.contains('=') || Self::LEVELS.iter().any(|level| level.eq_ignore_ascii_case(part))
    }
}

impl Syntax for LogFilter {
    type Value = String;

    fn parse(&self, text: &str) -> Option<String> {
        let valid = is_line(text, MAX_FILTER_CHARS)
            && text.split(',').map(str::trim).all(Self::is_directive)
            && EnvFilter::builder().parse(text).is_ok();
        valid.then(|| text.to_owned())
    }

    fn allowed(&self) -> String {
        "OFF, ERROR, WARN, INFO, DEBUG, TRACE or a filter such as info,hyper=warn".to_owned()
    }
}

/// Whether this is one line without control characters.
fn is_line(text: &str, max_chars: usize) -> bool {
    text.chars().take(max_chars + 1).count() <= max_chars && !text.chars().any(char::is_control)
}
