//! Where values come from: layers of (name, value) pairs, earlier layers before later ones.
//!
//! Keeps the values of known settings only: the rest of the environment is nobody's business here.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::catalogue::SettingInfo;
use super::problems::{Problem, shown};

/// The values given, by setting, and what was found wrong or odd while collecting them.
pub(super) struct Source {
    known: HashMap<&'static str, Known>,
    pub values: HashMap<&'static str, String>,
    pub problems: Vec<Problem>,
    pub warnings: Vec<String>,
}

/// The setting that a name, possibly an alias, stands for.
#[derive(Clone, Copy)]
struct Known {
    setting: &'static str,
    secret: bool,
}

impl Source {
    /// Nothing given yet, of these settings.
    pub fn new(catalogue: &[SettingInfo]) -> Self {
        let mut known = HashMap::new();
        for info in catalogue {
            let entry = Known {
                setting: info.name,
                secret: info.secret,
            };
            known.insert(info.name, entry);
            known.extend(info.aliases.iter().map(|alias| (*alias, entry)));
        }
        Self {
            known,
            values: HashMap::new(),
            problems: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// Whether a setting goes by this name.
    pub fn knows(&self, name: &str) -> bool {
        self.known.contains_key(name.to_ascii_uppercase().as_str())
    }

    /// Adds what no earlier layer gave and returns the names that are not known. Empty values count as not given.
    /// One setting with two different values in one layer is a problem: neither can be the one that was meant.
    pub fn add_layer(&mut self, pairs: impl IntoIterator<Item = (String, String)>) -> Vec<String> {
        let mut unknown = Vec::new();
        let mut layer: HashMap<&'static str, String> = HashMap::new();
        for (name, value) in pairs {
            let Some(&Known { setting, secret }) = self.known.get(name.to_ascii_uppercase().as_str()) else {
                unknown.push(name);
                continue;
            };
            let value = clean(&value);
            if value.is_empty() {
                continue;
            }
            match layer.entry(setting) {
                Entry::Vacant(place) => {
                    place.insert(value.to_owned());
                }
                Entry::Occupied(first) if first.get() == value => {}
                Entry::Occupied(_) => self.problems.push(Problem {
                    setting: setting.to_owned(),
                    given: Some(format!("another value before {}", shown(value, secret))),
                    allowed: "one value; names differ neither by case nor by alias".to_owned(),
                }),
            }
        }
        for (setting, value) in layer {
            self.values.entry(setting).or_insert(value);
        }
        unknown
    }
}

/// Without surrounding white space and one pair of surrounding quotes, which Docker's `--env-file` leaves there.
fn clean(value: &str) -> &str {
    let value = value.trim();
    let unquoted = ['"', '\'']
        .into_iter()
        .find_map(|quote| value.strip_prefix(quote)?.strip_suffix(quote));
    unquoted.map_or(value, str::trim)
}
