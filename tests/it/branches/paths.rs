//! What is on a branch: its messages, and figures about them.

use serde_json::{Value, json};

use crate::support::client::text;
use crate::support::tree::{items, texts};
use crate::support::{MODEL, Reply, Store, TestServer, Tree, on_each_store};

on_each_store!(
    a_path_is_read_from_either_end_in_pages,
    a_path_is_read_of_one_role,
    the_active_branch_is_read_where_none_is_named,
    an_empty_branch_has_no_messages,
    the_parameters_of_a_path_are_checked,
    the_figures_of_a_branch_add_up,
    an_empty_branch_has_figures_too,
);

/// Five messages on Main, and a branch from the second with one of its own. Main is active.
async fn grown(server: &TestServer) -> (Tree, String, String) {
    let tree = Tree::new(server).await;
    let main = tree.active().await;
    let [_, b, ..] = tree
        .add([
            ("system", "a"),
            ("user", "b"),
            ("assistant", "c"),
            ("user", "d"),
            ("assistant", "e"),
        ])
        .await;
    let branch = tree.fork(&b).await;
    tree.add_on(&branch, "assistant", "x").await;
    tree.post(&format!("/branches/{main}/activate"), &json!({}))
        .await
        .data(200);
    (tree, main, branch)
}

async fn page(tree: &Tree, rest: &str) -> (Vec<String>, Value) {
    let page = tree.get(rest).await.data(200);
    (texts(items(&page)), page["pagination"].clone())
}

async fn a_path_is_read_from_either_end_in_pages(store: Store) {
    let server = TestServer::on(store).await;
    let (tree, main, branch) = grown(&server).await;
    let route = format!("/branches/{main}/messages");
    let (texts, pagination) = page(&tree, &format!("{route}?limit=2&page=3")).await;
    assert_eq!(texts, ["e"]);
    let expected =
        json!({"page": 3, "limit": 2, "total": 5, "pages": 3, "has_next": false, "has_prev": true});
    assert_eq!(pagination, expected);

    let (texts, pagination) = page(&tree, &format!("{route}?limit=2&order=desc")).await;
    assert_eq!(texts, ["e", "d"]);
    assert_eq!(
        (&pagination["has_next"], &pagination["has_prev"]),
        (&json!(true), &json!(false))
    );
    assert_eq!(
        page(&tree, &format!("{route}?limit=2&order=desc&page=3")).await.0,
        ["a"]
    );

    for past in [
        "page=4&limit=2",
        "page=4&limit=2&order=desc",
        "page=4294967295&limit=100",
    ] {
        let (texts, pagination) = page(&tree, &format!("{route}?{past}")).await;
        assert_eq!((texts.len(), &pagination["total"]), (0, &json!(5)), "{past}");
        assert_eq!(pagination["has_next"], false, "{past}");
    }
    let (texts, _) = page(&tree, &format!("/branches/{branch}/messages?order=desc")).await;
    assert_eq!(texts, ["x", "b", "a"], "what lies before the fork is shared");
}

async fn a_path_is_read_of_one_role(store: Store) {
    let server = TestServer::on(store).await;
    let (tree, main, _) = grown(&server).await;
    for (query, expected, total) in [
        ("role=assistant", vec!["c", "e"], 2),
        ("role=assistant&order=desc&limit=1", vec!["e"], 2),
        ("role=assistant&limit=1&page=2", vec!["e"], 2),
        ("role=system", vec!["a"], 1),
        ("role=tool", vec![], 0),
    ] {
        for route in [format!("/branches/{main}/messages"), "/messages".to_owned()] {
            let (texts, pagination) = page(&tree, &format!("{route}?{query}")).await;
            assert_eq!(
                (texts, &pagination["total"]),
                (expected.iter().map(ToString::to_string).collect(), &json!(total)),
                "{route}?{query}"
            );
        }
    }
}

async fn the_active_branch_is_read_where_none_is_named(store: Store) {
    let server = TestServer::on(store).await;
    let (tree, main, branch) = grown(&server).await;
    assert_eq!(page(&tree, "/messages").await.0, ["a", "b", "c", "d", "e"]);
    assert_eq!(
        page(&tree, &format!("/messages?branch_id={branch}")).await.0,
        ["a", "b", "x"]
    );
    tree.post(&format!("/branches/{branch}/activate"), &json!({}))
        .await
        .data(200);
    assert_eq!(page(&tree, "/messages").await.0, ["a", "b", "x"]);
    assert_eq!(
        page(&tree, &format!("/messages?branch_id={main}&order=desc&limit=1"))
            .await
            .0,
        ["e"]
    );
}

