//! Repetitions, fallbacks, the breaker and the health check.

use super::upstream::{answer, stream};
use super::*;

fn good() -> Vec<upstream::Step> {
    stream(&data(&[FIRST, END, "[DONE]"]))
}

#[tokio::test]
async fn repeats_until_a_first_chunk_arrives() {
    let upstream = Upstream::start(vec![answer(503, "", ""), stream(&data(&[ERROR])), good()]).await;
    let mut settings = settings(&upstream.url);
    settings.max_retries = 2;
    let client = client_with(&settings);
    let stream = client.stream(&call()).await.expect("a stream");
    assert_eq!(&*stream.model, "asked");
    assert!(stream.waited >= Duration::from_millis(150));
    assert_eq!(transcript(stream).await, [FIRST, END, "done"]);
    assert_eq!(upstream.requests().len(), 3);
    let text = client.metrics.render().expect("metrics");
    assert!(
        text.contains(r#"upstream_retries_total{operation="chat",upstream="llm"} 2"#),
        "{text}"
    );
    assert!(
        text.contains(r#"upstream_requests_total{operation="chat",result="unavailable",upstream="llm"} 1"#)
    );
}

#[tokio::test]
async fn does_not_repeat_after_the_first_chunk_nor_what_cannot_help() {
    for script in [
        stream(&data(&[FIRST, ERROR])),
        answer(400, "", ""),
        answer(429, "retry-after: 2\r\n", ""),
    ] {
        let upstream = Upstream::start(vec![script]).await;
        let mut settings = settings(&upstream.url);
        settings.max_retries = 2;
        if let Ok(stream) = client_with(&settings).stream(&call()).await {
            transcript(stream).await;
        }
        assert_eq!(upstream.requests().len(), 1);
    }
}

#[tokio::test]
async fn falls_back_to_another_model_and_names_it() {
    let upstream = Upstream::start(vec![answer(500, "", ""), answer(200, "", COMPLETION)]).await;
    let mut settings = settings(&upstream.url);
    settings.fallbacks = vec![fallback("asked", &["spare"]), fallback("other", &["wrong"])];
    let completion = client_with(&settings).complete(&call()).await.expect("an answer");
    assert_eq!(&*completion.model, "spare");
    assert!(upstream.requests()[1].contains(r#""model":"spare""#));
}

#[tokio::test]
async fn the_breaker_opens_after_twenty_failures() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("bound"));
    drop(listener);
    let client = client_with(&settings(&url));
    for _ in 0..20 {
        let error = client.complete(&call()).await.expect_err("nobody listens");
        assert_eq!(
            (error.kind(), error.retry_after()),
            (ModelErrorKind::Unavailable, None)
        );
    }
    let error = client.complete(&call()).await.expect_err("the breaker is open");
    assert_eq!(error.kind(), ModelErrorKind::Unavailable);
    assert!(error.retry_after() > Some(Duration::from_secs(4)));
}

#[tokio::test]
async fn health_asks_litellm_first_and_any_server_for_its_models() {
    let not_found = || answer(404, "", "");
    for (scripts, asked, healthy) in [
        (
            vec![answer(200, "", "\"I'm alive!\"")],
            vec!["/health/liveliness"],
            true,
        ),
        (
            vec![not_found(), answer(200, "", "{}")],
            vec!["/health/liveliness", "/health/readiness"],
            true,
        ),
        (
            vec![not_found(), not_found(), answer(200, "", "{}")],
            vec!["/health/liveliness", "/health/readiness", "/v1/models"],
            true,
        ),
        (
            vec![not_found(), not_found(), answer(401, "", "{}")],
            vec!["/health/liveliness", "/health/readiness", "/v1/models"],
            false,
        ),
    ] {
        let upstream = Upstream::start(scripts).await;
        assert_eq!(client(&upstream).check().await.is_ok(), healthy);
        let requests = upstream.requests();
        let paths: Vec<_> = requests
            .iter()
            .filter_map(|request| request.split(' ').nth(1))
            .collect();
        assert_eq!(paths, asked);
    }
}
