//! Settings: read once at start, validated together, never changed afterwards.
//!
//! A setting is declared in the file of its group under `groups`: its name, the syntax of its value with the
//! bounds, its default and one line about it. The code, `.env.example` and `docs/configuration.md` all follow
//! that declaration; tests compare them.
//!
//! Invariants: every problem is reported, not the first; no problem, warning or `Debug` output shows a secret;
//! nothing outside this folder reads the environment.
//!
//! Not here: anything that opens a file or a connection that a setting names.
//!
//! Adding a setting: declare it in its group, read it there into a field of [`sections`](self), and add its line
//! to `.env.example` and `docs/configuration.md` (the tests say what is missing).

mod catalogue;
mod checks;
mod environment;
mod groups;
mod problems;
mod providers;
mod reader;
mod sections;
mod source;
mod syntax;
#[cfg(test)]
mod tests;

pub use catalogue::{DefaultValue, Group, SettingInfo};
pub use problems::{ConfigErrors, Problem};
pub use providers::{DirectProvider, DirectProviderSettings};
pub use sections::*;

use reader::Reader;
use source::Source;

impl Settings {
    /// Settings from pairs of name and value; the process's environment plays no part. Unknown names are ignored.
    ///
    /// # Errors
    /// Every problem found, in one list.
    pub fn from_pairs(pairs: impl IntoIterator<Item = (String, String)>) -> Result<Self, ConfigErrors> {
        let mut source = Source::new(&groups::catalogue());
        source.add_layer(pairs);
        Self::from_source(source)
    }

    /// Every setting that exists, by group in the order of the documentation.
    #[must_use]
    pub fn catalogue() -> Vec<SettingInfo> {
        groups::catalogue()
    }

    /// What the operator should know although the service can start. Holds no secret.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.notes.warnings
    }

    /// Settings that were given, with another value than their default, and that this release reads but does not
    /// use yet.
    #[must_use]
    pub fn not_yet_effective(&self) -> Vec<&'static str> {
        self.notes.not_yet_effective.clone()
    }

    fn from_source(source: Source) -> Result<Self, ConfigErrors> {
        let mut reader = Reader::new(source);
        let mut settings = groups::read(&mut reader);
        checks::run(&mut settings, &mut reader);
        settings.notes = reader.finish()?;
        Ok(settings)
    }
}
