//! Tests of the settings: parity of code and documents, values, refusals, sources.

mod parity;
mod refusals;
mod sources;
mod values;

use super::problems::ConfigErrors;
use super::sections::Settings;

/// Settings from pairs, as a test writes them.
fn read(pairs: &[(&str, &str)]) -> Result<Settings, ConfigErrors> {
    Settings::from_pairs(owned(pairs))
}

fn owned(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

/// The names of the settings that are refused.
fn refused(pairs: &[(&str, &str)]) -> Vec<String> {
    match read(pairs) {
        Ok(_) => Vec::new(),
        Err(errors) => errors
            .problems()
            .iter()
            .map(|problem| problem.setting.clone())
            .collect(),
    }
}
