//! A model server that writes what [scripts](Script) say, each chunk in a write of its own.

use std::convert::Infallible;
use std::net::SocketAddr;

use axum::body::{Body, Bytes};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::serve::ListenerExt as _;
use axum::{Json, Router};
use futures_util::stream::{self, Stream};
use http::{StatusCode, header};
use serde::Deserialize;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::time::{Interval, interval};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use crate::Failure;
use crate::latencies::Moment;
use crate::script::Script;

/// The model that it has.
pub const MODEL: &str = "scripted";

/// A running model server. Dropping it closes its port.
pub struct ModelServer {
    address: SocketAddr,
    _stop: DropGuard,
}

impl ModelServer {
    /// Starts on a free port.
    pub async fn start() -> Result<Self, Failure> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let listener = listener.tap_io(|connection| {
            // Fails only on a connection that is closed already.
            connection.set_nodelay(true).ok();
        });
        let router = Router::new()
            .route("/v1/chat/completions", post(answer))
            .route("/health/liveliness", get(|| async { "alive" }));
        let stop = CancellationToken::new();
        let stopped = stop.clone().cancelled_owned();
        TaskTracker::new().spawn(async move {
            tokio::select! {
                served = axum::serve(listener, router).into_future() => served,
                () = stopped => Ok(()),
            }
        });
        Ok(Self {
            address,
            _stop: stop.drop_guard(),
        })
    }

    /// What `LITELLM_URL` is set to.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

#[derive(Deserialize)]
struct ChatRequest {
    messages: Vec<Message>,
}

#[derive(Deserialize)]
struct Message {
    content: String,
}

async fn answer(Json(request): Json<ChatRequest>) -> Response {
    let script = request.messages.last().map(|message| message.content.parse());
    match script {
        Some(Ok(script)) => {
            let events = Body::from_stream(events(script));
            ([(header::CONTENT_TYPE, "text/event-stream")], events).into_response()
        }
        Some(Err(problem)) => (StatusCode::BAD_REQUEST, problem).into_response(),
        None => (StatusCode::BAD_REQUEST, "no messages").into_response(),
    }
}

/// An answer that is being written.
struct Writer {
    script: Script,
    written: u32,
    /// None where chunks follow each other without a pause.
    pace: Option<Interval>,
}

fn events(script: Script) -> impl Stream<Item = Result<Bytes, Infallible>> {
    let pace = (!script.pause.is_zero()).then(|| interval(script.pause));
    let writer = Writer {
        script,
        written: 0,
        pace,
    };
    stream::unfold(writer, |mut writer| async move {
        if writer.written > writer.script.chunks {
            return None;
        }
        if let Some(pace) = &mut writer.pace {
            pace.tick().await;
        }
        Some((Ok(writer.next()), writer))
    })
}

impl Writer {
    /// The next chunk; after the last one with text, all that ends an answer.
    fn next(&mut self) -> Bytes {
        let chunk = self.written;
        self.written += 1;
        if chunk < self.script.chunks {
            return text(self.script.token(chunk)).into();
        }
        let finish = event(r#"[{"finish_reason":"stop","index":0,"delta":{}}]"#, "");
        let count = self.script.chunks;
        let usage = json!({"prompt_tokens": 10, "completion_tokens": count, "total_tokens": count + 10});
        let usage = event("[]", &format!(r#","usage":{usage}"#));
        format!("{finish}{usage}data: [DONE]\n\n").into()
    }
}

fn text(token: &str) -> String {
    let choices = json!([{"index": 0, "delta": {"content": token}}]);
    event(&choices.to_string(), "")
}

/// A chunk in LiteLLM's shape, whose fingerprint tells the moment at which it was written.
fn event(choices: &str, rest: &str) -> String {
    let moment = Moment::now();
    format!(
        "data: {{\"id\":\"chatcmpl-5707f0a4-df54-4a4d-96e4-884e9dd24449\",\"created\":1795404924,\"model\":\"gpt-4o-mini\",\
         \"object\":\"chat.completion.chunk\",\"system_fingerprint\":\"{moment}\",\"choices\":{choices}{rest}}}\n\n"
    )
}
