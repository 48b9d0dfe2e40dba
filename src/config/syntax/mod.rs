//! How the values of settings are written: one type per syntax, each of which parses and says what it allows.
//!
//! Parsing is total: any text gives a value or `None`, never a panic.

mod auth;
mod lists;
mod numbers;
mod text;
mod urls;

pub use auth::{Algorithms, JwtSecret};
pub use lists::{Cidrs, Fallbacks, FunctionNames, Origins};
pub use numbers::{Budget, Decimal, Dollars, Flag, Milliseconds, Seconds, Whole};
pub use text::{Choice, File, Folder, FunctionName, Host, LogFilter, Secret, Text};
pub use urls::{DatabaseLocation, HttpUrl, RedisUrl};

/// The syntax of a setting's value.
pub trait Syntax {
    /// What a text becomes.
    type Value;

    /// Whether a text of this syntax must never be shown.
    const SECRET: bool = false;

    /// The value, or `None` if the text is not allowed. The text is not empty and has no surrounding space.
    fn parse(&self, text: &str) -> Option<Self::Value>;

    /// What is allowed, with the bounds, for people.
    fn allowed(&self) -> String;
}
