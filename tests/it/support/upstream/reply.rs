//! What the double answers, step by step.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::Semaphore;

use super::{Request, chunk, embedding};

/// Holds replies back until the test lets them go on.
#[derive(Debug, Clone)]
pub struct Gate(Arc<Semaphore>);

impl Gate {
    /// A closed gate.
    pub fn new() -> Self {
        Self(Arc::new(Semaphore::new(0)))
    }

    /// Lets one reply pass, now or when it arrives.
    pub fn open(&self) {
        self.0.add_permits(1);
    }

    /// Lets all replies pass, now or when they arrive.
    pub fn open_for_all(&self) {
        self.0.add_permits(Semaphore::MAX_PERMITS);
    }

    async fn pass(&self) {
        self.0.acquire().await.expect("a gate is never removed").forget();
    }
}

#[derive(Debug, Clone)]
enum Step {
    Head {
        status: u16,
        headers: Vec<(String, String)>,
    },
    /// One write, one HTTP chunk.
    Write(Vec<u8>),
    /// The usage of a model that was sent so many tokens and wrote as many as it was allowed to.
    UsageUpToLimit(u64),
    Wait(Gate),
    Pause(Duration),
    /// Nothing more, until the caller goes away.
    Hang,
    /// The connection ends without the end of the body.
    Cut,
    Reset,
}

/// How a reply came to its end.
pub(super) enum Ended {
    Closed,
    Reset,
    CallerHungUp,
}

/// A scripted answer to one request.
#[derive(Debug, Clone, Default)]
pub struct Reply(Vec<Step>);

impl Reply {
    /// Never says anything.
    pub fn silent() -> Self {
        Self::default().hang()
    }

    /// Says nothing before the gate opens, then replies.
    pub fn held(gate: &Gate, then: Self) -> Self {
        let mut reply = Self::default().wait(gate);
        reply.0.extend(then.0);
        reply
    }

    /// The head of a stream; what follows is chained on.
    pub fn stream() -> Self {
        Self::head(200, "text/event-stream; charset=utf-8")
    }

