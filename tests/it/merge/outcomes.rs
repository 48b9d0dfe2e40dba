//! What becomes of both branches, and of their messages.

use reqwest::Method;
use serde_json::{Value, json};

use super::{forked, merge};
use crate::support::client::text;
use crate::support::{Answer, MODEL, Reply, Store, TestServer, Tree, on_each_store};

on_each_store!(
    a_target_that_ends_at_the_fork_moves_its_head,
    a_body_is_not_needed,
    what_the_target_does_not_have_is_copied,
    copies_say_where_they_come_from_and_cost_nothing,
    merging_again_brings_over_what_is_new,
    a_dry_run_tells_and_changes_nothing,
    a_source_can_be_deleted,
    edited_first_messages_share_nothing,
    merged_branches_go_on,
    role_seams_are_joined_in_what_the_model_is_sent,
);

async fn a_target_that_ends_at_the_fork_moves_its_head(store: Store) {
    let server = TestServer::on(store).await;
    let tree = Tree::new(&server).await;
    let main = tree.active().await;
    let [one] = tree.add([("user", "one")]).await;
    let branch = tree.fork(&one).await;
    let [_, y] = tree.add([("assistant", "x"), ("user", "y")]).await;
    let merged = merge(&tree, &branch, &json!({"strategy": "fast_forward"})).await;
    let expected = json!({
        "target_branch_id": main,
        "merged_message_count": 2,
        "fast_forward": true,
        "already_merged": false,
        "head_message_id": y,
        "dry_run": false,
    });
    assert_eq!(merged, expected);
    assert_eq!(tree.on(&main).await, tree.on(&branch).await, "nothing is copied");
    assert_eq!(tree.read().await["message_count"], 3);
    assert_eq!(tree.branch(&branch).await["status"], "merged");
}

async fn a_body_is_not_needed(store: Store) {
    let server = TestServer::on(store).await;
    let (tree, main, branch) = forked(&server).await;
    let path = tree.path(&format!("/branches/{branch}/merge"));
    for json in [false, true] {
        let mut request = tree.user.request(Method::POST, &path);
        if json {
            request = request.header("content-type", "application/json");
        }
        let merged = Answer::to(request).await.data(200);
        assert_eq!(merged["target_branch_id"], main);
    }
    assert_eq!(tree.texts(&main).await, ["one", "first", "x", "y"]);
    let request = tree.user.request(Method::POST, &path).body("{}");
    Answer::to(request).await.error(415, "UNSUPPORTED_MEDIA_TYPE");
}

async fn what_the_target_does_not_have_is_copied(store: Store) {
    let server = TestServer::on(store).await;
    let (tree, main, branch) = forked(&server).await;
    let source = tree.on(&branch).await;
    let merged = merge(&tree, &branch, &json!({})).await;
    assert_eq!(tree.texts(&main).await, ["one", "first", "x", "y"]);
    let head = &tree.on(&main).await[3]["id"];
    let expected = json!({
        "target_branch_id": main,
        "merged_message_count": 2,
        "fast_forward": false,
        "already_merged": false,
        "head_message_id": head,
        "dry_run": false,
    });
    assert_eq!(merged, expected);
    assert_eq!(tree.on(&branch).await, source, "the source is as it was");
    let conversation = tree.read().await;
    assert_eq!(
        (&conversation["message_count"], &conversation["branch_count"]),
        (&json!(6), &json!(2))
    );
    assert_eq!(conversation["active_branch_id"], main, "the target takes over");
}

async fn copies_say_where_they_come_from_and_cost_nothing(store: Store) {
    let server = TestServer::on(store).await;
    let tree = Tree::new(&server).await;
    let main = tree.active().await;
    let turn = tree.chat("one").await;
    let branch = tree.fork(&turn.question).await;
    let again = json!({"model": MODEL, "stream": false});
    let path = format!("/messages/{}/regenerate", turn.question);
    let answered = tree.post(&path, &again).await.json();
    let (original, branch_of_answer) = (text(&answered["message_id"]), text(&answered["branch_id"]));
    assert_ne!(branch_of_answer, branch);
    let metadata = json!({"role": "user", "content": "noted", "metadata": {"colour": "red"}});
    tree.post("/messages", &metadata).await.data(201);
    let before = tree.read().await;
    merge(&tree, &branch_of_answer, &json!({})).await;

    let on_main = tree.on(&main).await;
    let (copy, noted) = (&on_main[2], &on_main[3]);
    let from = |id: &Value| json!({"branch_id": branch_of_answer, "message_id": id});
    assert_eq!(copy["metadata"], json!({"merged_from": from(&json!(original))}));
    assert_eq!(
        (&copy["content"], &copy["model"]),
        (&json!("Hello there!"), &json!(MODEL))
    );
    assert_eq!(
        (&copy["usage"], &copy["status"]),
        (&Value::Null, &json!("completed"))
    );
    let source = tree.on(&branch_of_answer).await;
    assert_eq!(
        noted["metadata"],
        json!({"colour": "red", "merged_from": from(&source[2]["id"])})
    );
    let after = tree.read().await;
    for counted_once in ["total_tokens", "total_cost"] {
        assert_eq!(after[counted_once], before[counted_once], "{counted_once}");
    }
}

