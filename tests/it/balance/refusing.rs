//! Who is refused, and that nothing changes then.

use serde_json::{Value, json};

use super::{CHAT, balance, message, messages, server};
use crate::support::{MODEL, Store, on_each_store};

on_each_store!(
    who_has_nothing_left_is_refused_and_nothing_is_stored,
    a_model_without_a_price_is_refused_to_who_has_a_budget,
    a_request_whose_cost_has_no_bound_is_refused_to_who_has_a_budget,
    a_free_model_answers_whoever_has_nothing_left,
    pages_of_the_history_are_checked,
);

async fn who_has_nothing_left_is_refused_and_nothing_is_stored(store: Store) {
    // Enough for what must be left, and not for the input and one token.
    let server = server(store, "0.000015").await;
    let user = server.user();
    for body in [message(true), message(false)] {
        let error = user.chat(&body).await.error(402, "INSUFFICIENT_BALANCE");
        assert_eq!(error["type"], "insufficient_quota");
        assert_eq!(error["details"]["available_balance"], 0.000_015);
        assert_eq!(
            error["details"]["required"], 0.00002,
            "18 tokens to be read, and one to be written"
        );
    }
    for body in [messages(true), messages(false)] {
        let answer = user.chat(&body).await;
        assert_eq!(answer.status, 402, "{answer:?}");
        assert_eq!(answer.json()["error"]["code"], "INSUFFICIENT_BALANCE");
    }
    assert_eq!(server.upstream.chats().len(), 0, "no model was asked");
    assert_eq!(
        user.get("/v1/conversations").await.data(200)["pagination"]["total"],
        0
    );
    let balance = balance(&user).await;
    assert_eq!((&balance["reserved"], &balance["spend"]), (&json!(0), &json!(0)));
    assert!(server.ledger().await.entries().await.is_empty());
    let metrics = server.anonymous().get("/metrics").await.text();
    assert!(
        metrics.contains(r#"balance_rejections_total{reason="insufficient"} 4"#),
        "{metrics}"
    );
}

async fn a_model_without_a_price_is_refused_to_who_has_a_budget(store: Store) {
    let server = server(store, "5").await;
    let user = server.user();
    let unheard = |mut body: Value| {
        body["model"] = json!("unheard-of");
        body
    };
    let error = user
        .chat(&unheard(message(true)))
        .await
        .error(402, "UNPRICED_MODEL");
    assert!(
        error["message"]
            .as_str()
            .is_some_and(|text| text.contains("unheard-of")),
        "{error}"
    );
    assert_eq!(error["param"], "model");
    let answer = user.post(CHAT, &unheard(messages(false))).await;
    assert_eq!(
        (answer.status, &answer.json()["error"]["code"]),
        (402, &json!("UNPRICED_MODEL"))
    );
    assert_eq!(server.upstream.chats().len(), 0);
    let metrics = server.anonymous().get("/metrics").await.text();
    assert!(
        metrics.contains(r#"balance_rejections_total{reason="unpriced"} 2"#),
        "{metrics}"
    );
}

async fn a_request_whose_cost_has_no_bound_is_refused_to_who_has_a_budget(store: Store) {
    let budgeted = server(store, "5").await;
    for (name, value) in [
        ("fallbacks", json!(["dearer"])),
        ("service_tier", json!("priority")),
        ("tools", json!([{"type": "web_search"}])),
    ] {
        let mut body = messages(false);
        body[name] = value;
        let answer = budgeted.user().post(CHAT, &body).await;
        assert_eq!(answer.status, 402, "{answer:?}");
        let error = &answer.json()["error"];
        assert_eq!(
            (&error["code"], &error["param"]),
            (&json!("UNPRICED_MODEL"), &json!(name))
        );
    }
    assert_eq!(budgeted.upstream.chats().len(), 0);
    let free = server(store, "unlimited").await;
    let mut body = messages(true);
    body["fallbacks"] = json!(["dearer"]);
    assert_eq!(
        free.user().chat(&body).await.status,
        200,
        "nobody's budget is passed"
    );
}

async fn a_free_model_answers_whoever_has_nothing_left(store: Store) {
    let settings = [("DEFAULT_USER_BUDGET", "0"), ("LITELLM_URL", "")];
    let server = crate::support::TestServer::on_with(store, settings).await;
    let user = server.user();
    assert_eq!(balance(&user).await["can_chat"], false);
    let transcript = user.chat_stream(&json!({"message": "Hi"})).await.finish().await;
    assert!(!transcript.text().is_empty());
    let paid = user.chat(&json!({"model": MODEL, "message": "Hi"})).await;
    assert_eq!(paid.status, 404, "the demo model is all there is: {paid:?}");
}

async fn pages_of_the_history_are_checked(store: Store) {
    let server = server(store, "5").await;
    let user = server.user();
    for (query, field) in [
        ("page=0", "page"),
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("page=x", "page"),
    ] {
        let answer = user.get(&format!("{}?{query}", super::HISTORY)).await;
        answer.error(422, "VALIDATION_ERROR");
        assert_eq!(answer.invalid_fields(), [field], "{query}");
    }
}
