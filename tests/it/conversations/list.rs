//! Pages of conversations.

use serde_json::json;

use super::{ROUTE, list, make, titles};
use crate::support::{Store, TestServer, on_each_store};

on_each_store!(
    pages_hold_the_newest_first,
    an_item_is_what_reading_it_shows,
    a_page_past_the_end_is_empty,
    an_unpaged_list_has_the_default_size,
    pages_must_be_counted_from_one,
    a_list_holds_only_ones_own,
);

async fn pages_hold_the_newest_first(store: Store) {
    let server = TestServer::on(store).await;
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

async fn an_item_is_what_reading_it_shows(store: Store) {
    let server = TestServer::on(store).await;
    let user = server.user();
    let body = json!({"title": "Plans", "model": "m", "system_message": "s", "metadata": {"a": 1}});
    let id = user.new_conversation(&body).await;
    let mut read = user.get(&format!("{ROUTE}/{id}")).await.data(200);
    read.as_object_mut().expect("an object").remove("branches");
    assert_eq!(list(&user, "").await["items"], json!([read]));
}

async fn a_page_past_the_end_is_empty(store: Store) {
    let server = TestServer::on(store).await;
    let user = server.user();
    make(&user, &["a"]).await;
    for page in ["2", "999", "4294967295"] {
        let page = list(&user, &format!("?page={page}")).await;
        assert_eq!(page["items"], json!([]));
        assert_eq!(
            (&page["pagination"]["total"], &page["pagination"]["has_next"]),
            (&json!(1), &json!(false))
        );
    }
}

async fn an_unpaged_list_has_the_default_size(store: Store) {
    let changes = [("DEFAULT_PAGE_SIZE", "2"), ("MAX_PAGE_SIZE", "3")];
    let server = TestServer::on_with(store, changes).await;
    let user = server.user();
    make(&user, &["a", "b", "c", "d"]).await;
    assert_eq!(titles(&list(&user, "").await), ["d", "c"]);
    assert_eq!(titles(&list(&user, "?limit=3").await).len(), 3);
    let answer = user.get(&format!("{ROUTE}?limit=4")).await;
    assert_eq!(answer.invalid_fields(), ["limit"]);
}

async fn pages_must_be_counted_from_one(store: Store) {
    let server = TestServer::on(store).await;
    let user = server.user();
    for route in [ROUTE.to_owned(), format!("{ROUTE}/search")] {
        for (query, field) in [
            ("page=0", "page"),
            ("page=-1", "page"),
            ("page=x", "page"),
            ("page=4294967296", "page"),
            ("limit=0", "limit"),
            ("limit=101", "limit"),
            ("limit=99999999999999999999", "limit"),
        ] {
            let answer = user.get(&format!("{route}?q=a&{query}")).await;
            assert_eq!(answer.invalid_fields(), [field], "{route} {query}");
        }
    }
}

async fn a_list_holds_only_ones_own(store: Store) {
    let server = TestServer::on(store).await;
    make(&server.user(), &["theirs"]).await;
    let me = server.user();
    make(&me, &["mine"]).await;
    assert_eq!(titles(&list(&me, "").await), ["mine"]);
    let nobody = list(&server.user(), "").await;
    let expected =
        json!({"page": 1, "limit": 20, "total": 0, "pages": 0, "has_next": false, "has_prev": false});
    assert_eq!(nobody["pagination"], expected);
}
