//! Streams that outlive a connection: replay, resume, cancel, disconnect.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::client::text;
use crate::support::{
    Answer, Client, EventStream, Gate, MODEL, Reply, Store, TestServer, eventually, on_each_store, token,
};

on_each_store!(
    an_ended_stream_is_replayed_from_its_start,
    a_replay_goes_on_after_the_last_event_seen,
    a_client_comes_back_to_a_running_answer,
    a_second_viewer_sees_the_same,
    only_the_owner_sees_a_stream,
    a_stream_is_forgotten_after_its_time_but_not_its_message,
    a_conversation_leads_to_its_running_stream,
    cancelling_stops_the_model_and_keeps_what_there_is,
    cancelling_an_ended_answer_changes_nothing,
    after_cancelling_the_conversation_goes_on,
    an_unknown_stream_cannot_be_cancelled,
    on_request_leaving_cancels,
    by_setting_leaving_cancels_unless_asked_otherwise,
    coming_back_within_the_grace_keeps_the_answer,
    the_place_to_go_on_must_be_a_number,
    the_disconnect_policy_must_be_known,
    draining_refuses_new_answers_and_finishes_the_running_one,
);

fn ask() -> Value {
    json!({"model": MODEL, "message": "Hi"})
}

fn path_of(stream_id: &str) -> String {
    format!("/v1/chat/streams/{stream_id}")
}

/// An answer that has shown "one" and goes on when the gate opens.
struct Running {
    stream: EventStream,
    id: String,
    conversation: String,
    gate: Gate,
}

impl Running {
    async fn start(server: &TestServer, user: &Client) -> Self {
        Self::start_with(server, user, None).await
    }

    async fn start_with(server: &TestServer, user: &Client, on_disconnect: Option<&str>) -> Self {
        let gate = Gate::new();
        server
            .upstream
            .script(MODEL, [Reply::stream().text("one").wait(&gate).text("two").end()]);
        let mut request = user.request(Method::POST, "/v1/chat/completions");
        if let Some(policy) = on_disconnect {
            request = request.header("x-on-disconnect", policy);
        }
        let mut stream = EventStream::open(request.json(&ask())).await;
        let first = stream.next().await.expect("a first chunk").json();
        stream.until_text("one").await;
        Self {
            id: stream.stream_id(),
            conversation: text(&first["conversation_id"]),
            stream,
            gate,
        }
    }

    /// Closes the client's connection.
    fn disconnect(self) -> (String, String, Gate) {
        (self.id, self.conversation, self.gate)
    }
}

/// The stored answer once it has this status.
async fn stored(user: &Client, conversation: &str, status: &str) -> Value {
    eventually("the stored answer", async || {
        let messages = user.messages(conversation).await;
        messages
            .into_iter()
            .find(|message| message["role"] == "assistant" && message["status"] == status)
    })
    .await
}

async fn an_ended_stream_is_replayed_from_its_start(store: Store) {
    let server = TestServer::on(store).await;
    let user = server.user();
    let stream = user.chat_stream(&ask()).await;
    let id = stream.stream_id();
    let original = stream.finish().await;
    let replay = user.stream(&path_of(&id)).await;
    assert_eq!(replay.stream_id(), id);
    assert_eq!(replay.finish().await, original);
}

async fn a_replay_goes_on_after_the_last_event_seen(store: Store) {
    let server = TestServer::on(store).await;
    let user = server.user();
    let stream = user.chat_stream(&ask()).await;
    let path = path_of(&stream.stream_id());
    let original = stream.finish().await;
    let seen = original.events[1].id;

    let request = user
        .request(Method::GET, &path)
        .header("last-event-id", seen.to_string());
    assert_eq!(
        EventStream::open(request).await.finish().await.events,
        original.events[2..]
    );
    let by_query = user.stream(&format!("{path}?after={seen}")).await;
    assert_eq!(by_query.finish().await.events, original.events[2..]);
}

async fn a_client_comes_back_to_a_running_answer(store: Store) {
    let server = TestServer::on(store).await;
    let user = server.user();
    let running = Running::start(&server, &user).await;
    let (id, _, gate) = running.disconnect();
    let mut resumed = user.stream(&path_of(&id)).await;
    resumed.until_text("one").await;
    gate.open();
    resumed.until_text("two").await;
    resumed.finish().await;
}

