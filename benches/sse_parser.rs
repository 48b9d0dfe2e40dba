//! How fast a model's stream is read, and how often memory is asked for: `cargo bench --bench sse_parser`.
//!
//! The stream has 2,000 chunks in LiteLLM's shape and arrives in reads of different sizes. Divide the printed
//! allocations by [`CHUNKS`] for those of one event.

use ai_chat_orchestrator::services::llm::Chunk;
use ai_chat_orchestrator::utils::sse::{SseParser, write_frame};
use bytes::BytesMut;
use divan::counter::{BytesCount, ItemsCount};
use divan::{AllocProfiler, Bencher, black_box};

#[global_allocator]
static ALLOCATOR: AllocProfiler = AllocProfiler::system();

const CHUNKS: usize = 2_000;

fn main() {
    divan::main();
}

fn chunk(number: usize) -> String {
    format!(
        r#"{{"id":"chatcmpl-5707f0a4-df54-4a4d-96e4-884e9dd24449","object":"chat.completion.chunk","created":1795404924,"model":"gpt-4o-mini","choices":[{{"index":0,"delta":{{"content":"tok{number} "}}}}]}}"#
    )
}

fn stream() -> Vec<u8> {
    (0..CHUNKS)
        .flat_map(|number| format!("data: {}\n\n", chunk(number)).into_bytes())
        .collect()
}

/// Finds the events: one event per read, a full socket buffer per read, and all at once.
#[divan::bench(args = [190, 16_384, usize::MAX])]
fn parse_events(bencher: Bencher<'_, '_>, read_size: usize) {
    let stream = stream();
    bencher
        .counter(BytesCount::new(stream.len()))
        .counter(ItemsCount::new(CHUNKS))
        .bench(|| {
            let mut parser = SseParser::new();
            let mut events = 0;
            for read in stream.chunks(read_size) {
                parser.push(black_box(read));
                while let Ok(Some(event)) = parser.next_event() {
                    black_box(event);
                    events += 1;
                }
            }
            assert_eq!(events, CHUNKS);
        });
}

/// Reads what the chunks mean.
#[divan::bench]
fn parse_chunks(bencher: Bencher<'_, '_>) {
    let chunks: Vec<_> = (0..CHUNKS).map(chunk).collect();
    bencher
        .counter(BytesCount::new(chunks.iter().map(String::len).sum::<usize>()))
        .counter(ItemsCount::new(CHUNKS))
        .bench(|| {
            for json in &chunks {
                black_box(Chunk::parse(black_box(json.as_bytes())).is_ok());
            }
        });
}

/// Writes the frames that go out.
#[divan::bench]
fn write_frames(bencher: Bencher<'_, '_>) {
    let chunks: Vec<_> = (0..CHUNKS).map(chunk).collect();
    bencher
        .counter(BytesCount::new(chunks.iter().map(String::len).sum::<usize>()))
        .counter(ItemsCount::new(CHUNKS))
        .bench(|| {
            let mut out = BytesMut::new();
            for (id, json) in (0..).zip(&chunks) {
                write_frame(&mut out, id, black_box(json.as_bytes()));
            }
            out
        });
}
