//! Whether what was promised to users was kept.

use std::collections::HashSet;

use serde_json::Value;

use super::record::{End, Record, Turn, UserRecord};
use crate::support::client::text;
use crate::support::{Client, eventually};

/// How much is stored of an interrupted answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// All that anybody has seen.
    AllThatWasSeen,
    /// What was seen until the last checkpoint, which may be a second old.
    Checkpoint,
}

impl Record {
    /// Reads everything back at this instance and asserts that no acknowledged message is lost and none is doubled, that
    /// every answer which was read to its end is stored as it was read, and so much of each interrupted one.
    pub async fn assert_kept(&self, base: &str, of_interrupted: Kept) {
        for user in &self.users {
            user.assert_kept(base, of_interrupted).await;
        }
    }
}

impl UserRecord {
    async fn assert_kept(&self, base: &str, of_interrupted: Kept) {
        let messages = self.settled_messages(&self.client.at(base)).await;
        self.assert_nothing_is_doubled(&messages);
        for turn in &self.turns {
            turn.assert_kept(&messages, of_interrupted);
        }
    }

    /// All messages, once no answer to an acknowledged one is being written any more.
    async fn settled_messages(&self, user: &Client) -> Vec<Value> {
        let acknowledged: HashSet<_> = self.turns.iter().map(|turn| turn.message.as_str()).collect();
        let runs = |message: &Value| {
            let question = message["parent_id"].as_str();
            message["status"] == "streaming" && question.is_some_and(|id| acknowledged.contains(id))
        };
        eventually("every answer to be stored", async || {
            let messages = all_messages(user).await;
            (!messages.iter().any(runs)).then_some(messages)
        })
        .await
    }

    /// Every question that is stored was sent, and is stored once. One that was not acknowledged may be stored.
    fn assert_nothing_is_doubled(&self, messages: &[Value]) {
        let mut stored = HashSet::new();
        for question in messages.iter().filter(|message| message["role"] == "user") {
            let content = text(&question["content"]);
            assert!(self.sent.contains(&content), "nobody sent {question}");
            assert!(stored.insert(content), "it is stored twice: {question}");
        }
    }
}

impl Turn {
    fn assert_kept(&self, messages: &[Value], of_interrupted: Kept) {
        let question = messages.iter().find(|message| message["id"] == self.message);
        let question = question.unwrap_or_else(|| panic!("an acknowledged message is lost: {self:?}"));
        assert_eq!(question["content"], self.text, "{self:?}");
        assert_eq!(question["conversation_id"], self.conversation, "{self:?}");
        let answers: Vec<_> = messages
            .iter()
            .filter(|message| message["parent_id"] == self.message && message["role"] == "assistant")
            .collect();
        let [answer] = answers.as_slice() else {
            panic!("one answer to {self:?}: {answers:?}")
        };
        self.assert_answer_kept(answer, of_interrupted);
    }

    fn assert_answer_kept(&self, answer: &Value, of_interrupted: Kept) {
        let stored = text(&answer["content"]);
        match self.end {
            Some(End::Completed) => {
                assert_eq!(answer["status"], "completed", "{self:?}: {answer}");
                assert_eq!(stored, self.answer, "{self:?}");
            }
            Some(End::Interrupted) => {
                let status = text(&answer["status"]);
                assert!(
                    ["interrupted", "completed"].contains(&status.as_str()),
                    "{self:?}: {answer}"
                );
                let kept = match of_interrupted {
                    Kept::AllThatWasSeen => stored.starts_with(&self.answer),
                    Kept::Checkpoint => stored.starts_with(&self.answer) || self.answer.starts_with(&stored),
                };
                assert!(kept, "{self:?}: stored is {stored:?}");
            }
            None => panic!("an answer never ended: {self:?}"),
        }
    }
}

async fn all_messages(user: &Client) -> Vec<Value> {
    let mut messages = Vec::new();
    for page in 1.. {
        let path = format!("/v1/conversations?limit=100&page={page}");
        let list = user.get(&path).await.data(200);
        for conversation in list["items"].as_array().expect("a page") {
            messages.extend(user.messages(&text(&conversation["id"])).await);
        }
        if list["pagination"]["has_next"] != true {
            break;
        }
    }
    messages
}