async fn a_second_viewer_sees_the_same(store: Store) {
    let server = TestServer::on(store).await;
    let user = server.user();
    let Running { stream, id, gate, .. } = Running::start(&server, &user).await;
    let viewer = user.stream(&path_of(&id)).await;
    gate.open();
    let (first, second) = tokio::join!(stream.finish(), viewer.finish());
    assert_eq!(
        second.events[2..],
        first.events,
        "the first viewer had read two events before"
    );
    assert_eq!(second.text(), "onetwo");
}

async fn only_the_owner_sees_a_stream(store: Store) {
    let server = TestServer::on(store).await;
    let user = server.user();
    let Running {
        stream,
        id,
        gate,
        conversation,
    } = Running::start(&server, &user).await;
    let stranger = server.user();
    let missing = token::new_uuid().to_string();
    let foreign = stranger.get(&path_of(&id)).await;
    let absent = stranger.get(&path_of(&missing)).await;
    assert_eq!(without_ids(&foreign, &id), without_ids(&absent, &missing));
    let cancel = format!("{}/cancel", path_of(&id));
    stranger
        .post(&cancel, &json!({}))
        .await
        .error(404, "STREAM_NOT_FOUND");
    let of_conversation = stranger
        .get(&format!("/v1/conversations/{conversation}/stream"))
        .await;
    of_conversation.error(404, "CONVERSATION_NOT_FOUND");
    gate.open();
    assert_eq!(stream.finish().await.text(), "two", "and nobody else cancels it");
}

fn without_ids(answer: &Answer, id: &str) -> String {
    let error = answer.error(404, "STREAM_NOT_FOUND");
    answer
        .text()
        .replace(&text(&error["request_id"]), "")
        .replace(id, "")
}

async fn a_stream_is_forgotten_after_its_time_but_not_its_message(store: Store) {
    let server = TestServer::on_with(store, [("STREAM_RETENTION_SECONDS", "1")]).await;
    let user = server.user();
    let stream = user.chat_stream(&ask()).await;
    let path = path_of(&stream.stream_id());
    let message = stream.finish().await.message();
    let answer = eventually("the stream to be forgotten", async || {
        let answer = user.get(&path).await;
        (answer.status != 200).then_some(answer)
    })
    .await;
    let error = answer.error(404, "STREAM_NOT_FOUND");
    assert_eq!(error["details"]["message_id"], message);
}

async fn a_conversation_leads_to_its_running_stream(store: Store) {
    let server = TestServer::on(store).await;
    let user = server.user();
    let Running {
        stream,
        id,
        gate,
        conversation,
    } = Running::start(&server, &user).await;
    let path = format!("/v1/conversations/{conversation}/stream");
    let viewer = user.stream(&path).await;
    assert_eq!(viewer.stream_id(), id);
    gate.open();
    assert_eq!(viewer.finish().await.text(), "onetwo");
    stream.finish().await;
    let ended = user.get(&path).await;
    assert_eq!((ended.status, ended.body.len()), (204, 0));
}

async fn cancelling_stops_the_model_and_keeps_what_there_is(store: Store) {
    let server = TestServer::on(store).await;
    let user = server.user();
    let Running {
        stream,
        id,
        conversation,
        ..
    } = Running::start(&server, &user).await;
    let cancel = format!("{}/cancel", path_of(&id));
    assert_eq!(user.post(&cancel, &json!({})).await.status, 200);
    server.upstream.wait_for_hang_up(Duration::from_secs(1)).await;

    let transcript = stream.finish().await;
    let last = transcript.last();
    assert_eq!(last["choices"], json!([]), "the closing chunk, no error: {last}");
    let answer = stored(&user, &conversation, "cancelled").await;
    assert_eq!(answer["id"], transcript.message());
    assert_eq!(
        (&answer["content"], &answer["finish_reason"]),
        (&json!("one"), &json!("cancelled"))
    );

    assert_eq!(
        user.post(&cancel, &json!({})).await.status,
        200,
        "cancelling again changes nothing"
    );
    assert_eq!(user.messages(&conversation).await[1], answer);
}

async fn cancelling_an_ended_answer_changes_nothing(store: Store) {
    let server = TestServer::on(store).await;
    let user = server.user();
    let stream = user.chat_stream(&ask()).await;
    let cancel = format!("{}/cancel", path_of(&stream.stream_id()));
    let transcript = stream.finish().await;
    assert_eq!(user.post(&cancel, &json!({})).await.status, 200);
    assert_eq!(
        user.messages(&transcript.conversation()).await[1]["status"],
        "completed"
    );
}

