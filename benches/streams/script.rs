//! What the model is to answer. It travels in the user's message, through the server, to the model.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// Tokens as they come from models: a few bytes each, some of which JSON escapes, some not in ASCII.
const TOKENS: [&str; 16] = [
    " the",
    " of",
    " answer",
    ",",
    " is",
    " streamed",
    " token",
    " by",
    " to",
    "ken",
    ".\n\n",
    " \"quoted\"",
    " café",
    "東京",
    " 😀",
    " and",
];

/// The pause between two chunks of an answer that is written at the speed of a model.
pub const PAUSE: Duration = Duration::from_millis(100);

/// An answer: its text, and how fast it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    /// Tells answers apart: each has a text of its own.
    pub seed: u64,
    /// Chunks with text in them.
    pub chunks: u32,
    /// Between two of them; in whole milliseconds.
    pub pause: Duration,
}

impl Script {
    /// The text of a chunk, which are counted from 0.
    pub fn token(&self, chunk: u32) -> &'static str {
        // Fibonacci hashing: neighbours are far apart, in either direction.
        let mixed = (self.seed ^ (u64::from(chunk) << 32)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let [upper, ..] = mixed.to_be_bytes();
        TOKENS[usize::from(upper) % TOKENS.len()]
    }
}

impl fmt::Display for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.seed, self.chunks, self.pause.as_millis())
    }
}

impl FromStr for Script {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let numbers: Result<Vec<u64>, _> = text.split(' ').map(str::parse).collect();
        match numbers.as_deref() {
            Ok(&[seed, chunks, pause]) => Ok(Self {
                seed,
                chunks: u32::try_from(chunks).map_err(|e| e.to_string())?,
                pause: Duration::from_millis(pause),
            }),
            _ => Err(format!("no script: {text}")),
        }
    }
}
