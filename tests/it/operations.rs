//! What operators and tools look at: health, metrics, documentation; and that nothing else is open.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::process::free_port;
use crate::support::upstream::refusing_url;
use crate::support::{
    Answer, Client, Gate, MODEL, Reply, Store, TestServer, eventually, on_each_store, token,
};

on_each_store!(connections_to_the_database_are_counted);

/// Every metric family, as `docs` promises them.
const FAMILIES: &[&str] = &[
    "http_requests_total",
    "http_request_duration_seconds",
    "http_requests_in_flight",
    "http_rejections_total",
    "chat_completions_total",
    "chat_tokens_total",
    "chat_completion_duration_seconds",
    "chat_time_to_first_token_seconds",
    "chat_overhead_seconds",
    "embeddings_total",
    "embeddings_tokens_total",
    "active_streams_current",
    "stream_subscribers_current",
    "stream_resumes_total",
    "stream_disconnects_total",
    "generations_recovered_total",
    "outbox_pending",
    "outbox_oldest_seconds",
    "outbox_dead_letters",
    "outbox_lost_total",
    "conversations_total",
    "messages_total",
    "revenue_total_usd",
    "unpriced_completions_total",
    "catalog_models",
    "catalog_stale",
    "catalog_dropped_total",
    "upstream_requests_total",
    "upstream_request_duration_seconds",
    "upstream_retries_total",
    "circuit_breaker_state",
    "errors_total",
    "best_effort_failures_total",
    "db_pool_connections",
    "cache_operations_total",
    "cache_entries",
    "cache_backend_up",
    "rate_limit_decisions_total",
    "api_keys_total",
    "build_info",
    "process_resident_memory_bytes",
    "process_cpu_seconds_total",
    "process_open_fds",
];

