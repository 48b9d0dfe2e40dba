//! A conversation in the hands of its owner: growing its tree, and looking at it.

use serde_json::{Value, json};

use super::client::text;
use super::{Answer, Client, EventStream, Gate, MODEL, Reply, TestServer, Transcript};

/// A conversation and who it belongs to.
pub struct Tree {
    /// Its owner.
    pub user: Client,
    /// Its id.
    pub id: String,
}

/// A question and its answer, by their ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exchange {
    /// The message of the user.
    pub question: String,
    /// The message of the model.
    pub answer: String,
}

/// An answer that has shown "one" and waits at the gate.
pub struct RunningAnswer {
    /// What is still to come of it.
    pub stream: EventStream,
    /// The stream's first chunk.
    pub first: Value,
    /// Lets it say "two" and end.
    pub gate: Gate,
}

impl Tree {
    /// An empty conversation of a new user.
    pub async fn new(server: &TestServer) -> Self {
        Self::of(&server.user(), &json!({})).await
    }

    /// An empty conversation of this user, made from this body.
    pub async fn of(user: &Client, body: &Value) -> Self {
        Self {
            id: user.new_conversation(body).await,
            user: user.clone(),
        }
    }

    /// An empty conversation of this user, with this title.
    pub async fn titled(user: &Client, title: &str) -> Self {
        Self::of(user, &json!({"title": title})).await
    }

    /// The path of one of its routes.
    pub fn path(&self, rest: &str) -> String {
        format!("/v1/conversations/{}{rest}", self.id)
    }

    /// `GET` of one of its routes.
    pub async fn get(&self, rest: &str) -> Answer {
        self.user.get(&self.path(rest)).await
    }

    /// `POST` to one of its routes.
    pub async fn post(&self, rest: &str, body: &Value) -> Answer {
        self.user.post(&self.path(rest), body).await
    }

    /// `PATCH` of one of its routes.
    pub async fn patch(&self, rest: &str, body: &Value) -> Answer {
        self.user.patch(&self.path(rest), body).await
    }

    /// `DELETE` of one of its routes.
    pub async fn delete(&self, rest: &str) -> Answer {
        self.user.delete(&self.path(rest)).await
    }

    /// A request for an answer to this message, at the end of the active branch.
    pub fn ask(&self, message: &str) -> Value {
        json!({"model": MODEL, "message": message, "conversation_id": self.id})
    }

    /// Asks and reads the answer to its end.
    pub async fn chat(&self, message: &str) -> Exchange {
        Exchange::of(&self.chat_with(&self.ask(message)).await)
    }

    /// Sends a request for an answer and reads the stream to its end.
    pub async fn chat_with(&self, body: &Value) -> Transcript {
        self.user.chat_stream(body).await.finish().await
    }

    /// Asks for an answer that stops halfway.
    pub async fn begin_answer(&self, server: &TestServer, message: &str) -> RunningAnswer {
        let gate = Gate::new();
        let reply = Reply::stream().text("one").wait(&gate).text("two").end();
        server.upstream.script(MODEL, [reply, Reply::answer(["next"])]);
        let mut stream = self.user.chat_stream(&self.ask(message)).await;
        let first = stream.next().await.expect("a first chunk").json();
        stream.until_text("one").await;
        RunningAnswer { stream, first, gate }
    }

    /// Adds messages at the end of the active branch, the speaker first, and tells their ids.
    pub async fn add<const N: usize>(&self, messages: [(&str, &str); N]) -> [String; N] {
        let mut ids = [const { String::new() }; N];
        for (id, (role, content)) in ids.iter_mut().zip(messages) {
            let body = json!({"role": role, "content": content});
            *id = text(&self.post("/messages", &body).await.data(201)["id"]);
        }
        ids
    }

    /// Adds a message at the end of this branch.
    pub async fn add_on(&self, branch: &str, role: &str, content: &str) -> String {
        let body = json!({"role": role, "content": content, "branch_id": branch});
        text(&self.post("/messages", &body).await.data(201)["id"])
    }

    /// Adds a message after this one, on a new and active branch if that is not where a branch ends.
    pub async fn add_after(&self, parent: &str, role: &str, content: &str) -> String {
        let body = json!({"role": role, "content": content, "parent_id": parent});
        text(&self.post("/messages", &body).await.data(201)["id"])
    }

    /// Forks an active branch at this message.
    pub async fn fork(&self, at: &str) -> String {
        let made = self.post("/branches", &json!({"from_message_id": at})).await;
        text(&made.data(201)["id"])
    }

    /// The conversation itself, with its branches.
    pub async fn read(&self) -> Value {
        self.get("").await.data(200)
    }

    /// The conversation with everything in it.
    pub async fn full(&self) -> Value {
        self.user.full(&self.id).await
    }

    /// The active branch.
    pub async fn active(&self) -> String {
        text(&self.read().await["active_branch_id"])
    }

    /// A branch.
    pub async fn branch(&self, id: &str) -> Value {
        self.get(&format!("/branches/{id}")).await.data(200)
    }

    /// A message.
    pub async fn message(&self, id: &str) -> Value {
        self.get(&format!("/messages/{id}")).await.data(200)
    }

    /// The messages on the path of a branch.
    pub async fn on(&self, branch: &str) -> Vec<Value> {
        let page = self.get(&format!("/branches/{branch}/messages?limit=100")).await;
        items(&page.data(200)).to_vec()
    }

    /// What the messages on the path of a branch say.
    pub async fn texts(&self, branch: &str) -> Vec<String> {
        texts(&self.on(branch).await)
    }
}

impl Exchange {
    /// What a stream was about.
    pub fn of(transcript: &Transcript) -> Self {
        Self {
            question: text(&transcript.first()["user_message_id"]),
            answer: transcript.message(),
        }
    }
}

/// The items of a page.
#[track_caller]
pub fn items(page: &Value) -> &[Value] {
    page["items"]
        .as_array()
        .unwrap_or_else(|| panic!("no page: {page}"))
}

/// What these messages say.
pub fn texts(messages: &[Value]) -> Vec<String> {
    messages.iter().map(|message| text(&message["content"])).collect()
}
