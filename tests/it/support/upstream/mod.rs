//! The double of an OpenAI-compatible model server, faults included.
//!
//! It speaks HTTP by hand over TCP, one request per connection, because its faults are below HTTP: writes cut
//! in the middle of a character, connections reset, silence at any point. What it answers is scripted per
//! model with [`Reply`]; a test holds a reply at a [`Gate`] instead of sleeping.
//!
//! - [`chunk`]: the JSON of stream chunks and completions
//! - [`embedding`]: the JSON of embeddings
//! - [`reply`]: what to answer, step by step
//! - [`request`]: what was asked

pub mod chunk;
pub mod embedding;
mod reply;
mod request;
mod tests;

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

pub use reply::{Gate, Reply};
pub use request::Request;

use super::time::{within, within_limit};
use reply::Ended;

/// A running double. Dropping it closes all its connections.
pub struct Upstream {
    addr: SocketAddr,
    shared: Arc<Shared>,
    _stop: DropGuard,
}

struct Shared {
    scripts: Mutex<HashMap<String, VecDeque<Reply>>>,
    /// Answers to other paths, by what follows the base URL.
    paths: Mutex<HashMap<String, Reply>>,
    requests: watch::Sender<Vec<Request>>,
    hang_ups: Semaphore,
}

impl Upstream {
    /// Starts on a free port.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let addr = listener.local_addr().expect("its address");
        let shared = Arc::new(Shared {
            scripts: Mutex::default(),
            paths: Mutex::default(),
            requests: watch::Sender::default(),
            hang_ups: Semaphore::new(0),
        });
        let stop = CancellationToken::new();
        TaskTracker::new().spawn(accept(listener, Arc::clone(&shared), stop.clone()));
        Self {
            addr,
            shared,
            _stop: stop.drop_guard(),
        }
    }

    /// What `LITELLM_URL` is set to.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Answers chats with this model, and its embeddings, by these replies in turn; the last is repeated. Without a
    /// script the answer is "Hello there!", or an embedding of each input.
    pub fn script(&self, model: &str, replies: impl IntoIterator<Item = Reply>) {
        let mut scripts = self.shared.scripts.lock().expect("no test panicked here");
        scripts.insert(model.to_owned(), replies.into_iter().collect());
    }

    /// Answers requests for this path (`/models`, `/model/info`; without `/v1`) by this reply from now on.
    pub fn script_path(&self, path: &str, reply: Reply) {
        let mut paths = self.shared.paths.lock().expect("no test panicked here");
        paths.insert(path.to_owned(), reply);
    }

    /// Everything that was asked so far.
    pub fn requests(&self) -> Vec<Request> {
        self.shared.requests.borrow().clone()
    }

    /// The chats that were asked for so far.
    pub fn chats(&self) -> Vec<Request> {
        self.requests().into_iter().filter(Request::is_chat).collect()
    }

    /// The newest chat.
    pub fn last_chat(&self) -> Request {
        self.chats().pop().expect("a chat")
    }

    /// The embeddings that were asked for so far.
    pub fn embeddings(&self) -> Vec<Request> {
        self.requests()
            .into_iter()
            .filter(Request::is_embeddings)
            .collect()
    }

    /// Waits until this many embeddings were asked for.
    pub async fn wait_for_embeddings(&self, count: usize) {
        let enough =
            |all: &Vec<Request>| all.iter().filter(|request| request.is_embeddings()).count() >= count;
        let mut requests = self.shared.requests.subscribe();
        let seen = within("embeddings at the model server", requests.wait_for(enough)).await;
        drop(seen.expect("the double lives"));
    }

    /// Waits until this many chats were asked for.
    pub async fn wait_for_chats(&self, count: usize) {
        let enough = |all: &Vec<Request>| all.iter().filter(|request| request.is_chat()).count() >= count;
        let mut requests = self.shared.requests.subscribe();
        let seen = within("chats at the model server", requests.wait_for(enough)).await;
        drop(seen.expect("the double lives"));
    }

    /// Waits until a caller has closed its connection before its reply had ended.
    pub async fn wait_for_hang_up(&self, limit: Duration) {
        let permit = within_limit(limit, "the caller to hang up", self.shared.hang_ups.acquire()).await;
        permit.expect("the double lives").forget();
    }
}

/// The address of a model server that is not there.
pub fn refusing_url() -> String {
    format!("http://127.0.0.1:{}", super::process::free_port())
}

async fn accept(listener: TcpListener, shared: Arc<Shared>, stop: CancellationToken) {
    let connections = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => return,
        };
        let (socket, _) = accepted.expect("a connection");
        let (shared, stop) = (Arc::clone(&shared), stop.clone());
        connections.spawn(async move {
            tokio::select! {
                () = serve(socket, &shared) => {}
                () = stop.cancelled() => {}
            }
        });
    }
}

async fn serve(mut socket: TcpStream, shared: &Shared) {
    socket.set_nodelay(true).expect("TCP_NODELAY");
    let Some(request) = request::read(&mut socket).await else {
        return;
    };
    let reply = shared.reply_to(&request).to(&request);
    shared.requests.send_modify(|all| all.push(request));
    let (mut reader, mut writer) = socket.split();
    let ended = tokio::select! {
        ended = reply.play(&mut writer) => ended,
        () = end_of_input(&mut reader) => Ended::CallerHungUp,
    };
    match ended {
        Ended::Closed => {}
        Ended::Reset => socket.set_zero_linger().expect("SO_LINGER"),
        Ended::CallerHungUp => shared.hang_ups.add_permits(1),
    }
}

/// Waits until the other side closes or resets the connection.
async fn end_of_input(reader: &mut (impl AsyncRead + Unpin)) {
    let mut rest = [0; 1024];
    while reader.read(&mut rest).await.is_ok_and(|count| count > 0) {}
}

impl Shared {
    fn reply_to(&self, request: &Request) -> Reply {
        let path = request.path.trim_start_matches("/v1");
        if let Some(reply) = self.paths.lock().expect("no test panicked here").get(path) {
            return reply.clone();
        }
        match path {
            "/chat/completions" => self.scripted(&request.model()).unwrap_or_else(|| {
                if request.json()["stream"] == true {
                    Reply::answer(["Hello", " there", "!"])
                } else {
                    Reply::completion("Hello there!")
                }
            }),
            "/embeddings" => self
                .scripted(&request.model())
                .unwrap_or_else(|| Reply::embeddings(&request.json(), 5)),
            "/models" => Reply::json(200, &self.model_list()),
            "/health/liveliness" => Reply::raw(200, "application/json", "\"I'm alive!\""),
            "/health/readiness" => Reply::raw(200, "application/json", r#"{"status":"healthy"}"#),
            _ => Reply::raw(404, "application/json", r#"{"detail":"Not Found"}"#),
        }
    }

    fn scripted(&self, model: &str) -> Option<Reply> {
        let mut scripts = self.scripts.lock().expect("no test panicked here");
        let script = scripts.get_mut(model)?;
        if script.len() > 1 {
            script.pop_front()
        } else {
            script.front().cloned()
        }
    }

    fn model_list(&self) -> serde_json::Value {
        let scripts = self.scripts.lock().expect("no test panicked here");
        let names = scripts.keys().map(String::as_str).chain([super::MODEL]);
        let models = names.map(|name| serde_json::json!({"id": name, "object": "model", "created": 1_677_610_602, "owned_by": "openai"}));
        serde_json::json!({"object": "list", "data": models.collect::<Vec<_>>()})
    }
}
