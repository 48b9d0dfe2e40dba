//! What one chunk of an answer costs, from the model server's bytes to a reader's: `cargo bench --bench chunk_path`.
//!
//! The path is the one of a running answer: the event is found in what was read, made storable, looked at for
//! errors, parsed, appended to the replay log, and read by whoever is attached. Not in it are the
//! sockets on both ends and the draft, which adds the chunk's text to a string.
//!
//! The stream has 2,000 chunks in LiteLLM's shape. Divide the printed times and allocations by [`CHUNKS`] for
//! those of one chunk; "items" are chunks.

use std::sync::Arc;

use ai_chat_orchestrator::services::generation::{Read, ReplayBudget, ReplayLog};
use ai_chat_orchestrator::services::llm::{Chunk, chunk};
use ai_chat_orchestrator::utils::sse::SseParser;
use bytes::Bytes;
use divan::counter::{BytesCount, ItemsCount};
use divan::{AllocProfiler, Bencher, black_box};

#[global_allocator]
static ALLOCATOR: AllocProfiler = AllocProfiler::system();

const CHUNKS: usize = 2_000;

/// `REPLAY_MAX_BYTES` as it is by default.
const BUDGET: usize = 256 * 1024 * 1024;

fn main() {
    divan::main();
}

/// What the model server writes, one read for each event: how tokens come from a model that is being waited for.
fn reads() -> Vec<Vec<u8>> {
    let event = |number| {
        format!(
            "data: {}\n\n",
            format_args!(
                r#"{{"id":"chatcmpl-5707f0a4-df54-4a4d-96e4-884e9dd24449","object":"chat.completion.chunk","created":1795404924,"model":"gpt-4o-mini","choices":[{{"index":0,"delta":{{"content":"tok{number} "}}}}]}}"#
            )
        )
        .into_bytes()
    };
    (0..CHUNKS).map(event).collect()
}

/// One place in a log, as a connection has it.
struct Reader {
    next: u64,
}

impl Reader {
    /// Takes everything that is there; how many reads that took.
    fn catch_up(&mut self, log: &ReplayLog) -> usize {
        let mut reads = 0;
        while let Read::Events(events, next) = log.read(self.next) {
            black_box(events);
            self.next = next;
            reads += 1;
        }
        reads
    }
}

/// From one event's data to the log.
fn take_in(log: &ReplayLog, data: Bytes) {
    let data = chunk::clean(data);
    // As in the service: the client looks for errors, the engine for the text.
    black_box(chunk::may_be_no_chunk(&data));
    black_box(Chunk::parse(&data).is_ok());
    log.append(&data);
}

fn answer(log: &ReplayLog, reads: &[Vec<u8>], readers: &mut [Reader]) -> usize {
    let mut parser = SseParser::new();
    let mut delivered = 0;
    for read in reads {
        parser.push(black_box(read));
        while let Ok(Some(data)) = parser.next_event() {
            take_in(log, data);
        }
        for reader in &mut *readers {
            delivered += reader.catch_up(log);
        }
    }
    delivered
}

/// A log that can be replayed, as in conversation chat: nobody reads, one reader follows, eight do.
#[divan::bench(args = [0, 1, 8])]
fn kept_log(bencher: Bencher<'_, '_>, readers: usize) {
    whole_path(bencher, true, readers);
}

/// A log that forgets what was read, as in OpenAI-compatible chat.
#[divan::bench]
fn passing_log(bencher: Bencher<'_, '_>) {
    whole_path(bencher, false, 1);
}

fn whole_path(bencher: Bencher<'_, '_>, keeps: bool, readers: usize) {
    let reads = reads();
    bencher
        .counter(BytesCount::new(reads.iter().map(Vec::len).sum::<usize>()))
        .counter(ItemsCount::new(CHUNKS))
        .with_inputs(|| ReplayLog::new(keeps, Arc::new(ReplayBudget::new(BUDGET))))
        .bench_refs(|log| {
            let mut readers: Vec<_> = (0..readers).map(|_| Reader { next: 1 }).collect();
            assert_eq!(
                answer(log, &reads, &mut readers),
                CHUNKS * readers.len(),
                "each chunk is delivered at once"
            );
        });
}

/// Somebody comes back to a whole answer and reads it from its start.
#[divan::bench]
fn replay_from_the_start(bencher: Bencher<'_, '_>) {
    let reads = reads();
    let log = ReplayLog::new(true, Arc::new(ReplayBudget::new(BUDGET)));
    answer(&log, &reads, &mut []);
    bencher
        .counter(ItemsCount::new(CHUNKS))
        .bench(|| Reader { next: 1 }.catch_up(black_box(&log)));
}
