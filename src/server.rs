//! The accept loop. The server owns it so that `TCP_NODELAY`, the time limits for request heads and for taking responses,
//! and the bound on connections are set in one place.
//!
//! A connection is one task. While the process drains, connections are still accepted, so that probes and
//! clients hear why they are refused; when serving stops, each connection finishes the request it is on, within
//! a bound, and is then dropped.

use std::convert::Infallible;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use axum::routing::future::RouteFuture;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tokio_io_timeout::TimeoutWriter;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::Service;

use crate::config::LoadSettings;
use crate::services::lifecycle::Lifecycle;

/// Connections per request that may be in flight: clients keep idle ones open.
const CONNECTIONS_PER_REQUEST: usize = 2;

/// Connections beyond that, so that health probes get through however small `MAX_CONCURRENT_REQUESTS` is.
const SPARE_CONNECTIONS: usize = 64;

/// Largest request head, in bytes.
const MAX_HEAD_BYTES: usize = 64 * 1024;

/// Streams that one HTTP/2 connection may have open at a time.
const MAX_HTTP2_STREAMS: u32 = 250;

/// How often an HTTP/2 peer is asked whether it is still there, and how long it may take to say so.
const HTTP2_KEEP_ALIVE: Duration = Duration::from_secs(20);

/// What an HTTP/2 connection begins with ([RFC 9113, section 3.4](https://www.rfc-editor.org/rfc/rfc9113#section-3.4)).
const HTTP2_PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// How long connections may take to close once serving stops.
const CLOSE_WITHIN: Duration = Duration::from_secs(5);

/// The first and the longest wait after the system refused to accept: it is out of file descriptors or memory.
const ACCEPT_BACKOFF: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(1));

/// Accepts and serves connections until [`Lifecycle::stop_serving`], then closes them.
pub async fn serve_connections(
    listener: TcpListener,
    router: Router,
    settings: &LoadSettings,
    lifecycle: &Lifecycle,
) {
    let server = Server::new(router, settings);
    tokio::select! {
        () = server.accept(&listener) => {}
        () = lifecycle.serving_stopped().cancelled() => {}
    }
    // The port is free for a successor before the last connections are closed.
    drop(listener);
    server.close().await;
}

struct Server {
    router: Router,
    protocols: Protocols,
    head_within: Duration,
    taken_within: Duration,
    room: Arc<Semaphore>,
    connections: TaskTracker,
    graceful: GracefulShutdown,
    closing: CancellationToken,
    dropped: CancellationToken,
}

impl Server {
    fn new(router: Router, settings: &LoadSettings) -> Self {
        let room = settings
            .max_concurrent_requests
            .saturating_mul(CONNECTIONS_PER_REQUEST)
            .saturating_add(SPARE_CONNECTIONS)
            .min(Semaphore::MAX_PERMITS);
        Self {
            router,
            protocols: Protocols::new(settings.header_read_timeout),
            head_within: settings.header_read_timeout,
            taken_within: settings.write_timeout,
            room: Arc::new(Semaphore::new(room)),
            connections: TaskTracker::new(),
            graceful: GracefulShutdown::new(),
            closing: CancellationToken::new(),
            dropped: CancellationToken::new(),
        }
    }

    /// Accepts without end. Where there is no room, connections wait in the system's queue, which is bounded.
    async fn accept(&self, listener: &TcpListener) {
        let mut backoff = ACCEPT_BACKOFF.0;
        while let Ok(permit) = Arc::clone(&self.room).acquire_owned().await {
            match listener.accept().await {
                Ok((stream, peer)) => {
                    backoff = ACCEPT_BACKOFF.0;
                    let connection = self.connection(stream, peer);
                    self.connections.spawn(async move {
                        connection.await;
                        drop(permit);
                    });
                }
                Err(error) if concerns_one_connection(&error) => {}
                Err(error) => {
                    tracing::error!(%error, "cannot accept connections");
                    sleep(backoff).await;
                    backoff = (backoff * 2).min(ACCEPT_BACKOFF.1);
                }
            }
        }
    }