async fn after_cancelling_the_conversation_goes_on(store: Store) {
    let server = TestServer::on(store).await;
    let user = server.user();
    let Running {
        stream,
        id,
        conversation,
        ..
    } = Running::start(&server, &user).await;
    user.post(&format!("{}/cancel", path_of(&id)), &json!({})).await;
    stream.finish().await;
    server.upstream.script(MODEL, [Reply::answer(["next"])]);
    let body = json!({"model": MODEL, "message": "And?", "conversation_id": conversation});
    assert_eq!(user.chat_stream(&body).await.finish().await.text(), "next");
}

async fn an_unknown_stream_cannot_be_cancelled(store: Store) {
    let server = TestServer::on(store).await;
    let path = format!("{}/cancel", path_of(&token::new_uuid().to_string()));
    server
        .user()
        .post(&path, &json!({}))
        .await
        .error(404, "STREAM_NOT_FOUND");
}

async fn on_request_leaving_cancels(store: Store) {
    let server = TestServer::on_with(store, [("DISCONNECT_GRACE_SECONDS", "0")]).await;
    let user = server.user();
    let running = Running::start_with(&server, &user, Some("cancel")).await;
    let (_, conversation, _gate) = running.disconnect();
    server.upstream.wait_for_hang_up(Duration::from_secs(2)).await;
    let answer = stored(&user, &conversation, "cancelled").await;
    assert_eq!(answer["content"], "one");
}

async fn by_setting_leaving_cancels_unless_asked_otherwise(store: Store) {
    let settings = [("ON_DISCONNECT", "cancel"), ("DISCONNECT_GRACE_SECONDS", "0")];
    let server = TestServer::on_with(store, settings).await;
    let user = server.user();
    let (_, conversation, _gate) = Running::start(&server, &user).await.disconnect();
    stored(&user, &conversation, "cancelled").await;

    let running = Running::start_with(&server, &user, Some("continue")).await;
    let (_, conversation, gate) = running.disconnect();
    gate.open();
    assert_eq!(
        stored(&user, &conversation, "completed").await["content"],
        "onetwo"
    );
}

async fn coming_back_within_the_grace_keeps_the_answer(store: Store) {
    let settings = [("ON_DISCONNECT", "cancel"), ("DISCONNECT_GRACE_SECONDS", "20")];
    let server = TestServer::on_with(store, settings).await;
    let user = server.user();
    let (id, _, gate) = Running::start(&server, &user).await.disconnect();
    let resumed = user.stream(&path_of(&id)).await;
    gate.open();
    assert_eq!(resumed.finish().await.text(), "onetwo");
}

async fn the_place_to_go_on_must_be_a_number(store: Store) {
    let server = TestServer::on(store).await;
    let user = server.user();
    let stream = user.chat_stream(&ask()).await;
    let path = path_of(&stream.stream_id());
    stream.finish().await;
    for bad in ["abc", "-1", "1.5"] {
        let request = user.request(Method::GET, &path).header("last-event-id", bad);
        Answer::to(request).await.error(422, "VALIDATION_ERROR");
        user.get(&format!("{path}?after={bad}"))
            .await
            .error(422, "VALIDATION_ERROR");
    }
}

async fn the_disconnect_policy_must_be_known(store: Store) {
    let server = TestServer::on(store).await;
    let request = server.user().request(Method::POST, "/v1/chat/completions");
    let answer = Answer::to(request.header("x-on-disconnect", "maybe").json(&ask())).await;
    answer.error(422, "VALIDATION_ERROR");
    assert_eq!(server.upstream.chats().len(), 0);
}

async fn draining_refuses_new_answers_and_finishes_the_running_one(store: Store) {
    let server = TestServer::on_with(store, [("SHUTDOWN_TIMEOUT", "20")]).await;
    let user = server.user();
    let Running { stream, gate, .. } = Running::start(&server, &user).await;
    server.drain();
    eventually("the server to be not ready", async || {
        (user.get("/ready").await.status == 503).then_some(())
    })
    .await;
    let refused = user.chat(&ask()).await;
    refused.error(503, "DRAINING");
    assert!(!refused.header("retry-after").is_empty());
    gate.open();
    assert_eq!(stream.finish().await.text(), "two");
}