async fn merging_again_brings_over_what_is_new(store: Store) {
    let server = TestServer::on(store).await;
    let (tree, main, branch) = forked(&server).await;
    let once = merge(&tree, &branch, &json!({})).await;
    let conversation = tree.get("/full").await.data(200)["messages"].take();
    let twice = merge(&tree, &branch, &json!({})).await;
    assert_eq!(
        (&twice["already_merged"], &twice["merged_message_count"]),
        (&json!(true), &json!(0))
    );
    assert_eq!(twice["head_message_id"], once["head_message_id"]);
    assert_eq!(tree.get("/full").await.data(200)["messages"], conversation);

    tree.add_on(&branch, "assistant", "z").await;
    assert_eq!(
        tree.branch(&branch).await["status"],
        "active",
        "writing makes it active again"
    );
    let more = merge(&tree, &branch, &json!({})).await;
    assert_eq!(
        (&more["already_merged"], &more["merged_message_count"]),
        (&json!(false), &json!(1))
    );
    assert_eq!(tree.texts(&main).await, ["one", "first", "x", "y", "z"]);
    assert_eq!(tree.branch(&branch).await["status"], "merged");
}

async fn a_dry_run_tells_and_changes_nothing(store: Store) {
    let server = TestServer::on(store).await;
    let (tree, main, branch) = forked(&server).await;
    let before = tree.get("/full").await.data(200);
    let dry = json!({"dry_run": true, "delete_source_branch": true});
    let told = merge(&tree, &branch, &dry).await;
    assert_eq!(
        (&told["dry_run"], &told["merged_message_count"]),
        (&json!(true), &json!(2))
    );
    assert_eq!(
        told["head_message_id"],
        tree.branch(&main).await["head_message_id"],
        "it ends where it did"
    );
    assert_eq!(tree.get("/full").await.data(200), before);
    let refused = json!({"dry_run": true, "strategy": "fast_forward"});
    tree.post(&format!("/branches/{branch}/merge"), &refused)
        .await
        .error(409, "CONFLICT");
}

async fn a_source_can_be_deleted(store: Store) {
    let server = TestServer::on(store).await;
    let (tree, main, branch) = forked(&server).await;
    merge(&tree, &branch, &json!({"delete_source_branch": true})).await;
    assert_eq!(
        tree.active().await,
        main,
        "the target takes over from the active branch"
    );
    tree.get(&format!("/branches/{branch}"))
        .await
        .error(404, "BRANCH_NOT_FOUND");
    let conversation = tree.read().await;
    assert_eq!(
        (&conversation["message_count"], &conversation["branch_count"]),
        (&json!(4), &json!(1))
    );

    let [one, ..] = [text(&tree.on(&main).await[0]["id"])];
    let other = tree.fork(&one).await;
    let main_as_source = json!({"target_branch_id": other, "delete_source_branch": true});
    let refused = tree
        .post(&format!("/branches/{main}/merge"), &main_as_source)
        .await;
    refused.error(409, "BRANCH_IS_MAIN");
}

async fn edited_first_messages_share_nothing(store: Store) {
    let server = TestServer::on(store).await;
    let tree = Tree::new(&server).await;
    let main = tree.active().await;
    let [one, _] = tree.add([("user", "one"), ("assistant", "first")]).await;
    let body = json!({"content": "uno", "create_branch": true});
    let edited = tree.patch(&format!("/messages/{one}"), &body).await.data(200);
    let merged = merge(&tree, &text(&edited["branch_id"]), &json!({})).await;
    assert_eq!(
        (&merged["fast_forward"], &merged["merged_message_count"]),
        (&json!(false), &json!(1))
    );
    assert_eq!(tree.texts(&main).await, ["one", "first", "uno"]);
}

async fn merged_branches_go_on(store: Store) {
    let server = TestServer::on(store).await;
    let (tree, main, branch) = forked(&server).await;
    merge(&tree, &branch, &json!({})).await;
    tree.chat("on the target").await;
    let mut on_source = tree.ask("on the source");
    on_source["branch_id"] = json!(branch);
    tree.chat_with(&on_source).await;
    assert_eq!(tree.branch(&branch).await["status"], "active");
    merge(&tree, &branch, &json!({})).await;
    let expected = [
        "one",
        "first",
        "x",
        "y",
        "on the target",
        "Hello there!",
        "on the source",
        "Hello there!",
    ];
    assert_eq!(tree.texts(&main).await, expected);
}

async fn role_seams_are_joined_in_what_the_model_is_sent(store: Store) {
    let server = TestServer::on(store).await;
    let (tree, main, branch) = forked(&server).await;
    merge(&tree, &branch, &json!({})).await;
    server.upstream.script(MODEL, [Reply::answer(["fine"])]);
    tree.chat("z").await;
    let sent = server.upstream.last_chat().messages();
    let expected = [("user", "one"), ("assistant", "first\n\nx"), ("user", "y\n\nz")];
    assert_eq!(
        sent,
        expected.map(|(role, text)| (role.to_owned(), text.to_owned()))
    );
    assert_eq!(
        tree.texts(&main).await,
        ["one", "first", "x", "y", "z", "fine"],
        "stored apart"
    );
}