    /// One connection, from its first byte to its end.
    fn connection(&self, stream: TcpStream, peer: SocketAddr) -> impl Future<Output = ()> + use<> {
        let (protocols, router) = (self.protocols.clone(), self.router.clone());
        let (closing, dropped) = (self.closing.clone(), self.dropped.clone());
        let watcher = self.graceful.watcher();
        let (head_within, taken_within) = (self.head_within, self.taken_within);
        async move {
            // A streamed token is a small packet that must not wait for the next one.
            if let Err(error) = stream.set_nodelay(true) {
                tracing::debug!(%error, "the connection was gone before it was served");
                return;
            }
            let spoke = Arc::new(AtomicBool::new(false));
            let served = async {
                let begun = closing.run_until_cancelled(begins_like_http2(&stream)).await;
                if let Some(Ok(is_http2)) = begun {
                    let service = Serving {
                        router,
                        peer,
                        spoke: Arc::clone(&spoke),
                    };
                    // A reader that does not read must not hold for ever what its response holds.
                    let mut stream = TimeoutWriter::new(stream);
                    stream.set_timeout(Some(taken_within));
                    protocols
                        .serve(is_http2, Box::pin(stream), service, watcher)
                        .await;
                }
            };
            tokio::select! {
                () = served => {}
                () = silence(&spoke, head_within) => {}
                () = dropped.cancelled() => {}
            }
        }
    }

    /// Lets each connection finish what it is on, within a bound, and drops the rest.
    async fn close(self) {
        self.connections.close();
        self.closing.cancel();
        if timeout(CLOSE_WITHIN, self.graceful.shutdown()).await.is_err() {
            tracing::warn!(connections = self.connections.len(), "connections are dropped");
        }
        self.dropped.cancel();
        self.connections.wait().await;
    }
}

/// Whether a connection begins as HTTP/2 does, so far as its first bytes tell.
async fn begins_like_http2(stream: &TcpStream) -> io::Result<bool> {
    let mut first = [0; HTTP2_PREFACE.len()];
    let length = stream.peek(&mut first).await?;
    Ok(HTTP2_PREFACE.starts_with(&first[..length]))
}

/// How connections are served. Which protocol it is, hyper could find out alone; but then it reads the first request in two
/// steps, for which it needs twice the buffer, and for as long as the connection lasts.
#[derive(Clone)]
struct Protocols {
    http1: http1::Builder,
    /// For what may be HTTP/2.
    either: auto::Builder<TokioExecutor>,
}

impl Protocols {
    fn new(head_within: Duration) -> Self {
        let mut http1 = http1::Builder::new();
        http1
            .timer(TokioTimer::new())
            .header_read_timeout(head_within)
            .max_buf_size(MAX_HEAD_BYTES);
        let mut either = auto::Builder::new(TokioExecutor::new());
        either
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(head_within)
            .max_buf_size(MAX_HEAD_BYTES);
        either
            .http2()
            .timer(TokioTimer::new())
            .max_concurrent_streams(MAX_HTTP2_STREAMS)
            .keep_alive_interval(HTTP2_KEEP_ALIVE)
            .keep_alive_timeout(HTTP2_KEEP_ALIVE);
        Self { http1, either }
    }

    /// Serves a connection to its end. Boxed: most connections need much less than those of HTTP/2.
    fn serve(
        &self,
        is_http2: bool,
        stream: Pin<Box<TimeoutWriter<TcpStream>>>,
        service: Serving,
        watcher: Watcher,
    ) -> BoxFuture<'static, ()> {
        let stream = TokioIo::new(stream);
        if is_http2 {
            let connection = self.either.serve_connection(stream, service).into_owned();
            Box::pin(watcher.watch(connection).map(note_end))
        } else {
            let connection = self.http1.serve_connection(stream, service);
            Box::pin(watcher.watch(connection).map(note_end))
        }
    }
}

fn note_end<E: fmt::Display>(end: Result<(), E>) {
    if let Err(error) = end {
        tracing::debug!(%error, "connection ended");
    }
}

/// What serves the requests of one connection.
#[derive(Clone)]
struct Serving {
    router: Router,
    peer: SocketAddr,
    /// A request has come.
    spoke: Arc<AtomicBool>,
}

impl hyper::service::Service<Request<Incoming>> for Serving {
    type Response = axum::response::Response;
    type Error = Infallible;
    type Future = RouteFuture<Infallible>;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        self.spoke.store(true, Ordering::Relaxed);
        request.extensions_mut().insert(ConnectInfo(self.peer));
        self.router.clone().call(request)
    }
}

/// Ends if no request has come within the time that its head may take. hyper's own limit starts only when it
/// knows the protocol, which a client can put off by sending part of HTTP/2's preface, or nothing.
async fn silence(spoke: &AtomicBool, limit: Duration) {
    sleep(limit).await;
    if spoke.load(Ordering::Relaxed) {
        std::future::pending::<()>().await;
    }
}

/// The client hung up between its knock and our answer.
fn concerns_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset
    )
}

#[cfg(test)]
mod tests;
