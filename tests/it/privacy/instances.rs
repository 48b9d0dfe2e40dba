//! Erasing at one instance what others hold.

use serde_json::json;

use super::{ERASE, key};
use crate::support::{MODEL, Machine, Reply, eventually};

#[tokio::test(flavor = "multi_thread")]
async fn all_instances_forget() {
    let machine = Machine::with_redis().await;
    let (here, there) = tokio::join!(machine.instance("here"), machine.instance("there"));
    let user = here.user();
    let elsewhere = user.at(&there.base);
    let key = key(&user, "owner").await.client(&elsewhere);

    // An answer that has ended, and one that is being written, at the other instance.
    machine.upstream.script(
        MODEL,
        [Reply::answer(["one"]), Reply::stream().text("two").hang()],
    );
    let ask = json!({"model": MODEL, "message": "Hi"});
    let ended = key.chat_stream(&ask).await;
    let ended_path = format!("/v1/chat/streams/{}", ended.stream_id());
    ended.finish().await;
    assert_eq!(user.get(&ended_path).await.status, 200);
    let mut running = elsewhere.chat_stream(&ask).await;
    running.until_text("two").await;
    let running_path = format!("/v1/chat/streams/{}", running.stream_id());
    assert_eq!(
        elsewhere.get("/v1/conversations").await.data(200)["pagination"]["total"],
        2
    );

    let erased = user.delete(ERASE).await.data(200);
    assert_eq!(
        (
            &erased["conversations"],
            &erased["api_keys"],
            &erased["unfinished_answers"]
        ),
        (&json!(2), &json!(1), &json!(0))
    );
    key.get("/v1/conversations").await.error(401, "INVALID_API_KEY");
    running.finish().await;
    for user in [&user, &elsewhere] {
        eventually("the streams to be forgotten", async || {
            let ended = user.get(&ended_path).await.status;
            let running = user.get(&running_path).await.status;
            ((ended, running) == (404, 404)).then_some(())
        })
        .await;
        assert_eq!(
            user.get("/v1/conversations").await.data(200)["pagination"]["total"],
            0
        );
    }
}
