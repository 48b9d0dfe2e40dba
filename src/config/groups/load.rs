//! Pools, concurrency, time limits and streams.

use crate::config::catalogue::{is, settings};
use crate::config::reader::Reader;
use crate::config::sections::{LoadSettings, OnDisconnect};
use crate::config::syntax::{Choice, Flag, Seconds, Whole};

settings! {
    Load:
    CONNECTION_POOL_SIZE: Whole<usize> = Whole::new(1, 10_000), is("100"),
        "connections to the model server that are kept idle";
    MAX_CONCURRENT_REQUESTS: Whole<usize> = Whole::new(1, 1_000_000), is("10000"),
        "requests in work at once; one more gets 503";
    MAX_CONCURRENT_STREAMS_PER_USER: Whole<usize> = Whole::new(1, 10_000), is("20"),
        "answers and embeddings in work at once for one user";
    REQUEST_TIMEOUT: Seconds = Seconds::new(0.05, 600.0), is("30"),
        "seconds for a request, other than chat, embeddings, streams, imports and the body of an export";
    HEADER_READ_TIMEOUT: Seconds = Seconds::new(0.05, 300.0), is("10"),
        "seconds for a client to send its headers";
    WRITE_TIMEOUT: Seconds = Seconds::new(0.05, 3600.0), is("60"),
        "seconds for a client to take something of what waits for it, before its connection is closed";
    STREAM_TIMEOUT: Seconds = Seconds::new(0.05, 86_400.0), is("600"),
        "seconds for the longest answer, or for embeddings";
    SSE_KEEPALIVE_SECONDS: Seconds = Seconds::new(0.05, 300.0), is("15"),
        "seconds of silence after which a stream gets a comment that keeps it open";
    STREAM_RETENTION_SECONDS: Seconds = Seconds::new(0.0, 86_400.0), is("300"),
        "seconds that an ended stream can be replayed";
    REPLAY_MAX_BYTES: Whole<usize> = Whole::new(1_048_576, 68_719_476_736), is("268435456"),
        "memory for the replay logs of all streams together";
    ON_DISCONNECT: Choice<OnDisconnect> = Choice(&[
        ("continue", OnDisconnect::Continue),
        ("cancel", OnDisconnect::Cancel),
    ]), is("continue"),
        "what becomes of an answer whose last reader went away";
    DISCONNECT_GRACE_SECONDS: Seconds = Seconds::new(0.0, 3600.0), is("30"),
        "seconds for a reader to come back before ON_DISCONNECT=cancel stops the answer";
    CHECKPOINT_SECONDS: Seconds = Seconds::new(0.05, 60.0), is("1"),
        "seconds between two checkpoints of running answers";
    RATE_LIMIT_ENABLED: Flag = Flag, is("false"),
        "limit the requests per minute";
    USER_RATE_LIMIT_PER_MINUTE: Whole<u32> = Whole::new(1, 1_000_000), is("60"),
        "requests per minute of one user";
    USER_RATE_LIMIT_BURST: Whole<u32> = Whole::new(1, 1_000_000), is("10"),
        "requests of one user at once";
    RATE_LIMIT_PER_MINUTE: Whole<u32> = Whole::new(1, 100_000_000), is("6000"),
        "requests per minute of the whole instance";
    RATE_LIMIT_BURST: Whole<u32> = Whole::new(1, 100_000_000), is("200"),
        "requests of the whole instance at once";
}

pub fn read(reader: &mut Reader) -> LoadSettings {
    LoadSettings {
        connection_pool_size: reader.value(&CONNECTION_POOL_SIZE),
        max_concurrent_requests: reader.value(&MAX_CONCURRENT_REQUESTS),
        max_streams_per_user: reader.value(&MAX_CONCURRENT_STREAMS_PER_USER),
        request_timeout: reader.value(&REQUEST_TIMEOUT),
        header_read_timeout: reader.value(&HEADER_READ_TIMEOUT),
        write_timeout: reader.value(&WRITE_TIMEOUT),
        stream_timeout: reader.value(&STREAM_TIMEOUT),
        sse_keepalive: reader.value(&SSE_KEEPALIVE_SECONDS),
        stream_retention: reader.value(&STREAM_RETENTION_SECONDS),
        replay_max_bytes: reader.value(&REPLAY_MAX_BYTES),
        on_disconnect: reader.value(&ON_DISCONNECT),
        disconnect_grace: reader.value(&DISCONNECT_GRACE_SECONDS),
        checkpoint_interval: reader.value(&CHECKPOINT_SECONDS),
        rate_limit_enabled: reader.value(&RATE_LIMIT_ENABLED),
        user_rate_per_minute: reader.value(&USER_RATE_LIMIT_PER_MINUTE),
        user_rate_burst: reader.value(&USER_RATE_LIMIT_BURST),
        rate_per_minute: reader.value(&RATE_LIMIT_PER_MINUTE),
        rate_burst: reader.value(&RATE_LIMIT_BURST),
    }
}
