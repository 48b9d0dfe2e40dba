//! Several instances on one PostgreSQL database, and what one does about the answers of another. With the real binary.

mod changes;
mod database;
mod places;
mod shared_logs;
mod unrecorded;

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::client::text;
use crate::support::process::Process;
use crate::support::time::within_limit;
use crate::support::{Client, EventStream, Gate, MODEL, Machine, Reply, Store, Transcript};

/// How soon a dead instance's answers are closed.
const TAKEN_OVER_WITHIN: Duration = Duration::from_secs(30);

/// Two instances, and an answer that the first is producing: it has shown "one" and waits at the gate.
struct Two {
    machine: Machine,
    here: Process,
    there: Process,
    gate: Gate,
    stream: EventStream,
    user: Client,
    conversation: String,
}

impl Two {
    async fn with_an_answer() -> Self {
        Self::on(Machine::on(Store::Postgres).await).await
    }

    /// With Redis, and so rare checkpoints that nothing is read from them.
    async fn with_redis() -> Self {
        Self::on(Machine::with_redis().await).await
    }

    async fn on(machine: Machine) -> Self {
        let gate = Gate::new();
        let reply = Reply::stream().text("one").wait(&gate).text("two").end();
        Self::on_with(machine, &[], gate, reply).await
    }

    /// With these settings, and this answer, which shows "one" and waits at the gate.
    async fn on_with(machine: Machine, settings: &[(&str, &str)], gate: Gate, reply: Reply) -> Self {
        let (here, there) = tokio::join!(
            machine.instance_with("here", settings),
            machine.instance_with("there", settings)
        );
        machine.upstream.script(MODEL, [reply, Reply::answer(["next"])]);
        let user = here.user();
        let mut stream = user.chat_stream(&json!({"model": MODEL, "message": "Hi"})).await;
        let first = stream.next().await.expect("a first chunk").json();
        stream.until_text("one").await;
        Self {
            conversation: text(&first["conversation_id"]),
            machine,
            here,
            there,
            gate,
            stream,
            user,
        }
    }

    /// What the first reader gets from here on.
    async fn rest(&mut self) -> Transcript {
        let path = self.path();
        let elsewhere = self.user.stream(&path).await;
        std::mem::replace(&mut self.stream, elsewhere).finish().await
    }

    fn path(&self) -> String {
        format!("/v1/chat/streams/{}", self.stream.stream_id())
    }

    /// The same user, at the second instance.
    fn user_there(&self) -> Client {
        self.user.at(&self.there.base)
    }

    /// The answer's message, as the second instance sees it.
    async fn answer(&self) -> Value {
        let mut messages = self.user_there().messages(&self.conversation).await;
        messages.pop().expect("an answer")
    }

    async fn until_answer_is(&self, status: &str) -> Value {
        let ended = async {
            loop {
                let answer = self.answer().await;
                if answer["status"] == status {
                    return answer;
                }
                crate::support::time::pass(Duration::from_millis(100)).await;
            }
        };
        within_limit(TAKEN_OVER_WITHIN, status, ended).await
    }
}
