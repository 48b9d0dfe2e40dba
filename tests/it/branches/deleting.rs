//! Deleting branches.

use serde_json::json;

use crate::support::{Store, TestServer, Tree, on_each_store};

on_each_store!(
    a_deleted_branch_takes_only_its_own_messages,
    neither_main_nor_the_active_branch_is_deleted,
);

const TURN: [(&str, &str); 2] = [("user", "one"), ("assistant", "first")];

async fn a_deleted_branch_takes_only_its_own_messages(store: Store) {
    let server = TestServer::on(store).await;
    let tree = Tree::new(&server).await;
    let [one, _] = tree.add(TURN).await;
    let main = tree.active().await;
    let branch = tree.fork(&one).await;
    let shared = tree.add_on(&branch, "assistant", "shared").await;
    let further = tree.fork(&shared).await;
    tree.add_on(&branch, "user", "its own").await;

    let deleted = tree.delete(&format!("/branches/{branch}")).await.data(200);
    assert_eq!(
        deleted,
        json!({"id": branch, "deleted": true, "deleted_message_count": 1})
    );
    assert_eq!(tree.texts(&main).await, ["one", "first"]);
    assert_eq!(tree.texts(&further).await, ["one", "shared"]);
    let conversation = tree.read().await;
    assert_eq!(
        (&conversation["branch_count"], &conversation["message_count"]),
        (&json!(2), &json!(3))
    );
    for again in [
        tree.delete(&format!("/branches/{branch}")).await,
        tree.get(&format!("/branches/{branch}")).await,
        tree.get(&format!("/branches/{branch}/messages")).await,
        tree.get(&format!("/branches/{branch}/stats")).await,
        tree.get(&format!("/messages?branch_id={branch}")).await,
    ] {
        again.error(404, "BRANCH_NOT_FOUND");
    }
}

async fn neither_main_nor_the_active_branch_is_deleted(store: Store) {
    let server = TestServer::on(store).await;
    let tree = Tree::new(&server).await;
    let [one, _] = tree.add(TURN).await;
    let main = tree.active().await;
    let main_and_active = tree.delete(&format!("/branches/{main}")).await;
    main_and_active.error(409, "BRANCH_IS_MAIN");
    let branch = tree.fork(&one).await;
    for (id, code) in [(&main, "BRANCH_IS_MAIN"), (&branch, "BRANCH_IS_ACTIVE")] {
        let refused = tree.delete(&format!("/branches/{id}")).await;
        let error = refused.error(409, code);
        assert_eq!(error["type"], "conflict_error");
        assert_eq!(refused.header("x-should-retry"), "false");
    }
    assert_eq!(tree.read().await["branch_count"], 2, "nothing was deleted");
}
