//! Merging one branch into another.
//!
//! - [`outcomes`]: what becomes of both, and of their messages
//! - [`refusals`]: what is not merged

mod outcomes;
mod refusals;

use serde_json::Value;

use crate::support::{TestServer, Tree};

async fn merge(tree: &Tree, source: &str, body: &Value) -> Value {
    tree.post(&format!("/branches/{source}/merge"), body)
        .await
        .data(200)
}

/// Main with "one", "first"; a branch at "one" with "x", "y", which is active.
async fn forked(server: &TestServer) -> (Tree, String, String) {
    let tree = Tree::new(server).await;
    let main = tree.active().await;
    let [one, _] = tree.add([("user", "one"), ("assistant", "first")]).await;
    let branch = tree.fork(&one).await;
    tree.add([("assistant", "x"), ("user", "y")]).await;
    (tree, main, branch)
}
