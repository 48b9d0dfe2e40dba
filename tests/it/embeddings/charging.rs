//! What embeddings cost, and whom.

use serde_json::json;

use super::{balance, charged, embed, request, server};
use crate::support::{Gate, MODEL, Reply, Store, on_each_store};

on_each_store!(
    what_the_model_counts_is_charged,
    while_they_are_made_their_worst_case_is_reserved,
    what_the_model_does_not_count_is_estimated_and_marked,
    attempts_are_entered_one_by_one,
    refused_ones_cost_nothing,
    who_goes_away_pays_for_what_was_asked,
    many_at_once_spend_no_more_than_the_budget,
);

async fn what_the_model_counts_is_charged(store: Store) {
    let server = server(store, "1").await;
    let user = server.user();
    server.upstream.script(MODEL, [Reply::embeddings(&request(), 7)]);
    assert_eq!(embed(&user, &request()).await.status, 200);
    let balance = balance(&user).await;
    assert_eq!(
        (&balance["spend"], &balance["reserved"]),
        (&json!(0.000_007), &json!(0)),
        "settled before the answer"
    );
    let [entry] = &server.ledger().await.entries().await[..] else {
        panic!("one entry")
    };
    assert_eq!((entry.user_id, &*entry.status), (user.user, "completed"));
    assert_eq!((entry.prompt_tokens, entry.completion_tokens), (7, 0));
    assert_eq!(
        (entry.cost, entry.estimated, entry.streamed),
        (Some(7_000), false, false)
    );
    assert_eq!((entry.conversation_id, entry.message_id), (None, None));
    let metrics = server.anonymous().get("/metrics").await.text();
    for expected in [
        format!(r#"embeddings_total{{model="{MODEL}",status="completed"}} 1"#),
        format!(r#"embeddings_tokens_total{{model="{MODEL}"}} 7"#),
        format!(r#"revenue_total_usd{{model="{MODEL}"}} 0.000007"#),
        r#"upstream_requests_total{operation="embeddings",result="ok",upstream="llm"} 1"#.to_owned(),
        "reservation_overruns_total 0".to_owned(),
        "unpriced_completions_total 0".to_owned(),
    ] {
        assert!(metrics.contains(&expected), "{expected}\n{metrics}");
    }
}

async fn while_they_are_made_their_worst_case_is_reserved(store: Store) {
    let server = server(store, "1").await;
    let user = server.user();
    let gate = Gate::new();
    server
        .upstream
        .script(MODEL, [Reply::held(&gate, Reply::embeddings(&request(), 3))]);
    let body = json!({"model": MODEL, "input": ["höflich", "ja"]});
    let (answer, ()) = tokio::join!(embed(&user, &body), async {
        server.upstream.wait_for_embeddings(1).await;
        // Ten bytes, and what may be put around two inputs.
        assert_eq!(balance(&user).await["reserved"], 0.000_014);
        gate.open();
    });
    assert_eq!(answer.status, 200);
    assert_eq!(balance(&user).await["available_balance"], 0.999_997);
}

async fn what_the_model_does_not_count_is_estimated_and_marked(store: Store) {
    let server = server(store, "1").await;
    let user = server.user();
    let text = json!({"model": MODEL, "input": "a".repeat(400)});
    let ids = json!({"model": MODEL, "input": [1, 2, 3]});
    for (usage, body, tokens, estimated) in [
        (json!(null), &text, 100, true),
        (json!({"prompt_tokens": 0, "total_tokens": 0}), &text, 100, true),
        (json!({"prompt_tokens": -5}), &ids, 3, true),
        (json!({"total_tokens": 9}), &ids, 9, false),
    ] {
        let answer = json!({"object": "list", "data": [], "usage": usage});
        server.upstream.script(MODEL, [Reply::json(200, &answer)]);
        assert_eq!(embed(&user, body).await.status, 200);
        let entries = server.ledger().await.entries().await;
        let entry = entries.last().expect("an entry");
        assert_eq!(
            (entry.prompt_tokens, entry.completion_tokens, entry.estimated),
            (tokens, 0, estimated),
            "{usage}"
        );
        assert_eq!(entry.cost, Some(tokens * 1_000));
    }
}

async fn attempts_are_entered_one_by_one(store: Store) {
    let server = server(store, "1").await;
    let user = server.user();
    let busy = Reply::error(503, "server_error", "busy");
    server
        .upstream
        .script(MODEL, [busy, Reply::embeddings(&request(), 4)]);
    assert_eq!(embed(&user, &request()).await.status, 200);
    let entries = server.ledger().await.entries().await;
    let told: Vec<_> = entries
        .iter()
        .map(|entry| (&*entry.status, entry.error.as_deref(), entry.cost))
        .collect();
    assert_eq!(
        told,
        [
            ("retried", Some("unavailable"), None),
            ("completed", None, Some(4_000))
        ]
    );
}

async fn refused_ones_cost_nothing(store: Store) {
    let server = server(store, "1").await;
    let user = server.user();
    server
        .upstream
        .script(MODEL, [Reply::error(400, "invalid_request_error", "no")]);
    embed(&user, &request()).await.error(400, "UPSTREAM_REJECTED");
    let balance = balance(&user).await;
    assert_eq!(
        (&balance["spend"], &balance["available_balance"]),
        (&json!(0), &json!(1))
    );
    let entries = server.ledger().await.entries().await;
    assert_eq!((&*entries[0].status, entries[0].prompt_tokens), ("failed", 0));
}

async fn who_goes_away_pays_for_what_was_asked(store: Store) {
    let server = server(store, "1").await;
    let user = server.user();
    let gate = Gate::new();
    server
        .upstream
        .script(MODEL, [Reply::held(&gate, Reply::embeddings(&request(), 6))]);
    let body = request();
    tokio::select! {
        answer = embed(&user, &body) => panic!("a held model answered: {answer:?}"),
        () = server.upstream.wait_for_embeddings(1) => {}
    }
    assert_eq!(balance(&user).await["spend"], 0);
    gate.open();
    assert_eq!(charged(&user).await["spend"], 0.000_006);
    let entries = server.ledger().await.entries().await;
    assert_eq!((&*entries[0].status, entries[0].estimated), ("completed", false));
}

async fn many_at_once_spend_no_more_than_the_budget(store: Store) {
    // Enough for four at worst, each of which costs half of that.
    let server = server(store, "0.000048").await;
    let user = server.user();
    server.upstream.script(MODEL, [Reply::embeddings(&request(), 6)]);
    let body = request();
    let asked = (0..15).map(|_| embed(&user, &body));
    let statuses: Vec<u16> = futures_util::future::join_all(asked)
        .await
        .iter()
        .map(|answer| answer.status)
        .collect();
    let answered = statuses.iter().filter(|status| **status == 200).count();
    assert!(answered >= 4 && statuses.iter().all(|status| [200, 402].contains(status)));
    let balance = balance(&user).await;
    assert_eq!(balance["reserved"], 0);
    let entries = server.ledger().await.entries().await;
    let charged: i64 = entries.iter().filter_map(|entry| entry.cost).sum();
    assert_eq!(
        charged,
        6_000 * i64::try_from(answered).expect("a few"),
        "{balance}"
    );
    assert!(charged <= 48_000, "{charged}");
}
