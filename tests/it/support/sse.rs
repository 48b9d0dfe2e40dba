//! Reading an event stream, event by event.

use std::collections::VecDeque;

use reqwest::header::HeaderMap;
use reqwest::{RequestBuilder, Response};
use serde_json::Value;

use super::client::{self, Answer};
use super::time;

/// What stands at the end of every stream.
pub const DONE: &str = "[DONE]";

/// One event as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The `id:` line.
    pub id: u64,
    /// What the `data:` lines hold, in the server's bytes.
    pub data: String,
}

impl Event {
    /// The data as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.data).unwrap_or_else(|e| panic!("no JSON ({e}): {}", self.data))
    }
}

/// An open stream. Dropping it closes the connection.
pub struct EventStream {
    response: Response,
    /// The headers of the response.
    pub headers: HeaderMap,
    buffer: Vec<u8>,
    ready: VecDeque<Event>,
    comments: Vec<String>,
}

impl EventStream {
    /// Sends a request that is answered with a stream.
    pub async fn open(request: RequestBuilder) -> Self {
        let response = time::within("the head of a stream", request.send())
            .await
            .expect("a response");
        match Self::of(response) {
            Ok(stream) => stream,
            Err(response) => panic!("not a stream: {:?}", Answer::read(*response).await),
        }
    }

    /// The stream that a response is, or else the response.
    pub fn of(response: Response) -> Result<Self, Box<Response>> {
        let kind = client::header(response.headers(), "content-type");
        if response.status() != 200 || kind != "text/event-stream; charset=utf-8" {
            return Err(Box::new(response));
        }
        Ok(Self {
            headers: response.headers().clone(),
            response,
            buffer: Vec::new(),
            ready: VecDeque::new(),
            comments: Vec::new(),
        })
    }

    /// The stream's id, from the headers.
    pub fn stream_id(&self) -> String {
        client::header(&self.headers, "x-stream-id").to_owned()
    }

    /// The next event, or `None` at the end of the body.
    pub async fn next(&mut self) -> Option<Event> {
        let event = time::within("an event", self.try_next()).await;
        event.expect("the body goes on")
    }

    /// The next event, however long it takes, or `None` at the end of the body; an error if the connection breaks.
    pub async fn try_next(&mut self) -> reqwest::Result<Option<Event>> {
        while self.ready.is_empty() {
            if !self.try_read_more().await? {
                return Ok(None);
            }
        }
        Ok(self.ready.pop_front())
    }

    /// Reads on until a chunk holds this text.
    pub async fn until_text(&mut self, wanted: &str) -> Event {
        loop {
            let event = self.next().await.expect("the stream goes on");
            if event.data != DONE && content(&event.json()).is_some_and(|text| text.contains(wanted)) {
                return event;
            }
        }
    }

    /// Reads on until the next comment line.
    pub async fn until_comment(&mut self) -> String {
        time::within("a comment", async {
            while self.comments.is_empty() {
                self.read_more().await.expect("the stream goes on");
            }
            self.comments.remove(0)
        })
        .await
    }

    /// Reads to the end and checks what holds for every stream.
    pub async fn finish(mut self) -> Transcript {
        let mut events = Vec::new();
        while let Some(event) = self.next().await {
            events.push(event);
        }
        assert!(
            self.buffer.is_empty(),
            "half an event at the end: {:?}",
            self.buffer
        );
        let done = events.iter().filter(|event| event.data == DONE).count();
        assert_eq!(done, 1, "exactly one [DONE]: {events:#?}");
        assert_eq!(
            events.last().map(|event| event.data.as_str()),
            Some(DONE),
            "{events:#?}"
        );
        assert!(
            events.is_sorted_by(|a, b| a.id < b.id),
            "ids increase: {events:#?}"
        );
        Transcript { events }
    }

    async fn read_more(&mut self) -> Option<()> {
        self.try_read_more()
            .await
            .expect("the body goes on")
            .then_some(())
    }

    /// False at the end of the body.
    async fn try_read_more(&mut self) -> reqwest::Result<bool> {
        let Some(bytes) = self.response.chunk().await? else {
            return Ok(false);
        };
        self.buffer.extend_from_slice(&bytes);
        self.parse();
        Ok(true)
    }

