//! How long it takes to read an answer again, from its start, after it has ended.

use std::fmt;
use std::time::{Duration, Instant};

use crate::Failure;
use crate::caller::Caller;
use crate::events::Event;
use crate::script::Script;
use crate::server::Server;
use crate::transcript::Transcript;

const CHUNKS: u32 = 2_000;
const RUNS: u32 = 50;

/// What each run has to stay under.
const GOAL: Duration = Duration::from_millis(20);

/// What was measured, the shortest first.
pub struct Resumes(Vec<Duration>);

/// Has an answer written without pauses, and reads it again and again. Each time is from connecting to the end of the
/// body.
pub async fn run(server: &Server) -> Result<Resumes, Failure> {
    let script = Script {
        seed: 0,
        chunks: CHUNKS,
        pause: Duration::ZERO,
    };
    let user = server.new_user()?;
    let mut stream = user.chat(&script).await?;
    while stream.next().await?.is_some() {}
    let mut took = Vec::new();
    for _ in 0..RUNS {
        let started = Instant::now();
        let events = read_again(&user, &stream.id).await?;
        took.push(started.elapsed());
        check(&script, &events)?;
    }
    took.sort_unstable();
    Ok(Resumes(took))
}

async fn read_again(user: &Caller, id: &str) -> Result<Vec<Event>, Failure> {
    let mut stream = user.resume(id, 0).await?;
    let mut events = Vec::new();
    while let Some(event) = stream.next().await? {
        events.push(event);
    }
    Ok(events)
}

fn check(script: &Script, events: &[Event]) -> Result<(), Failure> {
    let mut transcript = Transcript::new(script.clone());
    for event in events {
        transcript.add(event, None)?;
    }
    transcript.check_end(false)
}

impl fmt::Display for Resumes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let milliseconds =
            |took: Option<&Duration>| took.copied().unwrap_or_default().as_secs_f64() * 1_000.0;
        let goal = GOAL.as_millis();
        writeln!(
            f,
            "| an ended answer of {CHUNKS} chunks, read again {RUNS} times | | goal |"
        )?;
        writeln!(f, "| --- | ---: | --- |")?;
        let median = milliseconds(self.0.get(self.0.len() / 2));
        writeln!(f, "| median, ms | {median:.2} | under {goal} |")?;
        writeln!(
            f,
            "| longest, ms | {:.2} | under {goal} |",
            milliseconds(self.0.last())
        )
    }
}
