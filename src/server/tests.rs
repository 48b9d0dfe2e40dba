use axum::body::Body;
use axum::routing::get;
use futures_util::stream;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::*;
use crate::testing;

/// A server on a port of its own.
struct Running {
    address: SocketAddr,
    lifecycle: Lifecycle,
    serving: JoinHandle<()>,
    /// Told when the body of `/flood` is dropped.
    dammed: Arc<Notify>,
}

impl Running {
    async fn start(change: impl FnOnce(&mut LoadSettings)) -> Self {
        let mut settings = testing::settings().load;
        change(&mut settings);
        let dammed = Arc::new(Notify::new());
        let told_by_flood = dammed.clone();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let router = Router::new()
            .route(
                "/peer",
                get(|ConnectInfo(peer): ConnectInfo<SocketAddr>| async move { peer.to_string() }),
            )
            .route("/slow", get(|| sleep(Duration::from_millis(300))))
            .route("/endless", get(endless))
            .route("/flood", get(move || async { flood(told_by_flood) }));
        let lifecycle = Lifecycle::new();
        let told = lifecycle.clone();
        let serving =
            lifecycle.spawn(async move { serve_connections(listener, router, &settings, &told).await });
        Self {
            address,
            lifecycle,
            serving,
            dammed,
        }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.expect("a connection")
    }

    /// Sends a head and reads until the server closes.
    async fn exchange(&self, head: &str) -> String {
        let mut stream = self.connect().await;
        stream.write_all(head.as_bytes()).await.expect("sent");
        read_to_end(&mut stream).await
    }

    async fn stop(self) {
        self.lifecycle.stop_serving();
        self.serving.await.expect("the server ends");
    }
}

async fn endless() -> Body {
    Body::from_stream(stream::unfold((), |()| async {
        sleep(Duration::from_millis(10)).await;
        Some((Ok::<_, io::Error>("more"), ()))
    }))
}

struct TellsWhenDropped(Arc<Notify>);

impl Drop for TellsWhenDropped {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

/// As much as anybody takes.
fn flood(dammed: Arc<Notify>) -> Body {
    let told = TellsWhenDropped(dammed);
    Body::from_stream(stream::repeat_with(move || {
        let _ = &told;
        Ok::<_, io::Error>(vec![0; 64 * 1024])
    }))
}

async fn read_to_end(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    // A reset is as good an end as any.
    let _ = stream.read_to_end(&mut bytes).await;
    String::from_utf8_lossy(&bytes).into_owned()
}

#[tokio::test]
async fn serves_and_tells_who_asks() {
    let server = Running::start(|_| {}).await;
    let answer = server
        .exchange("GET /peer HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
        .await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.contains("\r\n\r\n127.0.0.1:"), "{answer}");
    server.stop().await;
}

#[tokio::test]
async fn a_head_that_does_not_come_closes_the_connection() {
    let server = Running::start(|settings| settings.header_read_timeout = Duration::from_millis(100)).await;
    for begun in [
        "",
        "GET /peer HT",
        "GET /peer HTTP/1.1\r\nhost: a\r\n",
        "PRI * HTTP/2.0\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ] {
        let read = timeout(Duration::from_secs(5), server.exchange(begun)).await;
        let answer = read.unwrap_or_else(|_| panic!("still open after {begun:?}"));
        assert!(!answer.contains("200 OK"), "{answer}");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_request_under_way_is_finished_and_idle_connections_are_closed() {
    let server = Running::start(|_| {}).await;
    let mut idle = server.connect().await;
    let mut busy = server.connect().await;
    busy.write_all(b"GET /slow HTTP/1.1\r\nhost: a\r\n\r\n")
        .await
        .expect("sent");
    sleep(Duration::from_millis(50)).await;
    let started = Instant::now();
    let stopped = tokio::join!(server.stop(), read_to_end(&mut busy), read_to_end(&mut idle));
    assert!(started.elapsed() < CLOSE_WITHIN, "{:?}", started.elapsed());
    assert!(stopped.1.starts_with("HTTP/1.1 200 OK"), "{}", stopped.1);
    assert_eq!(stopped.2, "");
}

#[tokio::test]
async fn a_stream_without_end_is_dropped_in_time() {
    let server = Running::start(|_| {}).await;
    let mut endless = server.connect().await;
    endless
        .write_all(b"GET /endless HTTP/1.1\r\nhost: a\r\n\r\n")
        .await
        .expect("sent");
    let reading = tokio::join!(read_to_end(&mut endless), async {
        sleep(Duration::from_millis(50)).await;
        let started = Instant::now();
        server.stop().await;
        started.elapsed()
    });
    assert!(reading.0.contains("more"));
    assert!(
        reading.1 >= CLOSE_WITHIN && reading.1 < CLOSE_WITHIN * 2,
        "{:?}",
        reading.1
    );
}

#[tokio::test]
async fn a_client_that_takes_nothing_is_dropped() {
    let server = Running::start(|settings| settings.write_timeout = Duration::from_millis(200)).await;
    let mut stalled = server.connect().await;
    stalled
        .write_all(b"GET /flood HTTP/1.1\r\nhost: a\r\n\r\n")
        .await
        .expect("sent");
    timeout(Duration::from_secs(10), server.dammed.notified())
        .await
        .expect("the end of the body");
    server.stop().await;
}

#[tokio::test]
async fn connections_past_the_bound_wait_for_room() {
    let server = Running::start(|settings| settings.max_concurrent_requests = 0).await;
    let mut held = Vec::new();
    for _ in 0..SPARE_CONNECTIONS {
        held.push(server.connect().await);
    }
    let head = "GET /peer HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    let waiting = timeout(Duration::from_millis(200), server.exchange(head)).await;
    assert!(waiting.is_err(), "no room yet");
    drop(held);
    let answer = timeout(Duration::from_secs(5), server.exchange(head))
        .await
        .expect("room");
    assert!(answer.starts_with("HTTP/1.1 200 OK"));
    server.stop().await;
}
