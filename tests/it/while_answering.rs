//! What may be done to a conversation while an answer is being written into it.

use serde_json::{Value, json};

use crate::support::client::text;
use crate::support::tree::RunningAnswer;
use crate::support::{MODEL, Reply, Store, TestServer, Tree, eventually, on_each_store};

on_each_store!(
    what_would_take_the_answer_away_is_refused,
    a_branch_that_shares_the_answer_can_go,
    what_is_read_meanwhile_says_so,
    other_places_can_be_written_to,
    two_branches_are_answered_side_by_side,
    a_deleted_conversation_ends_its_streams_in_order,
    a_conversation_deleted_before_the_first_chunk_ends_the_request,
);

fn id_in(running: &RunningAnswer, name: &str) -> String {
    text(&running.first[name])
}

async fn what_would_take_the_answer_away_is_refused(store: Store) {
    let server = TestServer::on(store).await;
    let tree = Tree::new(&server).await;
    let main = tree.active().await;
    let turn = tree.chat("one").await;
    let branch = tree.fork(&turn.question).await;
    let running = tree.begin_answer(&server, "two").await;
    let (question, answer) = (id_in(&running, "user_message_id"), id_in(&running, "message_id"));
    tree.post(&format!("/branches/{main}/activate"), &json!({}))
        .await
        .data(200);

    let edit = json!({"content": "other"});
    let into_it = json!({"target_branch_id": branch});
    let below = json!({"role": "user", "content": "three", "parent_id": answer});
    for refused in [
        tree.delete(&format!("/messages/{answer}")).await,
        tree.delete(&format!("/messages/{question}")).await,
        tree.delete(&format!("/messages/{}", turn.question)).await,
        tree.delete(&format!("/branches/{branch}")).await,
        tree.post(&format!("/branches/{branch}/merge"), &json!({})).await,
        tree.post(&format!("/branches/{branch}/merge"), &json!({"dry_run": true}))
            .await,
        tree.post(&format!("/branches/{main}/merge"), &into_it).await,
        tree.patch(&format!("/messages/{question}"), &edit).await,
        tree.post("/messages", &below).await,
    ] {
        let error = refused.error(409, "GENERATION_IN_PROGRESS");
        assert_eq!(error["details"]["stream_id"], running.stream.stream_id());
        assert_eq!(refused.header("x-should-retry"), "false");
    }
    running.gate.open();
    assert_eq!(running.stream.finish().await.text(), "two");
    assert_eq!(
        tree.texts(&branch).await,
        ["one", "two", "onetwo"],
        "nothing was changed"
    );
    tree.delete(&format!("/branches/{branch}")).await.data(200);
}

async fn a_branch_that_shares_the_answer_can_go(store: Store) {
    let server = TestServer::on(store).await;
    let tree = Tree::new(&server).await;
    let main = tree.active().await;
    let running = tree.begin_answer(&server, "one").await;
    let sharing = tree.fork(&id_in(&running, "message_id")).await;
    tree.post(&format!("/branches/{main}/activate"), &json!({}))
        .await
        .data(200);
    let deleted = tree.delete(&format!("/branches/{sharing}")).await.data(200);
    assert_eq!(deleted["deleted_message_count"], 0);
    running.gate.open();
    running.stream.finish().await;
    assert_eq!(tree.texts(&main).await, ["one", "onetwo"]);
}

async fn what_is_read_meanwhile_says_so(store: Store) {
    let server = TestServer::on(store).await;
    let tree = Tree::new(&server).await;
    let main = tree.active().await;
    let running = tree.begin_answer(&server, "one").await;
    let path = tree.on(&main).await;
    assert_eq!(
        (&path[1]["status"], &path[1]["role"]),
        (&json!("streaming"), &json!("assistant"))
    );
    assert_eq!(
        (&path[1]["usage"], &path[1]["model"]),
        (&Value::Null, &json!(MODEL))
    );
    let branch = tree.branch(&main).await;
    assert_eq!(
        (&branch["message_count"], &branch["head_message_id"]),
        (&json!(2), &path[1]["id"])
    );
    tree.get(&format!("/branches/{main}/stats")).await.data(200);
    running.gate.open();
    running.stream.finish().await;
    assert_eq!(tree.on(&main).await[1]["status"], "completed");
}

