//! A proxy that makes a server slow: everything arrives, in order, and later.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

/// The proxy. Dropping it closes all its connections.
pub struct SlowProxy {
    port: u16,
    delay: watch::Sender<Duration>,
    _stop: DropGuard,
}

impl SlowProxy {
    /// A proxy in front of the server on this port. It does not delay anything yet.
    pub async fn before(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let own_port = listener.local_addr().expect("an address").port();
        let delay = watch::Sender::new(Duration::ZERO);
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let accepting = accept(listener, port, delay.subscribe(), tasks.clone(), stop.clone());
        tasks.spawn(stop.clone().run_until_cancelled_owned(accepting));
        Self {
            port: own_port,
            delay,
            _stop: stop.drop_guard(),
        }
    }

    /// Where it listens.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Everything takes so much longer from now on, in each direction.
    pub fn delay(&self, delay: Duration) {
        self.delay.send_replace(delay);
    }
}

async fn accept(
    listener: TcpListener,
    server: u16,
    delay: watch::Receiver<Duration>,
    tasks: TaskTracker,
    stop: CancellationToken,
) {
    loop {
        let (client, _) = listener.accept().await.expect("a connection");
        let Ok(server) = TcpStream::connect(("127.0.0.1", server)).await else {
            continue;
        };
        for stream in [&client, &server] {
            stream.set_nodelay(true).expect("a socket");
        }
        let (from_client, to_client) = client.into_split();
        let (from_server, to_server) = server.into_split();
        for (from, to) in [(from_client, to_server), (from_server, to_client)] {
            let passing = pass(from, to, delay.clone());
            tasks.spawn(stop.clone().run_until_cancelled_owned(passing));
        }
    }
}

/// Passes on what comes, each piece at its time: reading does not wait for what is on its way.
async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, delay: watch::Receiver<Duration>) {
    let (send, mut receive) = mpsc::unbounded_channel::<(Instant, Bytes)>();
    let reading = async move {
        let mut buffer = BytesMut::with_capacity(64 * 1024);
        while let Ok(1..) = from.read_buf(&mut buffer).await {
            let due = Instant::now() + *delay.borrow();
            if send.send((due, buffer.split().freeze())).is_err() {
                return;
            }
        }
    };
    let writing = async move {
        while let Some((due, piece)) = receive.recv().await {
            sleep_until(due).await;
            if to.write_all(&piece).await.is_err() {
                return;
            }
        }
    };
    tokio::join!(reading, writing);
}
