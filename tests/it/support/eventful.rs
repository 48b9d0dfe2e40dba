//! A conversation in which everything has happened that can, for tests of what has to survive all of it.

use serde_json::json;

use super::{Client, MODEL, Tree};

impl Tree {
    /// It was chatted in, forked, merged, edited beside and in place, and put away, and has a message of each role that
    /// can be written. Its branches: "Main", "Branch 2" (merged), "Ähnlich" (of the edit beside), "Branch 4" (active).
    pub async fn eventful(user: &Client) -> Self {
        let body = json!({
            "title": "Déjà vu",
            "model": MODEL,
            "system_message": "Be kind.",
            "metadata": {"colour": "red", "n": 1.5},
        });
        let tree = Self::of(user, &body).await;
        let answer = tree.chat("Hi").await.answer;
        let [question, ..] = tree
            .add([
                ("user", "=1+1, \"twice\"\nplease"),
                ("assistant", "# 2"),
                ("system", "Be brief."),
            ])
            .await;
        tree.add_after(&question, "assistant", "two").await;
        let merge = format!("/branches/{}/merge", tree.active().await);
        tree.post(&merge, &json!({})).await.data(200);
        let edit = format!("/messages/{question}");
        let beside = json!({"content": "Who?", "create_branch": true, "branch_name": "Ähnlich"});
        tree.patch(&edit, &beside).await.data(200);
        let in_place = json!({"content": "=1+1, \"once\"\nplease"});
        tree.patch(&edit, &in_place).await.data(200);
        tree.add_after(&answer, "user", "another way").await;
        tree.patch("", &json!({"status": "archived"})).await.data(200);
        tree
    }
}