async fn other_places_can_be_written_to(store: Store) {
    let server = TestServer::on(store).await;
    let tree = Tree::new(&server).await;
    let main = tree.active().await;
    let turn = tree.chat("one").await;
    let running = tree.begin_answer(&server, "two").await;
    let question = id_in(&running, "user_message_id");
    let forking = json!({"role": "user", "content": "other two", "parent_id": turn.answer});
    let added = tree.post("/messages", &forking).await.data(201);
    assert_ne!(added["branch_id"], main);
    let beside = json!({"content": "dos", "create_branch": true});
    let edited = tree
        .patch(&format!("/messages/{question}"), &beside)
        .await
        .data(200);
    assert_eq!(edited["parent_id"], turn.answer);
    let uno = json!({"content": "uno"});
    tree.patch(&format!("/messages/{}", turn.question), &uno)
        .await
        .data(200);
    running.gate.open();
    running.stream.finish().await;
    assert_eq!(tree.texts(&main).await, ["uno", "Hello there!", "two", "onetwo"]);
    assert_eq!(
        tree.texts(&tree.active().await).await,
        ["uno", "Hello there!", "dos"]
    );
}

async fn two_branches_are_answered_side_by_side(store: Store) {
    let server = TestServer::on(store).await;
    let tree = Tree::new(&server).await;
    let main = tree.active().await;
    let turn = tree.chat("one").await;
    let on_main = tree.begin_answer(&server, "two").await;
    let branch = tree.fork(&turn.question).await;
    let on_branch = tree.begin_answer(&server, "other").await;
    on_branch.gate.open();
    on_branch.stream.finish().await;
    on_main.gate.open();
    on_main.stream.finish().await;
    assert_eq!(tree.texts(&main).await, ["one", "Hello there!", "two", "onetwo"]);
    assert_eq!(tree.texts(&branch).await, ["one", "other", "onetwo"]);
    assert_eq!(tree.read().await["total_tokens"], 24, "all three are counted");
}

async fn a_deleted_conversation_ends_its_streams_in_order(store: Store) {
    let server = TestServer::on(store).await;
    let tree = Tree::new(&server).await;
    let running = tree.begin_answer(&server, "one").await;
    let viewer = tree.user.stream(&tree.path("/stream")).await;
    tree.delete("").await.data(200);
    for stream in [running.stream, viewer] {
        let last = stream.finish().await.last();
        assert_eq!(last["choices"], json!([]), "cancelled, not broken: {last}");
    }
    tree.get("").await.error(404, "CONVERSATION_NOT_FOUND");
    let mut ledger = server.ledger().await;
    let entries = eventually("an entry", async || {
        let entries = ledger.entries().await;
        (!entries.is_empty()).then_some(entries)
    })
    .await;
    assert_eq!(entries.len(), 1, "{entries:?}");
    assert_eq!(entries[0].status, "cancelled");
    assert!(
        entries[0].completion_tokens > 0,
        "what was written is charged: {entries:?}"
    );
}

async fn a_conversation_deleted_before_the_first_chunk_ends_the_request(store: Store) {
    let server = TestServer::on(store).await;
    let tree = Tree::new(&server).await;
    server.upstream.script(MODEL, [Reply::silent()]);
    for stream in [true, false] {
        let id = tree.user.new_conversation(&json!({})).await;
        let body = json!({"model": MODEL, "message": "Hi", "conversation_id": id, "stream": stream});
        let asked = server.upstream.chats().len() + 1;
        let (answer, ()) = tokio::join!(tree.user.chat(&body), async {
            server.upstream.wait_for_chats(asked).await;
            tree.user
                .delete(&format!("/v1/conversations/{id}"))
                .await
                .data(200);
        });
        assert!(answer.status < 500, "{answer:?}");
        tree.user
            .get(&format!("/v1/conversations/{id}"))
            .await
            .error(404, "CONVERSATION_NOT_FOUND");
    }
    let mut ledger = server.ledger().await;
    eventually("both entries", async || {
        (ledger.entries().await.len() == 2).then_some(())
    })
    .await;
}
