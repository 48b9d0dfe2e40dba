//! Answering a message anew.
//!
//! - [`answers`]: where the new answer goes, and what the model is asked
//! - [`refusals`]: what is not answered, by the service or by the model

mod answers;
mod refusals;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, EventStream, MODEL, Transcript, Tree};

/// Has a message answered anew, streamed.
async fn again(tree: &Tree, message: &str, mut body: Value) -> Transcript {
    body["model"] = json!(MODEL);
    let path = tree.path(&format!("/messages/{message}/regenerate"));
    let request = tree.user.request(Method::POST, &path).json(&body);
    EventStream::open(request).await.finish().await
}

/// What comes of it where it is not streamed.
async fn again_whole(tree: &Tree, message: &str) -> Answer {
    let body = json!({"model": MODEL, "stream": false});
    tree.post(&format!("/messages/{message}/regenerate"), &body).await
}
