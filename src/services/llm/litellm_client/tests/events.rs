//! What a stream or a completion brings, well-formed and not.

use super::upstream::{Step, answer, stream, stream_start};
use super::*;
use crate::utils::sse::MAX_EVENT_BYTES;

async fn play(script: Vec<Step>) -> Vec<String> {
    let upstream = Upstream::start(vec![script]).await;
    let stream = client(&upstream).stream(&call()).await.expect("a stream");
    transcript(stream).await
}

async fn play_impatiently(script: Vec<Step>) -> Vec<String> {
    let upstream = Upstream::start(vec![script]).await;
    let stream = impatient_client(&upstream)
        .stream(&call())
        .await
        .expect("a stream");
    transcript(stream).await
}

async fn refusal(script: Vec<Step>) -> ModelErrorKind {
    let upstream = Upstream::start(vec![script]).await;
    refused(&client(&upstream)).await
}

#[tokio::test]
async fn passes_chunks_on_byte_for_byte() {
    let events = play(stream(&data(&[FIRST, TOKEN, END, "[DONE]"]))).await;
    assert_eq!(events, [FIRST, TOKEN, END, "done"]);
}

#[tokio::test]
async fn reads_any_framing() {
    let events = format!(
        "\u{feff}: ping\r\n\r\nevent: x\r\ndata:{FIRST}\r\n\r\ndata: {}\rdata: {}\r\rdata: {END}\n\ndata:\n\ndata:[DONE]\n\n",
        &TOKEN[..10],
        &TOKEN[10..],
    );
    let joined = format!("{}\n{}", &TOKEN[..10], &TOKEN[10..]);
    assert_eq!(play(stream(&events)).await, [FIRST, &joined, END, "done"]);
}

#[tokio::test]
async fn a_character_may_be_cut_between_reads() {
    let first = data(&[FIRST]);
    let token = data(&[TOKEN]).into_bytes();
    let cut = TOKEN.find('ö').expect("an umlaut") + "data: ".len() + 1;
    let mut script = vec![stream_start(&first)];
    for part in [&token[..cut], &token[cut..]] {
        script.push(Step::Write(
            [format!("{:x}\r\n", part.len()).as_bytes(), part, b"\r\n"].concat(),
        ));
        script.push(Step::Wait(Duration::from_millis(20)));
    }
    script.push(Step::Write(b"0\r\n\r\n".to_vec()));
    assert_eq!(play(script).await, [FIRST, TOKEN]);
}

#[tokio::test]
async fn nothing_follows_done_or_an_error() {
    assert_eq!(
        play(stream(&data(&[FIRST, "[DONE]", TOKEN]))).await,
        [FIRST, "done"]
    );
    assert_eq!(
        play(stream(&data(&[FIRST, ERROR, "[DONE]"]))).await,
        [FIRST, "failed"]
    );
    let odd_error = r#"{"choices":[],"error" : {"message":"boom","code":"500"}}"#;
    assert_eq!(
        play(stream(&data(&[FIRST, odd_error, TOKEN]))).await,
        [FIRST, "failed"]
    );
}

#[tokio::test]
async fn what_is_no_json_is_for_the_reader_of_the_chunks_to_find() {
    let quoted = r#"{"choices":[{"delta":{"content":"the word \"error\""}}]}"#;
    assert_eq!(
        play(stream(&data(&[FIRST, quoted, "{not json"]))).await,
        [FIRST, quoted, "{not json"]
    );
}

#[tokio::test]
async fn the_end_without_done_is_just_the_end() {
    assert_eq!(play(stream(&data(&[FIRST, END]))).await, [FIRST, END]);
}

#[tokio::test]
async fn a_cut_and_a_silence_are_errors() {
    assert_eq!(
        play(vec![stream_start(&data(&[FIRST]))]).await,
        [FIRST, "interrupted"]
    );
    let silent = vec![stream_start(&data(&[FIRST])), Step::Hang];
    assert_eq!(play_impatiently(silent).await, [FIRST, "timeout"]);
}

#[tokio::test]
async fn comments_do_not_count_as_chunks() {
    let mut script = vec![stream_start(&data(&[FIRST]))];
    for _ in 0..10 {
        script.push(Step::Wait(Duration::from_millis(50)));
        script.push(Step::Write(b"8\r\n: ping\n\n\r\n".to_vec()));
    }
    script.push(Step::Hang);
    assert_eq!(play_impatiently(script).await, [FIRST, "timeout"]);
}

#[tokio::test]
async fn too_large_an_event_ends_the_stream() {
    let large = format!("{{\"x\":\"{}\"}}", "x".repeat(MAX_EVENT_BYTES));
    assert_eq!(play(stream(&data(&[FIRST, &large]))).await, [FIRST, "too_large"]);
}

#[tokio::test]
async fn what_cannot_be_stored_is_replaced() {
    let given = r#"{"choices":[{"delta":{"content":"a\u0000\ud83d"}}]}"#;
    let expected = r#"{"choices":[{"delta":{"content":"a\ufffd\ufffd"}}]}"#;
    assert_eq!(play(stream(&data(&[given]))).await, [expected]);
}

