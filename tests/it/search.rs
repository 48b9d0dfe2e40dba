//! Searching titles and messages. How texts are compared is told by the tests of the search itself; here is what a
//! user sees of it.

use reqwest::Url;
use serde_json::{Value, json};

use crate::conversations::{ROUTE, list, titles};
use crate::support::{Answer, Client, MODEL, Store, TestServer, Tree, on_each_store};

on_each_store!(
    the_best_come_first,
    a_hit_is_the_conversation_and_the_place,
    people_find_what_they_mean,
    any_text_is_only_text,
    a_search_has_to_look_for_something,
    a_search_can_be_narrowed_down_as_a_list,
    what_is_changed_is_found_as_it_is_now,
    only_ones_own_is_found,
    a_list_with_a_query_keeps_its_order,
);

/// Looks for any text.
async fn ask(user: &Client, route: &str, text: &str, more: &[(&str, &str)]) -> Answer {
    let mut url = Url::parse_with_params("http://localhost", more).expect("a URL");
    url.query_pairs_mut().append_pair("q", text);
    user.get(&format!("{route}?{}", url.query().unwrap_or_default()))
        .await
}

async fn search(user: &Client, text: &str) -> Value {
    ask(user, &format!("{ROUTE}/search"), text, &[]).await.data(200)
}

/// What is shown of the hits on a page.
fn snippets(page: &Value) -> Vec<&str> {
    let items = page["items"].as_array().expect("items").iter();
    items
        .map(|item| item["snippet"].as_str().expect("a snippet"))
        .collect()
}

async fn the_best_come_first(store: Store) {
    let server = TestServer::on(store).await;
    let user = server.user();
    Tree::titled(&user, "About quantum").await;
    let often = Tree::titled(&user, "often").await;
    often.add([("user", "quantum, quantum and quantum")]).await;
    for title in ["once", "once too"] {
        let once = Tree::titled(&user, title).await;
        once.add([("user", "a quantum of solace")]).await;
    }
    Tree::titled(&user, "never").await;
    let page = search(&user, "quantum").await;
    assert_eq!(
        titles(&page),
        ["About quantum", "often", "once too", "once"],
        "titles, then what says it more often, then the newest"
    );
    assert_eq!(page["pagination"]["total"], 4);
    let second = [("page", "2"), ("limit", "3")];
    let page = ask(&user, &format!("{ROUTE}/search"), "quantum", &second).await;
    assert_eq!(titles(&page.data(200)), ["once"]);
}

async fn a_hit_is_the_conversation_and_the_place(store: Store) {
    let server = TestServer::on(store).await;
    let user = server.user();
    let conversation = Tree::titled(&user, "A <quantum> & more").await;
    let page = search(&user, "quantum").await;
    assert_eq!(snippets(&page), ["A &lt;<mark>quantum</mark>&gt; &amp; more"]);
    assert_eq!(page["items"][0]["message_id"], Value::Null);

    let [message] = conversation
        .add([("user", "Is <b>Café</b> \"real\"\n& isn't <script>?")])
        .await;
    let page = search(&user, "cafe").await;
    let expected = "Is &lt;b&gt;<mark>Café</mark>&lt;/b&gt; &quot;real&quot; &amp; isn&#39;t &lt;script&gt;?";
    assert_eq!(snippets(&page), [expected]);
    let mut hit = page["items"][0].clone();
    assert_eq!(hit["message_id"], message);
    let fields = hit.as_object_mut().expect("an object");
    fields.retain(|name, _| name != "snippet" && name != "message_id");
    assert_eq!(hit, list(&user, "").await["items"][0], "as in a list");
}

async fn people_find_what_they_mean(store: Store) {
    let server = TestServer::on(store).await;
    let user = server.user();
    let texts = [
        "Crème brûlée für zwei",
        "東京の天気は？",
        "Party 😀 tonight",
        "ﬁne dining",
    ];
    for text in texts {
        Tree::of(&user, &json!({})).await.add([("user", text)]).await;
    }
    for (query, found) in [
        ("CREME", texts[0]),
        ("brulee creme", texts[0]),
        ("brû", texts[0]),
        ("京", texts[1]),
        ("京の天", texts[1]),
        ("😀", texts[2]),
        ("tonight, party!", texts[2]),
        ("fine", texts[3]),
    ] {
        for page in [
            search(&user, query).await,
            ask(&user, ROUTE, query, &[]).await.data(200),
        ] {
            let items = page["items"].as_array().expect("items");
            let previews: Vec<_> = items.iter().map(|item| &item["preview"]).collect();
            assert_eq!(previews, [found], "{query}");
        }
    }
    for query in ["reme", "creme zwei drei", "京東", "🙂"] {
        assert_eq!(search(&user, query).await["items"], json!([]), "{query}");
    }
}