async fn an_empty_branch_has_no_messages(store: Store) {
    let server = TestServer::on(store).await;
    let tree = Tree::new(&server).await;
    let (texts, pagination) = page(&tree, "/messages").await;
    assert_eq!((texts.len(), &pagination["total"]), (0, &json!(0)));
}

async fn the_parameters_of_a_path_are_checked(store: Store) {
    let server = TestServer::on(store).await;
    let (tree, main, _) = grown(&server).await;
    for (query, field) in [
        ("role=robot", "role"),
        ("order=up", "order"),
        ("page=0", "page"),
        ("limit=101", "limit"),
    ] {
        for route in [format!("/branches/{main}/messages"), "/messages".to_owned()] {
            let answer = tree.get(&format!("{route}?{query}")).await;
            assert_eq!(answer.status, 422, "{query}: {answer:?}");
            assert_eq!(answer.invalid_fields(), [field], "{route}?{query}");
        }
    }
    assert_eq!(
        tree.get("/messages?branch_id=42").await.invalid_fields(),
        ["branch_id"]
    );
}

async fn the_figures_of_a_branch_add_up(store: Store) {
    let server = TestServer::on(store).await;
    let tree = Tree::new(&server).await;
    let priced = Reply::completion("Hi").header("x-litellm-response-cost", "1.5e-06");
    server.upstream.script(MODEL, [priced]);
    server.upstream.script("other", [Reply::answer(["Hi"])]);
    let main = tree.active().await;
    for _ in 0..2 {
        let mut body = tree.ask("Hi");
        body["stream"] = json!(false);
        assert_eq!(tree.user.chat(&body).await.status, 200);
    }
    let question = text(&tree.on(&main).await[2]["id"]);
    let branch = tree.fork(&question).await;
    let body = json!({"model": "other"});
    let path = tree.path(&format!("/messages/{question}/regenerate"));
    let request = tree.user.request(reqwest::Method::POST, &path).json(&body);
    crate::support::EventStream::open(request).await.finish().await;
    let forked = tree.active().await;
    assert_ne!(
        forked, branch,
        "the question has an answer, so another branch is made"
    );

    let stats = tree.get(&format!("/branches/{forked}/stats")).await.data(200);
    assert_eq!(stats["branch_id"], forked);
    assert_eq!(
        stats["messages_by_role"],
        json!({"user": 2, "assistant": 2, "system": 0, "tool": 0})
    );
    assert_eq!(
        (
            &stats["message_count"],
            &stats["shared_message_count"],
            &stats["own_message_count"]
        ),
        (&json!(4), &json!(3), &json!(1))
    );
    assert_eq!(stats["fork_message_id"], question);
    assert_eq!(
        (
            &stats["prompt_tokens"],
            &stats["completion_tokens"],
            &stats["total_tokens"]
        ),
        (&json!(10), &json!(6), &json!(16))
    );
    assert_eq!(
        stats["total_cost"], 1.5e-6,
        "of the one answer whose cost is known"
    );
    assert_eq!(
        stats["models"],
        json!([{"model": "other", "count": 1}, {"model": MODEL, "count": 1}])
    );
    assert!(
        stats["average_latency_ms"].is_number() && stats["p95_latency_ms"].is_number(),
        "{stats}"
    );
    let path = tree.on(&forked).await;
    assert_eq!(stats["first_message_at"], path[0]["created_at"]);
    assert_eq!(stats["last_message_at"], path[3]["created_at"]);
}

async fn an_empty_branch_has_figures_too(store: Store) {
    let server = TestServer::on(store).await;
    let tree = Tree::new(&server).await;
    let path = format!("/branches/{}/stats", tree.active().await);
    let stats = tree.get(&path).await.data(200);
    assert_eq!(
        (&stats["message_count"], &stats["total_cost"]),
        (&json!(0), &json!(0))
    );
    for unknown in [
        "first_message_at",
        "last_message_at",
        "average_latency_ms",
        "fork_message_id",
    ] {
        assert_eq!(stats[unknown], Value::Null, "{unknown}");
    }
}
