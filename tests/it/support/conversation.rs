//! A conversation that a test writes message by message, without a model.

use serde_json::{Value, json};

use super::client::text;
use super::{Client, MODEL};

/// A conversation of one user.
pub struct Conversation<'a> {
    user: &'a Client,
    /// Its id.
    pub id: String,
}

impl<'a> Conversation<'a> {
    /// A new one with this title.
    pub async fn titled(user: &'a Client, title: &str) -> Self {
        Self::new(user, &json!({"title": title})).await
    }

    /// A new one.
    pub async fn new(user: &'a Client, body: &Value) -> Self {
        let id = user.new_conversation(body).await;
        Self { user, id }
    }

    /// A new one in which all has happened that can: it was chatted in, forked, edited in place and beside, merged and
    /// put away, and has a message of each writable role.
    pub async fn eventful(user: &'a Client) -> Self {
        let body = json!({
            "title": "Déjà vu",
            "model": MODEL,
            "system_message": "Be kind.",
            "metadata": {"colour": "red", "n": 1.50},
        });
        let conversation = Self::new(user, &body).await;
        let asked = json!({"message": "Hi", "conversation_id": conversation.id});
        let answer = user.chat_stream(&asked).await.finish().await.message();
        let question = conversation.say("user", "=1+1, \"twice\"\nplease").await;
        conversation.say("assistant", "# 2").await;
        conversation.say("system", "Be brief.").await;
        conversation.say_after(&question, "assistant", "two").await;
        let merge = conversation.read().await["active_branch_id"].take();
        let merge = conversation.route(&format!("/branches/{}/merge", text(&merge)));
        user.post(&merge, &json!({})).await.data(200);
        let edit = conversation.route(&format!("/messages/{question}"));
        let beside = json!({"content": "Who?", "create_branch": true, "branch_name": "Ähnlich"});
        user.patch(&edit, &beside).await.data(200);
        let in_place = json!({"content": "=1+1, \"once\"\nplease"});
        user.patch(&edit, &in_place).await.data(200);
        conversation.say_after(&answer, "user", "another way").await;
        let archive = json!({"status": "archived"});
        user.patch(&conversation.route(""), &archive).await.data(200);
        conversation
    }

    /// Its route, or one below it.
    pub fn route(&self, below: &str) -> String {
        format!("/v1/conversations/{}{below}", self.id)
    }

    /// Adds what somebody says to the active branch; tells the message's id.
    pub async fn say(&self, role: &str, content: &str) -> String {
        self.add(&json!({"role": role, "content": content})).await
    }

    /// Adds what somebody says after a message, on a new branch if something else follows it; tells the message's id.
    pub async fn say_after(&self, parent: &str, role: &str, content: &str) -> String {
        self.add(&json!({"role": role, "content": content, "parent_id": parent}))
            .await
    }

    /// Adds a message; tells its id.
    pub async fn add(&self, message: &Value) -> String {
        let answer = self.user.post(&self.route("/messages"), message).await;
        text(&answer.data(201)["id"])
    }

    /// What the service says about it.
    pub async fn read(&self) -> Value {
        self.user.get(&self.route("")).await.data(200)
    }

    /// It and everything in it.
    pub async fn full(&self) -> Value {
        self.user.full(&self.id).await
    }
}