async fn any_text_is_only_text(store: Store) {
    let server = TestServer::on(store).await;
    let user = server.user();
    let conversation = Tree::titled(&user, "needle").await;
    conversation.add([("user", "100% of snake_case; DROP it")]).await;
    let long = ["(", "'", "\"", "é", "京", "😀", "*", "a ", "a\" OR "]
        .map(|text| text.chars().cycle().take(200).collect::<String>());
    let odd = [
        "\"); DROP TABLE conversations; --",
        "*",
        "\"unbalanced",
        "%_",
        "%",
        "_",
        "'",
        "\\",
        "\\'",
        "a*",
        "^a",
        "NEAR(a b)",
        "a AND",
        "OR",
        "NOT",
        "title:needle",
        "{a b}",
        "-needle",
        "a:*",
        "a & !b",
        "<->",
        "a|b",
        "$1",
        "?1",
        "{}",
        "[]",
        "\u{200b}",
        "\u{202e}",
        "\u{feff}",
        "\t\n",
        " ",
        "👩‍👩‍👧‍👦",
        "́",
        "\u{1F3FD}",
        "a\u{0301}",
    ];
    for text in odd.into_iter().chain(long.iter().map(String::as_str)) {
        for route in [ROUTE.to_owned(), format!("{ROUTE}/search")] {
            let answer = ask(&user, &route, text, &[]).await;
            assert_eq!(answer.status, 200, "{route} {text:?}: {answer:?}");
        }
    }
    for found in ["100%", "snake_case", "; DROP", "needle*", "\"needle", "(needle)"] {
        assert_eq!(titles(&search(&user, found).await), ["needle"], "{found}");
    }
    let too_long = "é".repeat(201);
    for route in [ROUTE.to_owned(), format!("{ROUTE}/search")] {
        let answer = ask(&user, &route, &too_long, &[]).await;
        assert_eq!(answer.invalid_fields(), ["q"], "{route}");
    }
    assert_eq!(titles(&list(&user, "").await), ["needle"], "nothing was dropped");
}

async fn a_search_has_to_look_for_something(store: Store) {
    let server = TestServer::on(store).await;
    let user = server.user();
    for query in ["", "?q=", "?Q=a"] {
        let answer = user.get(&format!("{ROUTE}/search{query}")).await;
        assert_eq!(answer.invalid_fields(), ["q"], "{query}");
    }
}

async fn a_search_can_be_narrowed_down_as_a_list(store: Store) {
    let server = TestServer::on(store).await;
    let user = server.user();
    let plain = Tree::titled(&user, "quantum plain").await;
    let model = json!({"title": "quantum modelled", "model": MODEL});
    let modelled = Tree::of(&user, &model).await;
    modelled.add([("user", "one")]).await;
    let away = Tree::titled(&user, "quantum away").await;
    let archived = json!({"status": "archived"});
    away.patch("", &archived).await.data(200);
    let made = plain.read().await["created_at"]
        .as_str()
        .expect("a time")
        .to_owned();
    for (filter, value, expected) in [
        ("status", "active", &["modelled", "plain"][..]),
        ("status", "archived", &["away"]),
        ("status", "all", &["away", "modelled", "plain"]),
        ("model", MODEL, &["modelled"]),
        ("min_messages", "1", &["modelled"]),
        ("max_messages", "0", &["plain"]),
        ("has_branches", "true", &[]),
        ("created_after", &made, &["modelled", "plain"]),
        ("created_before", &made, &[]),
    ] {
        let page = ask(&user, &format!("{ROUTE}/search"), "quantum", &[(filter, value)]).await;
        let mut found = titles(&page.data(200));
        found.sort_unstable();
        let expected: Vec<_> = expected.iter().map(|title| format!("quantum {title}")).collect();
        assert_eq!(found, expected, "{filter}={value}");
    }
    let answer = ask(
        &user,
        &format!("{ROUTE}/search"),
        "quantum",
        &[("status", "gone")],
    )
    .await;
    assert_eq!(answer.invalid_fields(), ["status"]);
}

async fn what_is_changed_is_found_as_it_is_now(store: Store) {
    let server = TestServer::on(store).await;
    let user = server.user();
    let conversation = Tree::titled(&user, "apples").await;
    let [message] = conversation.add([("user", "bananas")]).await;
    let found = async |text: &str| search(&user, text).await["pagination"]["total"].take();
    let title = json!({"title": "cherries"});
    conversation.patch("", &title).await.data(200);
    assert_eq!(
        (found("apples").await, found("cherries").await),
        (json!(0), json!(1))
    );
    let route = conversation.path(&format!("/messages/{message}"));
    user.patch(&route, &json!({"content": "dates"})).await.data(200);
    assert_eq!(
        (found("bananas").await, found("dates").await),
        (json!(0), json!(1))
    );
    user.delete(&route).await.data(200);
    assert_eq!(found("dates").await, 0);
}

async fn only_ones_own_is_found(store: Store) {
    let server = TestServer::on(store).await;
    let (me, them) = (server.user(), server.user());
    Tree::titled(&them, "quantum")
        .await
        .add([("user", "quantum")])
        .await;
    assert_eq!(search(&me, "quantum").await["pagination"]["total"], 0);
    let narrowed = ask(&me, ROUTE, "quantum", &[("status", "all")]).await;
    assert_eq!(narrowed.data(200)["items"], json!([]));
}

async fn a_list_with_a_query_keeps_its_order(store: Store) {
    let server = TestServer::on(store).await;
    let user = server.user();
    for (title, said) in [
        ("b", "quantum quantum"),
        ("quantum", "x"),
        ("a", "quantum"),
        ("c", "x"),
    ] {
        Tree::titled(&user, title).await.add([("user", said)]).await;
    }
    let by_title = [("sort_by", "title"), ("sort_order", "asc"), ("limit", "2")];
    let page = ask(&user, ROUTE, "quantum", &by_title).await.data(200);
    assert_eq!(titles(&page), ["a", "b"]);
    assert_eq!(page["pagination"]["total"], 3);
    assert!(page["items"][0].get("snippet").is_none(), "{page}");
}
