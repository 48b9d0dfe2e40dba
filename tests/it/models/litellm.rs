//! The catalog of a real LiteLLM proxy. `scripts/test` starts it and says where it is.

use serde_json::{Value, json};

use super::{ROUTE, list, refresh};
use crate::litellm_e2e;
use crate::support::Client;

async fn model(user: &Client, id: &str) -> Value {
    user.get(&format!("{ROUTE}/{id}")).await.data(200)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_proxy_knows_is_known() {
    let server = litellm_e2e::start().await;
    let user = server.user();
    let ids = super::ids(&user, "").await;
    for id in ["gpt-4o-mini", "claude-sonnet", "mock-error", "dead-upstream"] {
        assert!(ids.contains(&id.to_owned()), "{id} in {ids:?}");
    }
    let own = model(&user, "gpt-4o-mini").await;
    assert_eq!(
        (&own["provider"], &own["mode"], &own["name"]),
        (&json!("openai"), &json!("chat"), &json!("GPT-4o Mini"))
    );
    assert_eq!(
        own["limits"],
        json!({"context_window": 128_000, "max_output_tokens": 16_384})
    );
    assert_eq!(own["pricing"]["input_per_1m"], 0.15);
    assert_eq!(own["pricing"]["output_per_1m"], 0.6);
    assert_eq!(own["metadata"]["priced_by"], "model_group_info");
    assert_eq!(own["supports_vision"], true);
    assert_eq!(
        own["metadata"]["sources"],
        json!(["model_group_info", "model_info", "models", "well_known"])
    );
    let alias = model(&user, "claude-sonnet").await;
    assert_eq!(
        (&alias["provider"], &alias["name"]),
        (&json!("anthropic"), &json!("claude-sonnet"))
    );
    assert_eq!(alias["limits"]["context_window"], 200_000);
    let unknown = model(&user, "dead-upstream").await;
    assert!(
        unknown["pricing"]["input_per_1m"].is_null(),
        "its zero is no price: {unknown}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn reading_it_again_changes_nothing() {
    let server = litellm_e2e::start().await;
    let user = server.user();
    let before = list(&user, "").await;
    let report = refresh(&user).await;
    assert_eq!((&report["added"], &report["removed"]), (&json!(0), &json!(0)));
    assert_eq!(list(&user, "").await["data"], before["data"]);
    let metrics = server.anonymous().get("/metrics").await.text();
    for kind in ["model", "price", "limit"] {
        let nothing = format!(r#"catalog_dropped_total{{kind="{kind}"}} 0"#);
        assert!(
            metrics.contains(&nothing),
            "LiteLLM's own answers are read without a loss"
        );
    }
}