    fn parse(&mut self) {
        while let Some(end) = self.buffer.windows(2).position(|pair| pair == b"\n\n") {
            let block: Vec<u8> = self.buffer.drain(..end + 2).collect();
            let block = String::from_utf8(block).expect("events are UTF-8");
            let mut id = None;
            let mut data = Vec::new();
            for line in block.lines().filter(|line| !line.is_empty()) {
                match line.split_once(':') {
                    Some(("", comment)) => self.comments.push(comment.trim().to_owned()),
                    Some(("id", value)) => id = Some(value.trim().parse().expect("a whole number")),
                    Some(("data", value)) => data.push(value.strip_prefix(' ').unwrap_or(value)),
                    _ => panic!("an unknown line in a stream: {line}"),
                }
            }
            if !data.is_empty() {
                let id = id.expect("every event has an id");
                self.ready.push_back(Event {
                    id,
                    data: data.join("\n"),
                });
            }
        }
    }
}

/// A stream that was read to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transcript {
    /// All events, `[DONE]` included.
    pub events: Vec<Event>,
}

impl Transcript {
    /// The first event.
    pub fn first(&self) -> Value {
        self.events.first().expect("an event").json()
    }

    /// The event before `[DONE]`.
    pub fn last(&self) -> Value {
        self.events
            .iter()
            .rev()
            .nth(1)
            .expect("an event before [DONE]")
            .json()
    }

    /// The data of all events but the service's own first and last chunks and `[DONE]`.
    pub fn middle(&self) -> Vec<&str> {
        let inner = &self.events[1..self.events.len() - 2];
        inner.iter().map(|event| event.data.as_str()).collect()
    }

    /// The data of all events but `[DONE]`.
    pub fn chunks(&self) -> Vec<&str> {
        let inner = &self.events[..self.events.len() - 1];
        inner.iter().map(|event| event.data.as_str()).collect()
    }

    /// The text of all chunks, joined.
    pub fn text(&self) -> String {
        let chunks = self.events.iter().filter(|event| event.data != DONE);
        chunks.filter_map(|event| content(&event.json())).collect()
    }

    /// The text that was shown, given that an error event follows it.
    pub fn text_before_error(&self) -> String {
        assert!(self.last().get("error").is_some(), "no error event: {self:#?}");
        self.text()
    }

    /// The error event, which must be the last but `[DONE]`.
    #[track_caller]
    pub fn error(&self, code: &str) -> Value {
        let error = self.last()["error"].take();
        assert_eq!(error["code"], code, "{self:#?}");
        error
    }

    /// The conversation that the first chunk names.
    pub fn conversation(&self) -> String {
        client::text(&self.first()["conversation_id"])
    }

    /// The stored answer that the last chunk names.
    pub fn message(&self) -> String {
        client::text(&self.last()["message_id"])
    }
}

/// The text that a chunk brings.
pub fn content(chunk: &Value) -> Option<String> {
    chunk["choices"][0]["delta"]["content"]
        .as_str()
        .map(str::to_owned)
}

mod tests {
    use super::EventStream;
    use crate::support::{Client, MODEL, Reply, Upstream};

    /// What is read of a stream that holds these bytes.
    async fn read(bytes: &str) -> EventStream {
        let upstream = Upstream::start().await;
        upstream.script(MODEL, [Reply::stream().bytes(bytes)]);
        let client = Client::anonymous(&upstream.url());
        let mut stream = client.chat_stream(&serde_json::json!({"model": MODEL})).await;
        while stream.read_more().await.is_some() {}
        stream
    }

    #[tokio::test]
    async fn a_sound_stream_is_read() {
        let mut stream = read("id: 1\ndata: {}\n\n: keep-alive\n\nid: 3\ndata: [DONE]\n\n").await;
        assert_eq!(stream.until_comment().await, "keep-alive");
        let transcript = stream.finish().await;
        assert_eq!(transcript.chunks(), ["{}"]);
    }

    #[tokio::test]
    #[should_panic(expected = "exactly one [DONE]")]
    async fn a_stream_without_an_end_is_not_sound() {
        read("id: 1\ndata: {}\n\n").await.finish().await;
    }

    #[tokio::test]
    #[should_panic(expected = "ids increase")]
    async fn ids_that_do_not_increase_are_not_sound() {
        read("id: 1\ndata: {}\n\nid: 1\ndata: [DONE]\n\n")
            .await
            .finish()
            .await;
    }
}
