//! OpenAI-compatible streams are stored nowhere; those that go on without a reader are found through Redis.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;

use crate::support::process::Process;
use crate::support::time::{eventually, within_limit};
use crate::support::{Client, EventStream, Gate, MODEL, Machine, Reply};

/// Two instances, and a stream at the first that goes on when its reader goes away.
struct Stateless {
    machine: Machine,
    here: Process,
    there: Process,
    gate: Gate,
    user: Client,
    stream: EventStream,
}

impl Stateless {
    async fn new() -> Self {
        let machine = Machine::with_redis().await;
        let slow_to_despair = [("REDIS_TIMEOUT_MS", "500")];
        let (here, there) = tokio::join!(
            machine.instance("here"),
            machine.instance_with("there", &slow_to_despair)
        );
        let gate = Gate::new();
        let reply = Reply::stream().text("one").wait(&gate).text("two").end();
        machine.upstream.script(MODEL, [reply]);
        let messages = json!([{"role": "user", "content": "Hi"}]);
        let user = here.user();
        let request = user
            .request(Method::POST, "/v1/chat/completions")
            .header("X-On-Disconnect", "continue")
            .json(&json!({"model": MODEL, "stream": true, "messages": messages}));
        let mut stream = EventStream::open(request).await;
        stream.until_text("one").await;
        Self {
            machine,
            here,
            there,
            gate,
            user,
            stream,
        }
    }

    fn path(&self) -> String {
        format!("/v1/chat/streams/{}", self.stream.stream_id())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_read_at_another_instance() {
    let stateless = Stateless::new().await;
    let user = stateless.user.at(&stateless.there.base);
    let mut there = user.stream(&stateless.path()).await;
    there.until_text("one").await;
    let stranger = stateless.there.user();
    stranger
        .get(&stateless.path())
        .await
        .error(404, "STREAM_NOT_FOUND");
    stateless.gate.open();
    assert_eq!(there.finish().await.text(), "two");
    let here = stateless.user.stream(&stateless.path()).await.finish().await;
    assert_eq!(user.stream(&stateless.path()).await.finish().await, here);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_cancelled_at_another_instance() {
    let stateless = Stateless::new().await;
    let user = stateless.user.at(&stateless.there.base);
    let path = format!("{}/cancel", stateless.path());
    let stranger = stateless.there.user();
    stranger
        .post(&path, &json!({}))
        .await
        .error(404, "STREAM_NOT_FOUND");
    let cancelled = user.post(&path, &json!({})).await.data(200);
    assert_eq!(cancelled["status"], "cancelled");
    let upstream = &stateless.machine.upstream;
    upstream.wait_for_hang_up(Duration::from_secs(5)).await;
    assert_eq!(stateless.stream.finish().await.text(), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_told_that_it_is_not_there_while_that_is_in_doubt() {
    let mut stateless = Stateless::new().await;
    let user = stateless.user.at(&stateless.there.base);
    let path = stateless.path();
    stateless.machine.redis().pause();
    // The first waits in vain, the others do not wait.
    for _ in 0..3 {
        user.get(&path).await.error(503, "STORE_UNAVAILABLE");
    }
    let cancel = async || user.post(&format!("{path}/cancel"), &json!({})).await;
    cancel().await.error(503, "STORE_UNAVAILABLE");
    stateless.machine.redis().resume();
    // Redis is asked again when a heartbeat has come back.
    eventually("the stream to be found", async || {
        let answer = cancel().await;
        (answer.status == 200).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn its_readers_learn_that_its_instance_died() {
    let mut stateless = Stateless::new().await;
    let user = stateless.user.at(&stateless.there.base);
    let mut there = user.stream(&stateless.path()).await;
    there.until_text("one").await;
    stateless.here.kill();
    let error = within_limit(Duration::from_secs(30), "the error", there.try_next()).await;
    let error = error.expect("the body goes on").expect("an event").json();
    assert_eq!(error["error"]["code"], "STREAM_INTERRUPTED");
    assert_eq!(there.next().await.expect("an end").data, "[DONE]");
}
