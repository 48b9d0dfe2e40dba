//! Where settings come from outside tests: the process's environment, then `.env` in the working folder.

use std::cell::Cell;
use std::fs;
use std::io::{self, BufRead, BufReader, Read};
use std::rc::Rc;

use super::groups;
use super::problems::{ConfigErrors, Problem};
use super::sections::Settings;
use super::source::Source;

/// The file that is read from the working folder where it exists.
const FILE: &str = ".env";

impl Settings {
    /// Settings from the process's environment and, for what is not given there, from `.env` in the working folder.
    /// Names in `.env` that no setting has are among the [`Settings::warnings`].
    ///
    /// # Errors
    /// Every problem found, in one list; a `.env` that cannot be read is one of them, named with its line.
    pub fn from_env() -> Result<Self, ConfigErrors> {
        let mut source = Source::new(&groups::catalogue());
        let pairs = process_pairs(&mut source);
        source.add_layer(pairs);
        match fs::read_to_string(FILE) {
            Ok(text) => add_file(&mut source, &text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => source.problems.push(Problem {
                setting: FILE.to_owned(),
                given: Some(format!("a file that cannot be read ({error})")),
                allowed: "a readable file in UTF-8, or none".to_owned(),
            }),
        }
        Self::from_source(source)
    }
}

/// The process's environment. A value that is not Unicode matters only under a name that is ours.
fn process_pairs(source: &mut Source) -> Vec<(String, String)> {
    let mut pairs = Vec::new();
    for (name, value) in std::env::vars_os() {
        let Ok(name) = name.into_string() else { continue };
        match value.into_string() {
            Ok(value) => pairs.push((name, value)),
            Err(_) if source.knows(&name) => source.problems.push(Problem {
                setting: name,
                given: Some("bytes that are not UTF-8".to_owned()),
                allowed: "text in UTF-8".to_owned(),
            }),
            Err(_) => {}
        }
    }
    pairs
}

/// Adds the layer of a `.env` file.
pub(super) fn add_file(source: &mut Source, text: &str) {
    match parse_file(text) {
        Ok(pairs) => {
            for name in source.add_layer(pairs) {
                source
                    .warnings
                    .push(format!("{FILE} sets {name}, which is not a setting"));
            }
        }
        Err(line) => source.problems.push(Problem {
            setting: format!("{FILE} line {line}"),
            // The line may hold a secret.
            given: Some("a line that cannot be read".to_owned()),
            allowed: "NAME=value, with single quotes around a value with spaces, $, # or \\".to_owned(),
        }),
    }
}

/// The pairs of a `.env` file, or the number of the line where the first fault is.
fn parse_file(text: &str) -> Result<Vec<(String, String)>, usize> {
    let lines_read = Rc::new(Cell::new(0));
    let lines = Lines {
        // Without a last line break dotenvy refuses a file that ends in white space.
        text: BufReader::new(io::Cursor::new(format!(
            "{}\n",
            text.trim_start_matches('\u{feff}')
        ))),
        lines_read: Rc::clone(&lines_read),
    };
    dotenvy::from_read_iter(lines)
        .map(|entry| {
            entry.map_err(|error| {
                // An entry may span lines: the fault is where it starts.
                let further_lines = match &error {
                    dotenvy::Error::LineParse(entry, _) => {
                        entry.strip_suffix('\n').unwrap_or(entry).matches('\n').count()
                    }
                    _ => 0,
                };
                lines_read.get().saturating_sub(further_lines).max(1)
            })
        })
        .collect()
}

/// Hands out one line at a time and counts them: dotenvy does not say where in a file a fault is.
struct Lines {
    text: BufReader<io::Cursor<String>>,
    lines_read: Rc<Cell<usize>>,
}

impl Read for Lines {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let rest = self.text.fill_buf()?;
        let line = memchr::memchr(b'\n', rest).map_or(rest.len(), |end| end + 1);
        let taken = line.min(buffer.len());
        buffer[..taken].copy_from_slice(&rest[..taken]);
        if rest[..taken].ends_with(b"\n") {
            self.lines_read.set(self.lines_read.get() + 1);
        }
        self.text.consume(taken);
        Ok(taken)
    }
}
