//! A model server of a few lines that answers each connection with the bytes it is told to.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio_util::task::TaskTracker;

/// What is done on one connection, in order. It is closed at the end.
#[derive(Debug, Clone)]
pub(super) enum Step {
    Write(Vec<u8>),
    Wait(Duration),
    /// Waits until the client goes away.
    Hang,
}

/// Answers the n-th request with the n-th script, and further ones with the last.
pub(super) struct Upstream {
    pub(super) url: String,
    /// The requests so far, head and body.
    requests: Arc<Mutex<Vec<String>>>,
    /// Tells that a client went away from a [`Step::Hang`].
    pub(super) left: Arc<Notify>,
    tasks: TaskTracker,
    accepting: tokio::task::AbortHandle,
}

impl Upstream {
    pub(super) async fn start(scripts: Vec<Vec<Step>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        let (requests, left, tasks) = (
            Arc::<Mutex<Vec<String>>>::default(),
            Arc::<Notify>::default(),
            TaskTracker::new(),
        );
        let accepting = tasks.spawn({
            let (requests, left, tasks) = (Arc::clone(&requests), Arc::clone(&left), tasks.clone());
            async move {
                while let Ok((mut connection, _)) = listener.accept().await {
                    let (requests, left, scripts) =
                        (Arc::clone(&requests), Arc::clone(&left), scripts.clone());
                    tasks.spawn(async move {
                        let Some(request) = read_request(&mut connection).await else {
                            return;
                        };
                        let number = {
                            let mut requests = requests.lock().expect("not poisoned");
                            requests.push(request);
                            requests.len() - 1
                        };
                        play(&mut connection, &scripts[number.min(scripts.len() - 1)], &left).await;
                    });
                }
            }
        });
        Self {
            url,
            requests,
            left,
            tasks,
            accepting: accepting.abort_handle(),
        }
    }

    pub(super) fn requests(&self) -> Vec<String> {
        self.requests.lock().expect("not poisoned").clone()
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.accepting.abort();
        self.tasks.close();
    }
}

async fn read_request(connection: &mut TcpStream) -> Option<String> {
    let mut request = Vec::new();
    loop {
        if connection.read_buf(&mut request).await.ok()? == 0 {
            return None;
        }
        let text = String::from_utf8_lossy(&request);
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let length = head.lines().find_map(|line| {
            line.to_ascii_lowercase()
                .strip_prefix("content-length: ")
                .map(str::to_owned)
        });
        if body.len() >= length.map_or(0, |length| length.parse().expect("a length")) {
            return Some(text.into_owned());
        }
    }
}

async fn play(connection: &mut TcpStream, script: &[Step], left: &Notify) {
    for step in script {
        match step {
            Step::Write(bytes) => connection.write_all(bytes).await.unwrap_or_default(),
            Step::Wait(time) => tokio::time::sleep(*time).await,
            Step::Hang => {
                while connection.read_u8().await.is_ok() {}
                left.notify_one();
            }
        }
    }
}

/// A whole answer with a body.
pub(super) fn answer(status: u16, headers: &str, body: impl AsRef<[u8]>) -> Vec<Step> {
    let body = body.as_ref();
    let head = format!(
        "HTTP/1.1 {status} X\r\n{headers}content-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    vec![Step::Write([head.as_bytes(), body].concat())]
}

/// The head of a stream and its first bytes; the connection's end is not yet the stream's.
pub(super) fn stream_start(events: &str) -> Step {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
    Step::Write(format!("{head}{}", http_chunk(events)).into_bytes())
}

/// A whole stream.
pub(super) fn stream(events: &str) -> Vec<Step> {
    vec![stream_start(events), Step::Write(b"0\r\n\r\n".to_vec())]
}

fn http_chunk(bytes: &str) -> String {
    if bytes.is_empty() {
        return String::new();
    }
    format!("{:x}\r\n{bytes}\r\n", bytes.len())
}
