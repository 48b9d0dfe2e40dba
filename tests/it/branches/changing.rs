//! Making, renaming and activating branches.

use serde_json::json;

use crate::support::client::text;
use crate::support::tree::items;
use crate::support::{Store, TestServer, Tree, on_each_store, token};

on_each_store!(
    a_new_branch_is_answered_with_its_address,
    a_branch_forks_where_it_is_told,
    a_branch_need_not_be_activated,
    branches_are_limited,
    a_branch_is_renamed,
    an_abandoned_branch_is_hidden_until_it_is_activated,
    main_is_always_listed,
    writing_to_an_abandoned_branch_takes_it_up_again,
    activating_twice_is_the_same_as_once,
    the_active_branch_takes_new_messages,
    the_fields_of_a_branch_are_checked,
);

const TURN: [(&str, &str); 2] = [("user", "one"), ("assistant", "first")];

async fn a_new_branch_is_answered_with_its_address(store: Store) {
    let server = TestServer::on(store).await;
    let tree = Tree::new(&server).await;
    let [one, first] = tree.add(TURN).await;
    let body = json!({"from_message_id": one, "name": "Shorter"});
    let answer = tree.post("/branches", &body).await;
    let made = answer.data(201);
    let id = text(&made["id"]);
    assert_eq!(
        answer.header("location"),
        tree.path(&format!("/branches/{id}")),
        "{answer:?}"
    );
    assert_eq!(made["conversation_id"], tree.id);
    assert_eq!(
        (&made["name"], &made["status"]),
        (&json!("Shorter"), &json!("active"))
    );
    assert_eq!(
        (&made["is_main"], &made["is_active"]),
        (&json!(false), &json!(true))
    );
    assert_eq!(
        (&made["parent_message_id"], &made["head_message_id"]),
        (&json!(one), &json!(one))
    );
    assert_eq!(
        (&made["message_count"], &made["own_message_count"]),
        (&json!(1), &json!(0))
    );
    assert_eq!(tree.branch(&id).await, made);

    let conversation = tree.read().await;
    assert_eq!(conversation["active_branch_id"], made["id"]);
    assert_eq!(conversation["branch_count"], 2);
    let main = &conversation["branches"][0];
    assert_eq!(
        (&main["head_message_id"], &main["is_active"]),
        (&json!(first), &json!(false))
    );
}

async fn a_branch_forks_where_it_is_told(store: Store) {
    let server = TestServer::on(store).await;
    let tree = Tree::new(&server).await;
    let [one, first] = tree.add(TURN).await;
    let made = tree
        .post("/branches", &json!({"parent_message_id": one}))
        .await
        .data(201);
    assert_eq!(made["head_message_id"], one);
    assert_eq!(made["name"], "Branch 2", "it gets a name");

    let two_places = json!({"from_message_id": one, "parent_message_id": first});
    let answer = tree.post("/branches", &two_places).await;
    assert_eq!(answer.invalid_fields(), ["parent_message_id"]);
    let other = Tree {
        id: tree.user.new_conversation(&json!({})).await,
        user: tree.user.clone(),
    };
    for elsewhere in [
        json!({"from_message_id": token::new_uuid()}),
        json!({"from_message_id": one}),
    ] {
        other
            .post("/branches", &elsewhere)
            .await
            .error(404, "MESSAGE_NOT_FOUND");
    }
    assert_eq!(other.read().await["branch_count"], 1, "nothing was made");
}

async fn a_branch_need_not_be_activated(store: Store) {
    let server = TestServer::on(store).await;
    let tree = Tree::new(&server).await;
    let [one, _] = tree.add(TURN).await;
    let main = tree.active().await;
    let body = json!({"from_message_id": one, "activate": false});
    let made = tree.post("/branches", &body).await.data(201);
    assert_eq!(made["is_active"], false);
    assert_eq!(tree.active().await, main);
}

async fn branches_are_limited(store: Store) {
    let server = TestServer::on_with(store, [("MAX_BRANCHES_PER_CONVERSATION", "2")]).await;
    let tree = Tree::new(&server).await;
    let [one, first] = tree.add(TURN).await;
    tree.fork(&one).await;
    let below = json!({"role": "user", "content": "more", "parent_id": first});
    let beside = json!({"content": "another one", "create_branch": true});
    for refused in [
        tree.post("/branches", &json!({"from_message_id": one})).await,
        tree.post("/messages", &below).await,
        tree.patch(&format!("/messages/{one}"), &beside).await,
        tree.post(&format!("/messages/{first}/regenerate"), &json!({"model": "m"}))
            .await,
    ] {
        let error = refused.error(409, "LIMIT_REACHED");
        assert_eq!(
            (&error["details"]["limit"], &error["details"]["current"]),
            (&json!(2), &json!(2))
        );
        assert_eq!(error["type"], "conflict_error");
        assert_eq!(refused.header("x-should-retry"), "false");
    }
    let conversation = tree.read().await;
    assert_eq!(
        (&conversation["branch_count"], &conversation["message_count"]),
        (&json!(2), &json!(2))
    );
    assert_eq!(server.upstream.chats().len(), 0);
}

async fn a_branch_is_renamed(store: Store) {
    let server = TestServer::on(store).await;
    let tree = Tree::new(&server).await;
    let [one, _] = tree.add(TURN).await;
    let path = format!("/branches/{}", tree.fork(&one).await);
    let renamed = tree.patch(&path, &json!({"name": "Über 猫 🙂"})).await.data(200);
    assert_eq!(
        (&renamed["name"], &renamed["status"]),
        (&json!("Über 猫 🙂"), &json!("active"))
    );
    assert_eq!(tree.get(&path).await.data(200), renamed);
}