#[tokio::test]
async fn the_note_on_a_fallback_is_dropped() {
    let note = r#"{"id":"litellm-fallback-metadata","choices":[]}"#;
    assert_eq!(play(stream(&data(&[note, FIRST, note, END]))).await, [FIRST, END]);
}

#[tokio::test]
async fn no_chunk_is_no_answer() {
    for (script, expected) in [
        (answer(200, "", ""), ModelErrorKind::Failed),
        (stream(": ping\n\n"), ModelErrorKind::Failed),
        (stream(&data(&["[DONE]"])), ModelErrorKind::Failed),
        (stream(&data(&[ERROR])), ModelErrorKind::Failed),
        (stream(&data(&["{not json"])), ModelErrorKind::Garbled),
        (
            stream(&data(&[r#"{"error":{"message":"x","code":"429"}}"#])),
            ModelErrorKind::RateLimited,
        ),
        (vec![stream_start("")], ModelErrorKind::Failed),
        (vec![], ModelErrorKind::Failed),
        (answer(500, "", data(&[ERROR])), ModelErrorKind::Failed),
        (
            answer(301, "location: http://127.0.0.1:1/\r\n", ""),
            ModelErrorKind::WrongAddress,
        ),
    ] {
        let shown = format!("{script:?}");
        assert_eq!(refusal(script).await, expected, "{shown}");
    }
}

#[tokio::test]
async fn a_silence_instead_of_an_answer_is_a_timeout() {
    for script in [vec![Step::Hang], vec![stream_start(""), Step::Hang]] {
        let upstream = Upstream::start(vec![script]).await;
        let client = impatient_client(&upstream);
        let expected = ModelErrorKind::Timeout(TimeoutStage::FirstToken);
        assert_eq!(refused(&client).await, expected);
        let error = client.complete(&call()).await.expect_err("no answer");
        assert_eq!(error.kind(), ModelErrorKind::Timeout(TimeoutStage::Total));
    }
}

#[tokio::test]
async fn retry_after_comes_along() {
    let upstream = Upstream::start(vec![answer(429, "retry-after: 60\r\n", "")]).await;
    let error = client(&upstream).stream(&call()).await.err().expect("an error");
    assert_eq!(error.retry_after(), Some(Duration::from_secs(60)));
}

#[tokio::test]
async fn dropping_the_stream_cancels_the_request() {
    let upstream = Upstream::start(vec![vec![stream_start(&data(&[FIRST])), Step::Hang]]).await;
    let stream = client(&upstream).stream(&call()).await.expect("a stream");
    drop(stream);
    let left = timeout(Duration::from_secs(5), upstream.left.notified()).await;
    assert!(left.is_ok());
}

#[tokio::test]
async fn a_completion_is_passed_on_with_its_cost() {
    let upstream = Upstream::start(vec![answer(
        200,
        "x-litellm-response-cost: 1.32e-05\r\n",
        COMPLETION,
    )])
    .await;
    let completion = client(&upstream).complete(&call()).await.expect("an answer");
    assert_eq!(completion.body, COMPLETION);
    assert_eq!(completion.cost, Some(Money::from_nano(13_200)));
    assert_eq!(completion.usage.and_then(|usage| usage.total_tokens), Some(28));
    let request = &upstream.requests()[0];
    assert!(
        request.starts_with("POST /v1/chat/completions HTTP/1.1"),
        "{request}"
    );
    assert!(request.contains("authorization: Bearer sk-master") && request.contains(r#""stream":false"#));
}

#[tokio::test]
async fn the_cost_in_the_usage_goes_first_unless_it_is_zero() {
    for (cost, expected) in [("2e-6", 2_000), ("0", 13_200), (r#"{"total_cost":3e-6}"#, 3_000)] {
        let body = format!(r#"{{"choices":[],"usage":{{"cost":{cost}}}}}"#);
        let upstream =
            Upstream::start(vec![answer(200, "x-litellm-response-cost: 1.32e-05\r\n", body)]).await;
        let completion = client(&upstream).complete(&call()).await.expect("an answer");
        assert_eq!(completion.cost, Some(Money::from_nano(expected)), "{cost}");
    }
}

#[tokio::test]
async fn a_completion_that_is_none_is_an_error() {
    for (script, expected) in [
        (answer(200, "", ""), ModelErrorKind::Failed),
        (answer(200, "", "<html>"), ModelErrorKind::Garbled),
        (answer(200, "", "[1]"), ModelErrorKind::Garbled),
        (answer(200, "", ERROR), ModelErrorKind::Failed),
        (answer(504, "", ""), ModelErrorKind::Timeout(TimeoutStage::Total)),
    ] {
        let upstream = Upstream::start(vec![script]).await;
        let error = client(&upstream).complete(&call()).await.expect_err("an error");
        assert_eq!(error.kind(), expected);
    }
}
