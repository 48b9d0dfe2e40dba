//! How a stream is read: to the end, or as people do who lose their connection or their patience.

use std::time::Duration;

use tokio::time::{sleep, timeout};

use crate::Failure;
use crate::caller::Caller;
use crate::events::EventStream;
use crate::latencies::Latencies;
use crate::script::Script;
use crate::tally::Tally;
use crate::transcript::Transcript;

/// How long an answer may take beyond the pauses between its chunks.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long a reader is away who comes back.
const ABSENCE: Duration = Duration::from_millis(500);

/// What a reader does in the middle of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Habit {
    /// Reads on.
    Stays,
    /// Closes the connection; the answer goes on without a reader.
    Leaves,
    /// Closes the connection and reads on by another.
    Returns,
    /// Cancels the answer, and reads how it ends.
    Cancels,
}

/// Asks for an answer and reads it, in that habit; what comes of it is in the tally.
pub async fn read(caller: &Caller, script: Script, habit: Habit, tally: &Tally) {
    let limit = script.pause * script.chunks + PATIENCE;
    let reading = Reading {
        caller,
        transcript: Transcript::new(script.clone()),
        script,
        tally,
    };
    let result = timeout(limit, reading.run(habit)).await;
    tally.add(result.unwrap_or_else(|_| Err("it took too long".into())));
}

struct Reading<'a> {
    caller: &'a Caller,
    script: Script,
    transcript: Transcript,
    tally: &'a Tally,
}

impl Reading<'_> {
    async fn run(mut self, habit: Habit) -> Result<(), Failure> {
        let mut stream = self.caller.chat(&self.script).await?;
        let open = self.tally.open();
        let mut latencies = Some(&self.tally.latencies);
        if habit != Habit::Stays {
            let middle = self.script.chunks / 2;
            self.read_on(&mut stream, latencies, |seen| seen.chunks >= middle)
                .await?;
        }
        match habit {
            Habit::Stays => {}
            Habit::Leaves => return Ok(()),
            Habit::Returns => {
                let id = stream.id.clone();
                drop(stream);
                sleep(ABSENCE).await;
                stream = self.caller.resume(&id, self.transcript.last_id).await?;
                // What was missed is late for no fault of the server's.
                latencies = None;
            }
            Habit::Cancels => self.caller.cancel(&stream.id).await?,
        }
        self.read_on(&mut stream, latencies, |_| false).await?;
        drop(open);
        self.transcript.check_end(habit == Habit::Cancels)
    }

    /// Reads until enough is seen or the body ends.
    async fn read_on(
        &mut self,
        stream: &mut EventStream,
        latencies: Option<&Latencies>,
        enough: impl Fn(&Transcript) -> bool,
    ) -> Result<(), Failure> {
        while !enough(&self.transcript) {
            let Some(event) = stream.next().await? else {
                return Ok(());
            };
            self.transcript.add(&event, latencies)?;
        }
        Ok(())
    }
}