async fn an_abandoned_branch_is_hidden_until_it_is_activated(store: Store) {
    let server = TestServer::on(store).await;
    let tree = Tree::new(&server).await;
    let [one, _] = tree.add(TURN).await;
    let main = tree.active().await;
    let branch = tree.fork(&one).await;
    tree.post(&format!("/branches/{main}/activate"), &json!({}))
        .await
        .data(200);
    let path = format!("/branches/{branch}");
    let abandoned = tree.patch(&path, &json!({"status": "abandoned"})).await.data(200);
    assert_eq!(abandoned["status"], "abandoned");
    let list = tree.get("/branches").await.data(200);
    assert_eq!(items(&list).len(), 1);
    let all = tree.get("/branches?include_inactive=true").await.data(200);
    assert_eq!(items(&all).len(), 2);

    let active = tree.post(&format!("{path}/activate"), &json!({})).await.data(200);
    assert_eq!(
        (&active["status"], &active["is_active"]),
        (&json!("active"), &json!(true))
    );
    assert_eq!(items(&tree.get("/branches").await.data(200)).len(), 2);
}

async fn main_is_always_listed(store: Store) {
    let server = TestServer::on(store).await;
    let tree = Tree::new(&server).await;
    let [one, _] = tree.add(TURN).await;
    let main = tree.active().await;
    tree.fork(&one).await;
    let path = format!("/branches/{main}");
    tree.patch(&path, &json!({"status": "abandoned"})).await.data(200);
    let list = tree.get("/branches").await.data(200);
    assert_eq!(items(&list)[0]["id"], *main);
    assert_eq!(items(&list).len(), 2);
}

async fn writing_to_an_abandoned_branch_takes_it_up_again(store: Store) {
    let server = TestServer::on(store).await;
    let tree = Tree::new(&server).await;
    let [one, _] = tree.add(TURN).await;
    let branch = tree.fork(&one).await;
    let path = format!("/branches/{branch}");
    tree.patch(&path, &json!({"status": "abandoned"})).await.data(200);
    tree.add_on(&branch, "assistant", "after all").await;
    assert_eq!(tree.branch(&branch).await["status"], "active");
}

async fn activating_twice_is_the_same_as_once(store: Store) {
    let server = TestServer::on(store).await;
    let tree = Tree::new(&server).await;
    let [one, _] = tree.add(TURN).await;
    let main = tree.active().await;
    tree.fork(&one).await;
    let path = format!("/branches/{main}/activate");
    let once = tree.post(&path, &json!({})).await.data(200);
    let conversation = tree.read().await;
    assert_eq!(tree.post(&path, &json!({})).await.data(200), once);
    assert_eq!(tree.read().await, conversation, "not even its times change");
    tree.post(&format!("/branches/{}/activate", token::new_uuid()), &json!({}))
        .await
        .error(404, "BRANCH_NOT_FOUND");
}

async fn the_active_branch_takes_new_messages(store: Store) {
    let server = TestServer::on(store).await;
    let tree = Tree::new(&server).await;
    let [one, _] = tree.add(TURN).await;
    let main = tree.active().await;
    let branch = tree.fork(&one).await;
    tree.chat("on the branch").await;
    tree.post(&format!("/branches/{main}/activate"), &json!({}))
        .await
        .data(200);
    tree.chat("on main").await;
    assert_eq!(
        tree.texts(&branch).await,
        ["one", "on the branch", "Hello there!"]
    );
    assert_eq!(
        tree.texts(&main).await,
        ["one", "first", "on main", "Hello there!"]
    );
}

async fn the_fields_of_a_branch_are_checked(store: Store) {
    let server = TestServer::on(store).await;
    let tree = Tree::new(&server).await;
    let [one, _] = tree.add(TURN).await;
    let long = "x".repeat(101);
    for (body, field) in [
        (json!({}), "from_message_id"),
        (json!({"from_message": one}), "from_message_id"),
        (json!({"from_message_id": "42"}), "from_message_id"),
        (json!({"from_message_id": one, "name": ""}), "name"),
        (json!({"from_message_id": one, "name": long}), "name"),
        (json!({"from_message_id": one, "name": "a\u{7}"}), "name"),
        (json!({"from_message_id": one, "activate": "yes"}), "activate"),
    ] {
        let answer = tree.post("/branches", &body).await;
        assert_eq!(answer.status, 422, "{body}: {answer:?}");
        assert_eq!(answer.invalid_fields(), [field], "{body}");
    }
    let path = format!("/branches/{}", tree.active().await);
    for (body, field) in [
        (json!({}), "body"),
        (json!({"title": "misspelt"}), "body"),
        (json!({"name": long}), "name"),
        (json!({"name": null}), "name"),
        (json!({"status": "gone"}), "status"),
    ] {
        let answer = tree.patch(&path, &body).await;
        assert_eq!(answer.status, 422, "{body}: {answer:?}");
        assert_eq!(answer.invalid_fields(), [field], "{body}");
    }
    let branches = tree.read().await["branches"].take();
    assert_eq!(branches.as_array().map(Vec::len), Some(1));
    assert_eq!(branches[0]["name"], "Main", "nothing was changed");
}