/// Every route, with its parameters unnamed.
const ROUTES: &[(&str, &str)] = &[
    ("get", "/"),
    ("get", "/health"),
    ("get", "/ready"),
    ("get", "/live"),
    ("get", "/metrics"),
    ("get", "/info"),
    ("post", "/v1/chat/completions"),
    ("get", "/v1/chat/streams/{}"),
    ("post", "/v1/chat/streams/{}/cancel"),
    ("get", "/v1/conversations"),
    ("post", "/v1/conversations"),
    ("get", "/v1/conversations/{}"),
    ("get", "/v1/conversations/{}/full"),
    ("get", "/v1/conversations/{}/stream"),
    ("get", "/v1/models"),
    ("get", "/v1/models/providers"),
    ("get", "/v1/models/search"),
    ("get", "/v1/models/compare"),
    ("get", "/v1/models/{}"),
    ("post", "/v1/models/refresh"),
    ("get", "/v1/users/me/api-keys"),
    ("post", "/v1/users/me/api-keys"),
    ("patch", "/v1/users/me/api-keys/{}"),
    ("delete", "/v1/users/me/api-keys/{}"),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_running_server_is_live_ready_and_healthy() {
    let server = TestServer::start().await;
    let stranger = server.anonymous();
    assert_eq!(stranger.get("/live").await.status, 200);
    assert_eq!(stranger.get("/ready").await.status, 200);
    let answer = stranger.get("/health").await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let health = answer.json();
    assert_eq!(health["status"], "healthy");
    assert_eq!(health["version"], env!("CARGO_PKG_VERSION"));
    assert!(
        health["uptime_seconds"].is_number() && health["timestamp"].is_string(),
        "{health}"
    );
    let services = health["services"].as_object().expect("services");
    assert!(!services.is_empty());
    for (name, service) in services {
        assert!(
            service["status"].is_string() && service["latency_ms"].is_number(),
            "{name}: {service}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn health_never_makes_paid_calls() {
    let server = TestServer::start().await;
    server.anonymous().get("/health").await;
    let asked: BTreeSet<_> = server
        .upstream
        .requests()
        .into_iter()
        .map(|request| request.path)
        .collect();
    let free = [
        "/health/liveliness",
        "/health/readiness",
        "/models",
        "/v1/models",
        "/model_group/info",
        "/model/info",
    ];
    assert!(
        asked.iter().all(|path| free.contains(&path.as_str())),
        "{asked:?}"
    );
    assert!(!asked.is_empty(), "the model server was asked whether it lives");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_model_server_chat_cannot_work() {
    let server = TestServer::with([("LITELLM_URL", &refusing_url())]).await;
    let answer = server.anonymous().get("/health").await;
    assert_eq!(answer.status, 503, "{answer:?}");
    assert_eq!(answer.json()["status"], "unhealthy");
    assert!(
        !answer.text().contains("127.0.0.1"),
        "no address of an upstream: {answer:?}"
    );
    assert_eq!(server.anonymous().get("/live").await.status, 200);
    assert_eq!(
        server.anonymous().get("/ready").await.status,
        200,
        "it can serve what is stored"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn every_metric_family_is_there_from_the_start() {
    let server = TestServer::start().await;
    let answer = server.anonymous().get("/metrics").await;
    assert_eq!(answer.status, 200);
    assert!(
        answer
            .header("content-type")
            .starts_with("text/plain; version=0.0.4"),
        "{answer:?}"
    );
    let text = answer.text();
    for family in FAMILIES {
        assert!(
            text.contains(&format!("# HELP {family} ")),
            "no help for {family}"
        );
        assert!(
            text.contains(&format!("# TYPE {family} ")),
            "no type for {family}"
        );
    }
    for reason in [
        "auth",
        "scope",
        "validation",
        "rate_limit",
        "overload",
        "too_large",
    ] {
        let sample = format!("http_rejections_total{{reason=\"{reason}\"}} 0");
        assert!(text.lines().any(|line| line == sample), "no {sample} in\n{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_count_answers_by_model_and_routes_by_template() {
    let server = TestServer::start().await;
    let user = server.user();
    let transcript = user
        .chat_stream(&json!({"model": MODEL, "message": "Hi"}))
        .await
        .finish()
        .await;
    user.messages(&transcript.conversation()).await;
    user.get("/v1/nothing-here").await;

    let id = user.user;
    let completed = format!(
        r#"chat_completions_total{{model="{MODEL}",status="completed",stream="true",user="{id}"}} 1"#
    );
    // An answer is counted after its `[DONE]`.
    let text = eventually("the answer to be counted", async || {
        let text = server.anonymous().get("/metrics").await.text();
        text.contains(&completed).then_some(text)
    })
    .await;
    let template = "/v1/conversations/{id}/full";
    for expected in [
        format!(r#"chat_tokens_total{{model="{MODEL}",type="output"}} 3"#),
        r#"messages_total{role="assistant"} 1"#.to_owned(),
        r#"conversations_total{operation="created"} 1"#.to_owned(),
        "unpriced_completions_total 1".to_owned(),
        format!(r#"http_requests_total{{endpoint="{template}",method="GET",status="200"}} 1"#),
        r#"http_requests_total{endpoint="unmatched",method="GET",status="404"} 1"#.to_owned(),
    ] {
        assert!(
            text.lines().any(|line| line == expected),
            "no {expected} in\n{text}"
        );
    }
    assert!(!text.contains(&transcript.conversation()), "no id in a label");
}

/// How many requests were refused for this reason.
async fn refused(server: &TestServer, reason: &str) -> u32 {
    let text = server.anonymous().get("/metrics").await.text();
    let sample = format!("http_rejections_total{{reason=\"{reason}\"}} ");
    let count = text.lines().find_map(|line| line.strip_prefix(&sample));
    count.expect("a sample").parse().expect("a count")
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_are_counted_by_their_reason() {
    let server = TestServer::with([
        ("MAX_BODY_BYTES", "1024"),
        ("RATE_LIMIT_ENABLED", "true"),
        ("USER_RATE_LIMIT_PER_MINUTE", "1"),
        ("USER_RATE_LIMIT_BURST", "2"),
    ])
    .await;
    let user = server.user();
    let create = async |title: Value| user.post("/v1/conversations", &json!({"title": title})).await;
    create(json!("a".repeat(2000)))
        .await
        .error(413, "PAYLOAD_TOO_LARGE");
    create(json!(7)).await.error(422, "VALIDATION_ERROR");
    create(json!("a")).await.error(429, "RATE_LIMIT_EXCEEDED");
    for (reason, expected) in [
        ("too_large", 1),
        ("validation", 1),
        ("rate_limit", 1),
        ("auth", 0),
    ] {
        assert_eq!(refused(&server, reason).await, expected, "{reason}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_for_which_there_is_no_room_are_counted() {
    let server = TestServer::with([("MAX_CONCURRENT_REQUESTS", "1")]).await;
    let user = server.user();
    let gate = Gate::new();
    let held = Reply::stream().text("one").wait(&gate).end();
    server.upstream.script(MODEL, [held]);
    let mut stream = user.chat_stream(&json!({"model": MODEL, "message": "Hi"})).await;
    stream.until_text("one").await;
    user.get("/v1/conversations").await.error(503, "OVERLOADED");
    assert_eq!(refused(&server, "overload").await, 1);
    gate.open();
    stream.finish().await;
}

/// The gauge is read every few seconds, the first time at the start.
async fn connections_to_the_database_are_counted(store: Store) {
    let server = TestServer::on(store).await;
    let stranger = server.anonymous();
    eventually("connections", async || {
        let text = stranger.get("/metrics").await.text();
        let samples = text
            .lines()
            .filter(|line| line.starts_with("db_pool_connections{"));
        let counts = samples.filter_map(|line| line.rsplit(' ').next()?.parse::<u32>().ok());
        (counts.sum::<u32>() > 0).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_can_be_kept_behind_a_token() {
    let server = TestServer::with([("METRICS_TOKEN", "scrape-me")]).await;
    let stranger = server.anonymous();
    assert_eq!(stranger.get("/metrics").await.status, 401);
    assert_eq!(
        server.user().get("/metrics").await.status,
        401,
        "a user's token is another token"
    );
    assert_eq!(stranger.with_token("scrape-me").get("/metrics").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_can_have_a_port_of_their_own() {
    let port = free_port().to_string();
    let server = TestServer::with([("METRICS_PORT", &port)]).await;
    server.anonymous().get("/metrics").await.error(404, "NOT_FOUND");
    let scraper = Client::anonymous(&format!("http://127.0.0.1:{port}"));
    assert_eq!(scraper.get("/metrics").await.status, 200);
    assert_eq!(
        scraper.get("/v1/conversations").await.status,
        404,
        "and nothing else is there"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_can_be_switched_off() {
    let server = TestServer::with([("ENABLE_METRICS", "false")]).await;
    server.anonymous().get("/metrics").await.error(404, "NOT_FOUND");
}

#[tokio::test(flavor = "multi_thread")]
async fn info_tells_what_is_running() {
    let server = TestServer::start().await;
    let info = server.anonymous().get("/info").await;
    assert_eq!(info.status, 200);
    assert!(
        !info.text().contains(token::SECRET) && !info.text().contains("sk-"),
        "nothing secret"
    );
    let info = info.json();
    for name in [
        "service",
        "version",
        "commit",
        "environment",
        "features",
        "limits",
        "backends",
    ] {
        assert!(info.get(name).is_some(), "no {name} in {info}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_root_is_an_index_and_for_browsers_a_page() {
    let server = TestServer::start().await;
    let stranger = server.anonymous();
    assert!(stranger.get("/").await.json().is_object());
    let browser = stranger
        .request(Method::GET, "/")
        .header("accept", "text/html,*/*;q=0.8");
    let page = Answer::to(browser).await;
    assert_eq!(page.status, 200);
    assert!(page.header("content-type").starts_with("text/html"), "{page:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_documentation_needs_no_other_server() {
    let server = TestServer::start().await;
    let page = server.anonymous().get("/docs/").await;
    assert_eq!(page.status, 200, "{page:?}");
    assert!(page.header("content-type").starts_with("text/html"), "{page:?}");
    let text = page.text();
    let elsewhere = |part: &&str| part.starts_with("http") || part.starts_with("//");
    let foreign: Vec<_> = text.split(['"', '\'']).filter(elsewhere).collect();
    assert!(foreign.is_empty(), "the page loads {foreign:?}");
    assert_eq!(
        server.anonymous().get("/docs/swagger-ui-bundle.js").await.status,
        200
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_openapi_document_lists_every_route() {
    let server = TestServer::start().await;
    let documented: BTreeSet<_> = operations(&document(&server).await)
        .into_iter()
        .map(|(method, path)| (method, with_parameters(&path, "{}")))
        .collect();
    for (method, path) in ROUTES {
        let route = ((*method).to_owned(), (*path).to_owned());
        assert!(documented.contains(&route), "{route:?} is not in {documented:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_under_v1_is_open() {
    // Each request comes from an address of its own, since failures of one address are limited.
    let server = TestServer::with([("TRUSTED_PROXIES", "127.0.0.0/8")]).await;
    let stranger = server.anonymous();
    let mut walked = 0;
    for (method, path) in operations(&document(&server).await) {
        if !path.starts_with("/v1") {
            continue;
        }
        let path = with_parameters(&path, &token::new_uuid().to_string());
        let method: Method = method.to_uppercase().parse().expect("a method");
        let address = format!("192.0.2.{walked}");
        let request = stranger.request(method.clone(), &path);
        let answer = Answer::to(request.header("x-forwarded-for", address)).await;
        assert_eq!(answer.status, 401, "{method} {path}: {answer:?}");
        answer.error(401, "MISSING_AUTH_HEADER");
        walked += 1;
    }
    assert!(walked >= 31, "only {walked} routes are documented");
}

/// The API document, as it is served.
pub async fn document(server: &TestServer) -> Value {
    let answer = server.anonymous().get("/openapi.json").await;
    assert_eq!(answer.status, 200);
    answer.json()
}

/// Every method and path of an OpenAPI document.
pub fn operations(document: &Value) -> Vec<(String, String)> {
    const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];
    let paths = document["paths"].as_object().expect("paths");
    let pairs = paths.iter().flat_map(|(path, item)| {
        let methods = item.as_object().expect("an item").keys();
        methods
            .filter(|method| METHODS.contains(&method.as_str()))
            .map(|method| (method.clone(), path.clone()))
    });
    pairs.collect()
}

/// The path with each `{parameter}` replaced.
fn with_parameters(path: &str, value: &str) -> String {
    let segments = path
        .split('/')
        .map(|segment| if segment.starts_with('{') { value } else { segment });
    segments.collect::<Vec<_>>().join("/")
}
