//! The logs of streams: what the scripts promise, whatever is sent to them and however often.

use std::time::Duration;

use ai_chat_orchestrator::models::ids::{StreamId, UserId};
use ai_chat_orchestrator::services::generation::{Append, LogName, LogPage, Newest, SharedLogs, Uncopied};
use ai_chat_orchestrator::services::redis::Notice;
use ai_chat_orchestrator::utils::clock::Clock;
use bytes::Bytes;

use crate::support::redis::{RedisClient, RedisServer};
use crate::support::time::within;

const TTL: Duration = Duration::from_secs(60);

/// A Redis, and a log in it.
struct Log {
    _server: RedisServer,
    client: RedisClient,
    logs: SharedLogs,
    name: LogName,
}

impl Log {
    async fn new() -> Self {
        let server = RedisServer::start().await;
        let client = RedisClient::up(&server.url()).await;
        Self {
            logs: SharedLogs::new(&client.redis),
            name: name(),
            client,
            _server: server,
        }
    }

    async fn append(&self, first: u64, events: &[&str], ends: bool) -> Newest {
        let events = Uncopied {
            first,
            events: events
                .iter()
                .map(|event| Bytes::copy_from_slice(event.as_bytes()))
                .collect(),
            ends,
        };
        let append = Append {
            name: self.name,
            events: &events,
            ttl: TTL,
        };
        self.logs.append(&[append]).await.expect("a reply")[0]
    }

    async fn read(&self, from: u64) -> Option<LogPage> {
        self.logs.read(self.name, from).await.expect("a reply")
    }

    async fn text(&self, from: u64) -> String {
        let page = self.read(from).await.expect("a log");
        String::from_utf8(page.events.to_vec()).expect("text")
    }
}

fn name() -> LogName {
    LogName {
        user: user(),
        stream: StreamId::new(&Clock::system()),
        recorded: true,
    }
}

fn user() -> UserId {
    UserId(Clock::system().uuid())
}

const fn newest(id: u64, ended: bool) -> Newest {
    Newest { id, ended }
}

#[tokio::test]
async fn an_event_that_is_sent_again_is_there_once() {
    let log = Log::new().await;
    assert_eq!(log.append(1, &["a", "b"], false).await, newest(2, false));
    assert_eq!(log.append(1, &["a", "b", "c"], false).await, newest(3, false));
    assert_eq!(log.append(2, &["b"], false).await, newest(3, false));
    assert_eq!(log.append(4, &["d"], true).await, newest(4, true));
    assert_eq!(log.append(3, &["c", "d"], true).await, newest(4, true));
    assert_eq!(log.text(1).await, "abcd");
    assert_eq!(log.text(3).await, "cd");
    log.client.close().await;
}

#[tokio::test]
async fn nothing_is_appended_after_a_gap_or_the_end() {
    let log = Log::new().await;
    assert_eq!(log.append(2, &["b"], false).await, newest(0, false));
    assert_eq!(log.read(1).await, None);
    log.append(1, &["a"], true).await;
    assert_eq!(log.append(2, &["b"], false).await, newest(1, true));
    assert_eq!(log.text(1).await, "a");
    assert_eq!(
        log.text(99).await,
        "a",
        "who waits for more is told that it has ended"
    );
    log.client.close().await;
}

#[tokio::test]
async fn a_log_is_ended_by_another_unless_it_grows() {
    let log = Log::new().await;
    let end = [Bytes::from_static(b"error"), Bytes::from_static(b"done")];
    let ending = async |at| log.logs.end(log.name, at, &end, TTL).await.expect("a reply");
    assert_eq!(ending(1).await, newest(0, false), "there is none to be ended");
    log.append(1, &["a", "b"], false).await;
    assert_eq!(ending(1).await, newest(2, false));
    assert_eq!(ending(2).await, newest(4, true));
    assert_eq!(ending(4).await, newest(4, true), "once");
    assert_eq!(log.append(3, &["c"], false).await, newest(4, true));
    assert_eq!(log.text(1).await, "aberrordone");
    log.client.close().await;
}

#[tokio::test]
async fn a_long_log_is_read_in_pages() {
    let log = Log::new().await;
    let event = "x".repeat(1_000);
    let events = vec![event.as_str(); 1_000];
    log.append(1, &events, false).await;
    let (mut next, mut bytes, mut pages) = (1, 0, 0);
    while next <= 1_000 {
        let page = log.read(next).await.expect("a log");
        assert!(page.next > next && page.events.len() < 256 * 1024, "{page:?}");
        (next, bytes, pages) = (page.next, bytes + page.events.len(), pages + 1);
    }
    assert_eq!((next, bytes), (1_001, 1_000_000));
    assert!(pages > 1);
    log.client.close().await;
}

#[tokio::test]
async fn readers_are_woken_and_nobody_else_finds_it() {
    let log = Log::new().await;
    let mut wakes = log.logs.wakes(log.name);
    assert_eq!(within("the subscription", wakes.next()).await, Notice::Resync);
    log.append(1, &["a"], false).await;
    assert!(matches!(within("a wake", wakes.next()).await, Notice::Message(_)));
    log.append(1, &["a"], false).await;
    log.append(2, &["b"], false).await;
    assert_eq!(
        within("a wake", wakes.next()).await,
        Notice::Message(Bytes::from_static(b"2")),
        "only what is new wakes"
    );
    let stranger = LogName {
        user: user(),
        ..log.name
    };
    assert_eq!(log.logs.read(stranger, 1).await.expect("a reply"), None);
    log.logs.remove(&[log.name]).await.expect("a reply");
    assert_eq!(log.read(1).await, None);
    log.client.close().await;
}
