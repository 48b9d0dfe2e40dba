//! Whether a stream is as it was written.

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::Failure;
use crate::events::Event;
use crate::latencies::{Latencies, Moment};
use crate::script::Script;

const DONE: &[u8] = b"[DONE]";

/// What was read of a stream so far, over all of its connections.
pub struct Transcript {
    script: Script,
    /// The id of the newest event; the first is 1, and none is left out.
    pub last_id: u64,
    /// Chunks with text in them.
    pub chunks: u32,
    finish_reason: Option<String>,
    usage: bool,
    done: bool,
}

#[derive(Deserialize)]
struct Chunk<'a> {
    #[serde(default)]
    choices: Vec<Choice>,
    #[serde(default, borrow)]
    system_fingerprint: Option<&'a str>,
    #[serde(default)]
    usage: Option<IgnoredAny>,
    #[serde(default)]
    error: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Choice {
    delta: Delta,
    #[serde(default)]
    finish_reason: Option<String>,
}

#[derive(Deserialize)]
struct Delta {
    #[serde(default)]
    content: Option<String>,
}

impl Transcript {
    pub const fn new(script: Script) -> Self {
        Self {
            script,
            last_id: 0,
            chunks: 0,
            finish_reason: None,
            usage: false,
            done: false,
        }
    }

    /// Adds the next event. How long its chunk took to come here is counted, unless the reader came back for it.
    ///
    /// # Errors
    /// It is not what the model wrote there.
    pub fn add(&mut self, event: &Event, latencies: Option<&Latencies>) -> Result<(), Failure> {
        if self.done {
            return Err(format!("event {} follows [DONE]", event.id).into());
        }
        if event.id != self.last_id + 1 {
            return Err(format!("event {} follows event {}", event.id, self.last_id).into());
        }
        self.last_id = event.id;
        if event.data == DONE {
            self.done = true;
            return Ok(());
        }
        let chunk: Chunk<'_> = serde_json::from_slice(&event.data)?;
        if chunk.error.is_some() {
            return Err(format!("an error: {}", String::from_utf8_lossy(&event.data)).into());
        }
        self.usage |= chunk.usage.is_some();
        for choice in chunk.choices {
            self.add_choice(choice)?;
        }
        if let (Some(latencies), Some(written)) = (latencies, chunk.system_fingerprint) {
            latencies.add_since(written.parse::<Moment>()?);
        }
        Ok(())
    }

    fn add_choice(&mut self, choice: Choice) -> Result<(), Failure> {
        if let Some(content) = choice.delta.content {
            let written = self.script.token(self.chunks);
            if content != written {
                return Err(format!("chunk {} is {content:?} instead of {written:?}", self.chunks).into());
            }
            self.chunks += 1;
        }
        if choice.finish_reason.is_some() {
            self.finish_reason = choice.finish_reason;
        }
        Ok(())
    }

    /// Checks that the body ended where it had to: after the whole answer, or after a part of it if it was cancelled.
    ///
    /// # Errors
    /// What is missing.
    pub fn check_end(&self, cancelled: bool) -> Result<(), Failure> {
        // An answer may have come to its end before it could be cancelled.
        let whole = self.chunks == self.script.chunks && self.finish_reason.as_deref() == Some("stop");
        let cut = cancelled && self.finish_reason.as_deref() == Some("cancelled");
        if self.done && self.usage && (whole || cut) {
            return Ok(());
        }
        Err(format!(
            "it ended after {} of {} chunks: finish reason {:?}, usage {}, [DONE] {}",
            self.chunks, self.script.chunks, self.finish_reason, self.usage, self.done
        )
        .into())
    }
}
