//! Tools that models want called, in trees: stored, answered on any branch, left out where nobody answered.

use serde_json::{Value, json};

use crate::support::client::text;
use crate::support::{MODEL, Reply, Store, TestServer, Tree, chunk, on_each_store};

on_each_store!(
    a_call_is_answered_by_its_results,
    results_can_be_answered_anew,
    a_call_is_answered_differently_on_another_branch,
    a_call_that_nobody_answered_is_left_out,
    a_forked_call_is_left_out_until_it_is_answered,
    a_merged_call_is_sent_with_its_results,
    a_call_that_a_merge_parted_from_its_results_is_left_out,
    results_must_answer_the_calls,
);

/// A conversation whose first answer calls a tool, and the id of that answer. The next answer is "Sunny".
async fn calling(server: &TestServer) -> (Tree, String) {
    let tree = Tree::new(server).await;
    let reply = Reply::stream()
        .event(chunk::tool_call(Some("call_1"), "{\"city\":"))
        .event(chunk::tool_call(None, "\"Ulm\"}"))
        .event(chunk::finish("tool_calls"))
        .event(chunk::usage(5, 3))
        .done();
    server.upstream.script(MODEL, [reply, Reply::answer(["Sunny"])]);
    let call = tree.chat("Weather?").await.answer;
    (tree, call)
}

fn results(tree: &Tree, content: &str) -> Value {
    json!({
        "model": MODEL,
        "conversation_id": tree.id,
        "tool_results": [{"tool_call_id": "call_1", "content": content}],
    })
}

/// The messages that the model was sent last: who spoke, and the text or what stands for it.
fn sent(server: &TestServer) -> Vec<(String, String)> {
    let messages = server.upstream.last_chat().json()["messages"].take();
    let told = |message: &Value| match message.get("tool_calls") {
        Some(calls) => format!("calls {}", text(&calls[0]["id"])),
        None => text(&message["content"]),
    };
    let messages = messages.as_array().expect("messages");
    messages
        .iter()
        .map(|message| (text(&message["role"]), told(message)))
        .collect()
}

fn pairs<const N: usize>(expected: [(&str, &str); N]) -> Vec<(String, String)> {
    expected
        .map(|(role, text)| (role.to_owned(), text.to_owned()))
        .into()
}

async fn a_call_is_answered_by_its_results(store: Store) {
    let server = TestServer::on(store).await;
    let (tree, call) = calling(&server).await;
    assert_eq!(tree.chat_with(&results(&tree, "sun")).await.text(), "Sunny");
    let expected = pairs([
        ("user", "Weather?"),
        ("assistant", "calls call_1"),
        ("tool", "sun"),
    ]);
    assert_eq!(sent(&server), expected);
    let path = tree.on(&tree.active().await).await;
    assert_eq!(path[1]["id"], call);
    assert_eq!(
        path[1]["tool_calls"][0]["function"],
        json!({"name": "weather", "arguments": "{\"city\":\"Ulm\"}"})
    );
    assert_eq!(
        (&path[2]["role"], &path[2]["tool_call_id"]),
        (&json!("tool"), &json!("call_1"))
    );
    assert_eq!(
        (&path[2]["parent_id"], &path[3]["parent_id"]),
        (&json!(call), &path[2]["id"])
    );
}

async fn results_can_be_answered_anew(store: Store) {
    let server = TestServer::on(store).await;
    let (tree, _) = calling(&server).await;
    let answer = tree.chat_with(&results(&tree, "sun")).await.message();
    let body = json!({"model": "other", "stream": false});
    let again = tree.post(&format!("/messages/{answer}/regenerate"), &body).await;
    assert_eq!(again.status, 200, "{again:?}");
    let expected = pairs([
        ("user", "Weather?"),
        ("assistant", "calls call_1"),
        ("tool", "sun"),
    ]);
    assert_eq!(sent(&server), expected);
}

async fn a_call_is_answered_differently_on_another_branch(store: Store) {
    let server = TestServer::on(store).await;
    let (tree, call) = calling(&server).await;
    let main = tree.active().await;
    tree.chat_with(&results(&tree, "sun")).await;
    let mut body = results(&tree, "rain");
    body["parent_message_id"] = json!(call);
    let fork = tree.chat_with(&body).await;
    assert_ne!(fork.first()["branch_id"], main);
    let expected = pairs([
        ("user", "Weather?"),
        ("assistant", "calls call_1"),
        ("tool", "rain"),
    ]);
    assert_eq!(sent(&server), expected);
    assert_eq!(tree.on(&main).await[2]["content"], "sun");
}

async fn a_call_that_nobody_answered_is_left_out(store: Store) {
    let server = TestServer::on(store).await;
    let (tree, _) = calling(&server).await;
    tree.chat("Never mind.").await;
    let expected = pairs([("user", "Weather?\n\nNever mind.")]);
    assert_eq!(sent(&server), expected);
}

