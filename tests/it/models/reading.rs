//! When the model server is read, and what holds while it cannot be.

use serde_json::json;

use super::{ROUTE, empty, ids, list, refresh, script_groups};
use crate::support::upstream::refusing_url;
use crate::support::{MODEL, Reply, TestServer, eventually};

#[tokio::test(flavor = "multi_thread")]
async fn it_is_read_at_the_start_and_only_with_our_key() {
    let server = TestServer::start().await;
    assert_eq!(ids(&server.user(), "").await, [MODEL]);
    let asked = server.upstream.requests();
    for path in ["/model_group/info", "/model/info", "/v1/models"] {
        let request = asked.iter().find(|request| request.path == path).expect(path);
        assert_eq!(request.header("authorization"), "Bearer sk-upstream-master");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn reading_again_tells_what_has_changed() {
    let server = TestServer::start().await;
    let user = server.user();
    server.upstream.script_path("/models", empty());
    script_groups(
        &server.upstream,
        json!([{"model_group": "a"}, {"model_group": "b"}]),
    );
    assert_eq!(
        refresh(&user).await,
        json!({"models": 2, "added": 2, "removed": 1})
    );
    script_groups(
        &server.upstream,
        json!([{"model_group": "b"}, {"model_group": "c"}, {"model_group": "d"}]),
    );
    assert_eq!(
        refresh(&user).await,
        json!({"models": 3, "added": 2, "removed": 1})
    );
    assert_eq!(
        refresh(&user).await,
        json!({"models": 3, "added": 0, "removed": 0})
    );
    assert_eq!(ids(&user, "").await, ["b", "c", "d"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_read_again_when_its_time_is_over() {
    let server = TestServer::with([("CACHE_TTL_MODELS", "1")]).await;
    let user = server.user();
    assert_eq!(ids(&user, "").await, [MODEL]);
    script_groups(&server.upstream, json!([{"model_group": "new"}]));
    eventually("the new model", async || {
        ids(&user, "").await.contains(&"new".to_owned()).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_known_is_shown_while_the_model_server_fails() {
    let server = TestServer::start().await;
    let user = server.user();
    script_groups(
        &server.upstream,
        json!([{"model_group": "a", "input_cost_per_token": 1e-06}]),
    );
    refresh(&user).await;
    let before = list(&user, "").await;
    // One list fails: what it said before is kept, the others are new.
    server
        .upstream
        .script_path("/model_group/info", Reply::error(500, "server_error", "boom"));
    server
        .upstream
        .script_path("/models", Reply::json(200, &json!({"data": [{"id": "b"}]})));
    assert_eq!(
        refresh(&user).await,
        json!({"models": 2, "added": 1, "removed": 1})
    );
    let partly = list(&user, "").await;
    assert_eq!(
        (&partly["data"][0], &partly["metadata"]["stale"]),
        (&before["data"][0], &json!(true))
    );
    // All fail: everything is kept.
    server
        .upstream
        .script_path("/models", Reply::error(503, "server_error", "boom"));
    let refused = user.post(&format!("{ROUTE}/refresh"), &json!({})).await;
    refused.error(503, "UPSTREAM_UNAVAILABLE");
    let wholly = list(&user, "").await;
    assert_eq!(
        (&wholly["data"], &wholly["metadata"]["stale"]),
        (&partly["data"], &json!(true))
    );
    assert_eq!(
        wholly["metadata"]["refreshed_at"],
        partly["metadata"]["refreshed_at"]
    );
    let metrics = server.anonymous().get("/metrics").await.text();
    assert!(metrics.contains("catalog_stale 1"), "{metrics}");
    // They are back.
    script_groups(&server.upstream, json!([]));
    server.upstream.script_path("/models", empty());
    assert_eq!(
        refresh(&user).await,
        json!({"models": 0, "added": 0, "removed": 2})
    );
    assert_eq!(list(&user, "").await["metadata"]["stale"], false);
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_that_are_not_there_say_nothing() {
    let server = TestServer::start().await;
    let user = server.user();
    script_groups(&server.upstream, json!([{"model_group": "a"}]));
    refresh(&user).await;
    for status in [401, 403, 404, 405] {
        server
            .upstream
            .script_path("/model_group/info", Reply::error(status, "auth_error", "no"));
        refresh(&user).await;
        let body = list(&user, "").await;
        assert_eq!(super::ids_of(&body["data"]), [MODEL], "{status}");
        assert_eq!(body["metadata"]["stale"], false, "{status}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_list_or_too_large_is_a_failure_of_that_list_alone() {
    let server = TestServer::start().await;
    let user = server.user();
    let endless = " ".repeat(17 * 1024 * 1024);
    for reply in [
        Reply::raw(200, "text/html", "<html>a page</html>"),
        Reply::raw(200, "application/json", ""),
        Reply::raw(200, "application/json", "[{\"id\":\"a\"}"),
        Reply::raw(200, "application/json", endless),
        Reply::head(200, "application/json").bytes("[").cut(),
        Reply::default().reset(),
    ] {
        server.upstream.script_path("/model_group/info", reply);
        assert_eq!(refresh(&user).await["models"], 1);
        assert_eq!(ids(&user, "").await, [MODEL]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_any_reading_the_reason_is_told() {
    let server = TestServer::with([("LITELLM_URL", &refusing_url())]).await;
    let user = server.user();
    for path in [
        "",
        "/providers",
        "/search?q=a",
        "/compare?model_ids=a,b",
        "/gpt-4o",
    ] {
        let answer = user.get(&format!("{ROUTE}{path}")).await;
        answer.error(503, "UPSTREAM_UNAVAILABLE");
        assert_eq!(answer.header("retry-after"), "1");
    }
    let server = TestServer::start().await;
    for path in ["/model_group/info", "/model/info", "/models"] {
        server
            .upstream
            .script_path(path, Reply::error(401, "auth_error", "bad key"));
    }
    let refused = server.user().post(&format!("{ROUTE}/refresh"), &json!({})).await;
    refused.error(502, "UPSTREAM_AUTH_FAILED");
}