    /// A whole streamed answer, with usage and `[DONE]`.
    pub fn answer<'a>(texts: impl IntoIterator<Item = &'a str>) -> Self {
        let chunks = texts.into_iter().map(chunk::text);
        Self::stream().events(chunks).end()
    }

    /// A whole answer that is not streamed.
    pub fn completion(text: &str) -> Self {
        Self::raw(200, "application/json", chunk::completion(text))
    }

    /// An embedding of each input of this request, which the model counts as so many tokens.
    pub fn embeddings(request: &Value, tokens: u64) -> Self {
        Self::raw(200, "application/json", embedding::embeddings(request, tokens))
    }

    /// An answer in JSON.
    pub fn json(status: u16, body: &Value) -> Self {
        Self::raw(status, "application/json", body.to_string())
    }

    /// An error as LiteLLM words it.
    pub fn error(status: u16, kind: &str, message: &str) -> Self {
        let error = json!({"message": message, "type": kind, "param": null, "code": status.to_string()});
        Self::json(status, &json!({"error": error}))
    }

    /// Any answer.
    pub fn raw(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Self::head(status, content_type).bytes(body)
    }

    /// A status line and one header; more may follow.
    pub fn head(status: u16, content_type: &str) -> Self {
        let headers = vec![("content-type".to_owned(), content_type.to_owned())];
        Self(vec![Step::Head { status, headers }])
    }

    /// Adds a header to the head.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        for step in &mut self.0 {
            if let Step::Head { headers, .. } = step {
                headers.push((name.to_owned(), value.to_owned()));
            }
        }
        self
    }

    /// One event.
    pub fn event(self, data: impl AsRef<str>) -> Self {
        self.bytes(format!("data: {}\n\n", data.as_ref()))
    }

    /// Several events, each in a write of its own.
    pub fn events(self, data: impl IntoIterator<Item = String>) -> Self {
        data.into_iter().fold(self, Self::event)
    }

    /// A piece of the answer's text.
    pub fn text(self, text: &str) -> Self {
        self.event(chunk::text(text))
    }

    /// The ordinary end: finish reason, usage, `[DONE]`.
    pub fn end(self) -> Self {
        self.event(chunk::finish("stop")).event(chunk::usage(5, 3)).done()
    }

    /// `[DONE]`.
    pub fn done(self) -> Self {
        self.event("[DONE]")
    }

    /// Bytes as they are, in one write.
    pub fn bytes(self, bytes: impl Into<Vec<u8>>) -> Self {
        self.then(Step::Write(bytes.into()))
    }

    /// Goes on when the gate opens.
    pub fn wait(self, gate: &Gate) -> Self {
        self.then(Step::Wait(gate.clone()))
    }

    /// Goes on after a while, as models do between two tokens.
    pub fn pause(self, duration: Duration) -> Self {
        self.then(Step::Pause(duration))
    }

    /// Falls silent for good.
    pub fn hang(self) -> Self {
        self.then(Step::Hang)
    }

    /// Closes the connection before the body has ended.
    pub fn cut(self) -> Self {
        self.then(Step::Cut)
    }

    /// Says that so many tokens were read, and as many written as the request allows.
    pub fn usage_up_to_limit(self, prompt: u64) -> Self {
        self.then(Step::UsageUpToLimit(prompt))
    }

    /// The reply to this request: what depends on it is filled in.
    pub(super) fn to(self, request: &Request) -> Self {
        let fill = |step| match step {
            Step::UsageUpToLimit(prompt) => {
                let limit = request.json()["max_tokens"].as_u64().expect("a limit");
                Step::Write(format!("data: {}\n\n", chunk::usage(prompt, limit)).into_bytes())
            }
            step => step,
        };
        Self(self.0.into_iter().map(fill).collect())
    }

    /// Resets the connection.
    pub fn reset(self) -> Self {
        self.then(Step::Reset)
    }

    fn then(mut self, step: Step) -> Self {
        self.0.push(step);
        self
    }

    pub(super) async fn play(self, writer: &mut (impl AsyncWrite + Unpin)) -> Ended {
        for step in self.0 {
            let bytes = match step {
                Step::Head { status, headers } => head(status, &headers),
                Step::Write(bytes) if bytes.is_empty() => continue,
                Step::Write(bytes) => http_chunk(&bytes),
                Step::UsageUpToLimit(_) => unreachable!("it was filled in"),
                Step::Wait(gate) => {
                    gate.pass().await;
                    continue;
                }
                Step::Pause(duration) => {
                    tokio::time::sleep(duration).await;
                    continue;
                }
                Step::Hang => std::future::pending().await,
                Step::Cut => return Ended::Closed,
                Step::Reset => return Ended::Reset,
            };
            if write(writer, &bytes).await.is_err() {
                return Ended::CallerHungUp;
            }
        }
        // The answer is whole: whether the caller still reads its last bytes is the caller's business.
        write(writer, b"0\r\n\r\n").await.ok();
        Ended::Closed
    }
}

async fn write(writer: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> std::io::Result<()> {
    writer.write_all(bytes).await?;
    writer.flush().await
}

fn head(status: u16, headers: &[(String, String)]) -> Vec<u8> {
    let mut head =
        format!("HTTP/1.1 {status} Scripted\r\nconnection: close\r\ntransfer-encoding: chunked\r\n");
    for (name, value) in headers {
        write!(head, "{name}: {value}\r\n").expect("a string takes everything");
    }
    head.push_str("\r\n");
    head.into_bytes()
}

fn http_chunk(bytes: &[u8]) -> Vec<u8> {
    let mut chunk = format!("{:x}\r\n", bytes.len()).into_bytes();
    chunk.extend_from_slice(bytes);
    chunk.extend_from_slice(b"\r\n");
    chunk
}
