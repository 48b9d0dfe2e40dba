//! Making, listing and reading conversations.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::client::text;
use crate::support::{Client, MODEL, TestServer, token};

const ROUTE: &str = "/v1/conversations";

async fn list(user: &Client, query: &str) -> Value {
    user.get(&format!("{ROUTE}{query}")).await.data(200)
}

/// Makes conversations with these titles.
async fn make(user: &Client, titles: &[&str]) {
    for title in titles {
        user.new_conversation(&json!({"title": title})).await;
    }
}

fn titles(page: &Value) -> Vec<String> {
    page["items"]
        .as_array()
        .expect("items")
        .iter()
        .map(|item| text(&item["title"]))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_conversation_is_answered_with_its_address() {
    let server = TestServer::start().await;
    let user = server.user();
    let body = json!({
        "title": "Plans",
        "model": MODEL,
        "system_message": "Be kind.",
        "metadata": {"colour": "red", "n": 1.5},
    });
    let answer = user.post(ROUTE, &body).await;
    let made = answer.data(201);
    let id = text(&made["id"]);
    assert_eq!(id.parse::<Uuid>().expect("a UUID").get_version_num(), 7);
    assert!(
        answer.header("location").ends_with(&format!("{ROUTE}/{id}")),
        "{answer:?}"
    );
    for (name, value) in body.as_object().expect("an object") {
        assert_eq!(&made[name], value, "{name}");
    }
    assert_eq!(made["status"], "active");
    assert_eq!(made["user_id"], user.user.to_string());
    assert_eq!(
        (&made["message_count"], &made["branch_count"]),
        (&json!(0), &json!(1))
    );
    assert!(text(&made["created_at"]).ends_with('Z'), "UTC: {made}");
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_about_a_new_conversation_is_optional() {
    let server = TestServer::start().await;
    let made = server.user().post(ROUTE, &json!({})).await.data(201);
    assert!(
        made["model"].is_null() && made["system_message"].is_null(),
        "{made}"
    );
    assert_eq!(made["last_message_at"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conversation_is_read_with_its_branches() {
    let server = TestServer::start().await;
    let user = server.user();
    let id = user.new_conversation(&json!({"title": "Plans"})).await;
    let read = user.get(&format!("{ROUTE}/{id}")).await.data(200);
    assert_eq!((&read["id"], &read["title"]), (&json!(id), &json!("Plans")));
    let branches = read["branches"].as_array().expect("branches");
    assert_eq!(branches.len(), 1);
    assert_eq!(branches[0]["name"], "Main");
    assert_eq!(branches[0]["id"], read["active_branch_id"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_is_read_flat_and_as_a_tree() {
    let server = TestServer::start().await;
    let user = server.user();
    let transcript = user
        .chat_stream(&json!({"model": MODEL, "message": "Hi"}))
        .await
        .finish()
        .await;
    let full = user.full(&transcript.conversation()).await;
    let (question, answer) = (&full["messages"][0]["id"], &full["messages"][1]["id"]);
    let leaf = json!({"id": answer, "children": []});
    assert_eq!(full["tree"], json!([{"id": question, "children": [leaf]}]));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_path_can_be_read_alone() {
    let server = TestServer::start().await;
    let user = server.user();
    let ask = json!({"model": MODEL, "message": "one"});
    let first = user.chat_stream(&ask).await.finish().await;
    let conversation = first.conversation();
    let ask = json!({"model": MODEL, "message": "two", "conversation_id": conversation});
    user.chat_stream(&ask).await.finish().await;
    let mut fork = ask.clone();
    fork["parent_message_id"] = json!(first.message());
    user.chat_stream(&fork).await.finish().await;

    let branch = text(&first.first()["branch_id"]);
    let path = format!("{ROUTE}/{conversation}/full?branch_id={branch}");
    let full = user.get(&path).await.data(200);
    assert_eq!(full["messages"].as_array().map(Vec::len), Some(4));
    let missing = format!("{ROUTE}/{conversation}/full?branch_id={}", token::new_uuid());
    user.get(&missing).await.error(404, "BRANCH_NOT_FOUND");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_totals_follow_the_messages() {
    let server = TestServer::start().await;
    let user = server.user();
    let transcript = user
        .chat_stream(&json!({"model": MODEL, "message": "Hi"}))
        .await
        .finish()
        .await;
    let read = user
        .get(&format!("{ROUTE}/{}", transcript.conversation()))
        .await
        .data(200);
    assert_eq!(read["message_count"], 2);
    assert_eq!(read["total_tokens"], 8);
    assert_eq!(read["preview"], "Hi");
    assert!(read["last_message_at"].is_string(), "{read}");
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_hold_the_newest_first() {
    let server = TestServer::start().await;
    let user = server.user();
    make(&user, &["a", "b", "c", "d", "e"]).await;

    let page = list(&user, "?limit=2").await;
    assert_eq!(titles(&page), ["e", "d"]);
    let expected =
        json!({"page": 1, "limit": 2, "total": 5, "pages": 3, "has_next": true, "has_prev": false});
    assert_eq!(page["pagination"], expected);

    let page = list(&user, "?limit=2&page=3").await;
    assert_eq!(titles(&page), ["a"]);
    let expected =
        json!({"page": 3, "limit": 2, "total": 5, "pages": 3, "has_next": false, "has_prev": true});
    assert_eq!(page["pagination"], expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_past_the_end_is_empty() {
    let server = TestServer::start().await;
    let user = server.user();
    make(&user, &["a"]).await;
    let page = list(&user, "?page=999").await;
    assert_eq!(page["items"], json!([]));
    assert_eq!(
        (&page["pagination"]["total"], &page["pagination"]["has_next"]),
        (&json!(1), &json!(false))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unpaged_list_has_the_default_size() {
    let server = TestServer::with([("DEFAULT_PAGE_SIZE", "2"), ("MAX_PAGE_SIZE", "3")]).await;
    let user = server.user();
    make(&user, &["a", "b", "c", "d"]).await;
    assert_eq!(titles(&list(&user, "").await), ["d", "c"]);
    assert_eq!(titles(&list(&user, "?limit=3").await).len(), 3);
    assert_eq!(
        user.get(&format!("{ROUTE}?limit=4")).await.invalid_fields(),
        ["limit"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_must_be_counted_from_one() {
    let server = TestServer::start().await;
    let user = server.user();
    for (query, field) in [
        ("page=0", "page"),
        ("page=-1", "page"),
        ("page=x", "page"),
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=99999999999999999999", "limit"),
    ] {
        let answer = user.get(&format!("{ROUTE}?{query}")).await;
        assert_eq!(answer.invalid_fields(), [field], "{query}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_holds_only_ones_own() {
    let server = TestServer::start().await;
    make(&server.user(), &["theirs"]).await;
    let me = server.user();
    make(&me, &["mine"]).await;
    assert_eq!(titles(&list(&me, "").await), ["mine"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_conversation_looks_like_none() {
    let server = TestServer::start().await;
    let theirs = server.user().new_conversation(&json!({})).await;
    let missing = token::new_uuid().to_string();
    let me = server.user();
    for suffix in ["", "/full", "/stream"] {
        assert_eq!(
            refusal(&me, &theirs, suffix).await,
            refusal(&me, &missing, suffix).await,
            "{suffix}"
        );
    }
}

async fn refusal(user: &Client, id: &str, suffix: &str) -> String {
    let answer = user.get(&format!("{ROUTE}/{id}{suffix}")).await;
    let error = answer.error(404, "CONVERSATION_NOT_FOUND");
    answer
        .text()
        .replace(&text(&error["request_id"]), "")
        .replace(id, "")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_fields_of_a_new_conversation_are_checked() {
    let server = TestServer::start().await;
    let user = server.user();
    for (field, value) in [
        ("title", json!("x".repeat(201))),
        ("title", json!("line\u{7}bell")),
        ("title", json!(5)),
        ("model", json!("m".repeat(101))),
        ("system_message", json!("x".repeat(8_001))),
        ("metadata", json!([1])),
        ("metadata", json!({"big": "x".repeat(10_240)})),
    ] {
        let answer = user.post(ROUTE, &json!({field: value})).await;
        assert_eq!(answer.status, 422, "{field}: {answer:?}");
        assert_eq!(answer.invalid_fields(), [field]);
    }
    assert_eq!(
        list(&user, "").await["pagination"]["total"],
        0,
        "nothing was stored"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_title_may_be_two_hundred_characters_of_any_script() {
    let server = TestServer::start().await;
    let title = "猫".repeat(200);
    let made = server
        .user()
        .post(ROUTE, &json!({"title": title}))
        .await
        .data(201);
    assert_eq!(made["title"], title);
}

#[tokio::test(flavor = "multi_thread")]
async fn conversations_are_limited() {
    let server = TestServer::with([("MAX_CONVERSATIONS_PER_USER", "1")]).await;
    let user = server.user();
    make(&user, &["a"]).await;
    let answer = user.post(ROUTE, &json!({})).await;
    let error = answer.error(409, "LIMIT_REACHED");
    assert_eq!(
        (&error["details"]["limit"], &error["details"]["current"]),
        (&json!(1), &json!(1))
    );
    user.chat(&json!({"model": MODEL, "message": "Hi"}))
        .await
        .error(409, "LIMIT_REACHED");
    assert_eq!(server.upstream.chats().len(), 0);
}
