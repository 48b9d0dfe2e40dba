//! A user who sends message after message into a conversation and reads every answer.

use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::record::{End, Record, Refusal, Turn, UserRecord};
use crate::support::client::text;
use crate::support::sse::{self, DONE, Event, EventStream};
use crate::support::{Answer, Client, MODEL, time};

/// How long a user waits after an error before it tries again.
const PAUSE: Duration = Duration::from_millis(100);

/// How long a user goes on trying to read an answer to its end. That its instance is dead is found out within 30
/// seconds.
const PATIENCE: Duration = Duration::from_secs(45);

pub(super) struct Chatter {
    user: Client,
    bases: Vec<String>,
    next: usize,
    number: usize,
    record: Arc<watch::Sender<Record>>,
}

/// How reading a stream came to an end.
enum Reading {
    Ended(End),
    /// The connection broke.
    Broken,
}

/// An answer as far as it was read.
#[derive(Default)]
struct Seen {
    text: String,
    last_id: u64,
    whole: bool,
    error: Option<String>,
}

impl Chatter {
    /// The user with this number, who begins at a different instance than its neighbours.
    pub(super) fn new(bases: &[String], number: usize, record: Arc<watch::Sender<Record>>) -> Self {
        let user = Client::new_user(&bases[0]);
        record.send_modify(|record| {
            record.users.push(UserRecord {
                client: user.clone(),
                sent: Vec::new(),
                turns: Vec::new(),
            });
        });
        Self {
            user,
            bases: bases.to_vec(),
            next: number,
            number,
            record,
        }
    }

    pub(super) async fn run(mut self, stop: CancellationToken) {
        let mut conversation = None;
        for turn in 0.. {
            if stop.is_cancelled() {
                return;
            }
            let message = format!("user {} asks question {turn}", self.number);
            conversation = self.ask(message, conversation).await;
            match &conversation {
                Some(id) => self.look_at(id).await,
                None => time::pass(PAUSE).await,
            }
        }
    }

    /// Sends a message and reads its answer. Tells where to go on; after an error that is a new conversation, since
    /// nobody knows what became of the message in the old one.
    async fn ask(&mut self, message: String, conversation: Option<String>) -> Option<String> {
        let mut body = json!({"model": MODEL, "message": message});
        if let Some(id) = conversation {
            body["conversation_id"] = json!(id);
        }
        self.note(|user| user.sent.push(message.clone()));
        let request = self.request(Method::POST, "/v1/chat/completions").json(&body);
        let asked = Instant::now();
        let mut stream = self.open(request).await?;
        let first = time::within("a first event", stream.try_next()).await;
        let Ok(Some(first)) = first else {
            self.connection_broke();
            return None;
        };
        let took = asked.elapsed();
        self.record.send_modify(|record| record.starts.push(took));
        let conversation = self.acknowledge(&first.json(), message);
        let seen = Seen {
            last_id: first.id,
            ..Seen::default()
        };
        let end = self.read_to_the_end(stream, seen).await;
        self.note_turn(|turn| turn.end = end);
        end.map(|_| conversation)
    }

    /// Asks for a conversation that is there: whatever fails, nobody may say that it is not.
    async fn look_at(&mut self, conversation: &str) {
        let request = self.request(Method::GET, &format!("/v1/conversations/{conversation}"));
        let started = Instant::now();
        match time::within("a response", request.send()).await {
            Ok(response) if response.status() == 200 => {
                let took = started.elapsed();
                self.record.send_modify(|record| record.looks.push(took));
            }
            Ok(response) => self.refused(response).await,
            Err(_) => self.connection_broke(),
        }
    }

    /// Notes the message as stored, and tells its conversation.
    fn acknowledge(&self, first: &Value, text_sent: String) -> String {
        let conversation = text(&first["conversation_id"]);
        let turn = Turn {
            conversation: conversation.clone(),
            message: text(&first["user_message_id"]),
            text: text_sent,
            answer: String::new(),
            end: None,
        };
        self.note(|user| user.turns.push(turn));
        conversation
    }

    /// Reads a stream, wherever it can be had, until it has ended; `None` if that does not happen in time.
    async fn read_to_the_end(&mut self, mut stream: EventStream, mut seen: Seen) -> Option<End> {
        let path = format!("/v1/chat/streams/{}", stream.stream_id());
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.read(&mut stream, &mut seen).await {
                Reading::Ended(end) => return Some(end),
                Reading::Broken => self.connection_broke(),
            }
            stream = loop {
                if Instant::now() > deadline {
                    return None;
                }
                let request = self.request(Method::GET, &path);
                let request = request.header("last-event-id", seen.last_id.to_string());
                match self.open(request).await {
                    Some(stream) => break stream,
                    None => time::pass(PAUSE).await,
                }
            };
        }
    }

    async fn read(&self, stream: &mut EventStream, seen: &mut Seen) -> Reading {
        loop {
            let event = time::within_limit(PATIENCE, "an event", stream.try_next()).await;
            let Ok(Some(event)) = event else {
                return Reading::Broken;
            };
            if event.data == DONE {
                return Reading::Ended(seen.end());
            }
            seen.add(&event);
            self.note_turn(|turn| turn.answer.clone_from(&seen.text));
        }
    }

    /// A request to the next instance.
    fn request(&mut self, method: Method, path: &str) -> RequestBuilder {
        let base = &self.bases[self.next % self.bases.len()];
        self.next += 1;
        self.user.at(base).request(method, path)
    }

    /// The stream that the request is answered with; otherwise what came instead is noted.
    async fn open(&self, request: RequestBuilder) -> Option<EventStream> {
        let Ok(response) = time::within("the head of a response", request.send()).await else {
            self.connection_broke();
            return None;
        };
        match EventStream::of(response) {
            Ok(stream) => Some(stream),
            Err(response) => {
                self.refused(*response).await;
                None
            }
        }
    }

    async fn refused(&self, response: Response) {
        let retry_after = response.headers().get("retry-after");
        let retry_after = retry_after.map(|value| value.to_str().expect("a visible header").to_owned());
        let answer = Answer::read(response).await;
        let refusal = Refusal {
            status: answer.status,
            code: text(&answer.json()["error"]["code"]),
            retry_after,
        };
        self.record.send_modify(|record| record.refusals.push(refusal));
    }

    fn connection_broke(&self) {
        self.record.send_modify(|record| record.broken_connections += 1);
    }

    fn note(&self, change: impl FnOnce(&mut UserRecord)) {
        self.record
            .send_modify(|record| change(&mut record.users[self.number]));
    }

    fn note_turn(&self, change: impl FnOnce(&mut Turn)) {
        self.note(|user| change(user.turns.last_mut().expect("a turn that has begun")));
    }
}

impl Seen {
    /// Adds an event, which must be a new one.
    fn add(&mut self, event: &Event) {
        assert!(
            self.error.is_none(),
            "{event:?} comes after the error {:?}",
            self.error
        );
        let chunk = event.json();
        assert!(event.id > self.last_id, "{event:?} comes after {}", self.last_id);
        self.error = chunk.get("error").map(|error| text(&error["code"]));
        self.last_id = event.id;
        self.whole |= chunk.get("usage").is_some();
        self.text.extend(sse::content(&chunk));
    }

    fn end(&self) -> End {
        match self.error.as_deref() {
            None if self.whole => End::Completed,
            None | Some("STREAM_INTERRUPTED") => End::Interrupted,
            Some(other) => panic!("a stream ended with {other}"),
        }
    }
}
