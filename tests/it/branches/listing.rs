//! The list of branches.

use serde_json::{Value, json};

use crate::support::client::text;
use crate::support::tree::items;
use crate::support::{Store, TestServer, Tree, on_each_store};

on_each_store!(
    branches_are_listed_in_any_order,
    branches_are_listed_in_pages,
    the_active_branch_is_listed_whatever_became_of_it,
    the_parameters_of_the_list_are_checked,
);

fn names(page: &Value) -> Vec<String> {
    items(page).iter().map(|branch| text(&branch["name"])).collect()
}

/// Main with two messages, "épée" with one, "Zoo" with three.
async fn grown(server: &TestServer) -> Tree {
    let tree = Tree::new(server).await;
    let [one, _] = tree.add([("user", "one"), ("assistant", "first")]).await;
    for name in ["épée", "Zoo"] {
        let body = json!({"from_message_id": one, "name": name});
        tree.post("/branches", &body).await.data(201);
    }
    tree.add([("user", "two"), ("assistant", "second")]).await;
    tree
}

async fn branches_are_listed_in_any_order(store: Store) {
    let server = TestServer::on(store).await;
    let tree = grown(&server).await;
    for (query, expected) in [
        ("", ["Main", "épée", "Zoo"]),
        ("?sort_by=created_at&sort_order=desc", ["Zoo", "épée", "Main"]),
        ("?sort_by=name", ["épée", "Main", "Zoo"]),
        ("?sort_by=name&sort_order=desc", ["Zoo", "Main", "épée"]),
        ("?sort_by=message_count", ["épée", "Main", "Zoo"]),
        ("?sort_by=updated_at&sort_order=desc", ["Zoo", "épée", "Main"]),
    ] {
        let list = tree.get(&format!("/branches{query}")).await.data(200);
        assert_eq!(names(&list), expected, "{query}");
    }
}

async fn branches_are_listed_in_pages(store: Store) {
    let server = TestServer::on(store).await;
    let tree = grown(&server).await;
    let page = tree.get("/branches?limit=2&page=2").await.data(200);
    assert_eq!(names(&page), ["Zoo"]);
    let expected =
        json!({"page": 2, "limit": 2, "total": 3, "pages": 2, "has_next": false, "has_prev": true});
    assert_eq!(page["pagination"], expected);
    let past = tree.get("/branches?page=9").await.data(200);
    assert_eq!((items(&past).len(), &past["pagination"]["total"]), (0, &json!(3)));
}

async fn the_active_branch_is_listed_whatever_became_of_it(store: Store) {
    let server = TestServer::on(store).await;
    let tree = grown(&server).await;
    let active = tree.active().await;
    let abandoned = json!({"status": "abandoned"});
    tree.patch(&format!("/branches/{active}"), &abandoned)
        .await
        .data(200);
    assert_eq!(
        names(&tree.get("/branches").await.data(200)),
        ["Main", "épée", "Zoo"]
    );
}

async fn the_parameters_of_the_list_are_checked(store: Store) {
    let server = TestServer::on(store).await;
    let tree = grown(&server).await;
    for (query, field) in [
        ("sort_by=age", "sort_by"),
        ("sort_order=up", "sort_order"),
        ("include_inactive=2", "include_inactive"),
        ("page=0", "page"),
        ("limit=101", "limit"),
    ] {
        let answer = tree.get(&format!("/branches?{query}")).await;
        assert_eq!(answer.status, 422, "{query}: {answer:?}");
        assert_eq!(answer.invalid_fields(), [field], "{query}");
    }
}