async fn a_forked_call_is_left_out_until_it_is_answered(store: Store) {
    let server = TestServer::on(store).await;
    let (tree, call) = calling(&server).await;
    tree.chat_with(&results(&tree, "sun")).await;
    let fork = tree.fork(&call).await;
    tree.chat("Never mind.").await;
    assert_eq!(sent(&server), pairs([("user", "Weather?\n\nNever mind.")]));
    assert_eq!(tree.on(&fork).await[1]["id"], call, "it is still stored");
    let other = tree.fork(&call).await;
    tree.chat_with(&results(&tree, "rain")).await;
    let expected = pairs([
        ("user", "Weather?"),
        ("assistant", "calls call_1"),
        ("tool", "rain"),
    ]);
    assert_eq!(sent(&server), expected);
    assert_eq!(tree.on(&other).await.len(), 4);
}

async fn a_merged_call_is_sent_with_its_results(store: Store) {
    let server = TestServer::on(store).await;
    let tree = Tree::new(&server).await;
    let main = tree.active().await;
    let turn = tree.chat("Hi").await;
    tree.chat("How are you?").await;
    let branch = tree.fork(&turn.answer).await;
    let reply = Reply::stream()
        .event(chunk::tool_call(Some("call_1"), "{}"))
        .end();
    server.upstream.script(MODEL, [reply, Reply::answer(["Sunny"])]);
    tree.chat("Weather?").await;
    tree.chat_with(&results(&tree, "sun")).await;
    tree.post(&format!("/branches/{branch}/merge"), &json!({}))
        .await
        .data(200);
    tree.post(&format!("/branches/{main}/activate"), &json!({}))
        .await
        .data(200);
    tree.chat("Thanks").await;
    let expected = pairs([
        ("user", "Hi"),
        ("assistant", "Hello there!"),
        ("user", "How are you?"),
        ("assistant", "Hello there!"),
        ("user", "Weather?"),
        ("assistant", "calls call_1"),
        ("tool", "sun"),
        ("assistant", "Sunny"),
        ("user", "Thanks"),
    ]);
    assert_eq!(sent(&server), expected);
}

async fn a_call_that_a_merge_parted_from_its_results_is_left_out(store: Store) {
    let server = TestServer::on(store).await;
    let tree = Tree::new(&server).await;
    let main = tree.active().await;
    let turn = tree.chat("Hi").await;
    tree.add([("user", "Well")]).await;
    let branch = tree.fork(&turn.answer).await;
    let reply = Reply::stream()
        .event(chunk::tool_call(Some("call_1"), "{}"))
        .end();
    server.upstream.script(MODEL, [reply, Reply::answer(["Sunny"])]);
    tree.chat("Weather?").await;
    let merge = format!("/branches/{branch}/merge");
    tree.post(&merge, &json!({})).await.data(200);
    tree.add_on(&main, "user", "in between").await;
    let mut results = results(&tree, "sun");
    results["branch_id"] = json!(branch);
    tree.chat_with(&results).await;
    tree.post(&merge, &json!({})).await.data(200);
    tree.chat("Thanks").await;
    let expected = pairs([
        ("user", "Hi"),
        ("assistant", "Hello there!"),
        ("user", "Well\n\nWeather?\n\nin between"),
        ("assistant", "Sunny"),
        ("user", "Thanks"),
    ]);
    assert_eq!(
        sent(&server),
        expected,
        "models refuse calls that no result follows at once"
    );
}

async fn results_must_answer_the_calls(store: Store) {
    let server = TestServer::on(store).await;
    let (tree, call) = calling(&server).await;
    let question = text(&tree.on(&tree.active().await).await[0]["id"]);
    let result = |id: &str| json!({"tool_call_id": id, "content": "sun"});
    for (list, parent) in [
        (json!([]), &call),
        (json!([result("call_2")]), &call),
        (json!([result("call_1"), result("call_2")]), &call),
        (json!([result("call_1"), result("call_1")]), &call),
        (json!([result("call_1")]), &question),
    ] {
        let mut body = results(&tree, "sun");
        body["tool_results"] = list.clone();
        body["parent_message_id"] = json!(parent);
        let answer = tree.user.chat(&body).await;
        assert_eq!(answer.status, 422, "{list}: {answer:?}");
        let named = answer.invalid_fields();
        assert!(named[0].starts_with("tool_results"), "{list}: {named:?}");
    }
    let mut both = results(&tree, "sun");
    both["message"] = json!("and words");
    assert_eq!(tree.user.chat(&both).await.invalid_fields(), ["tool_results"]);
    let conversation = tree.read().await;
    assert_eq!(
        (&conversation["message_count"], &conversation["branch_count"]),
        (&json!(2), &json!(1))
    );
    assert_eq!(server.upstream.chats().len(), 1);
}
