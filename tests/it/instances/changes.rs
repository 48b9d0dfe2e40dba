//! What one instance changes and another has cached.

use std::time::Duration;

use serde_json::json;
use sqlx::PgConnection;

use super::TAKEN_OVER_WITHIN;
use crate::support::client::text;
use crate::support::time::{eventually, pass, within_limit};
use crate::support::{Client, Machine};

/// Changes a title as an instance does that dies before it can tell.
async fn rename_untold(database: &mut PgConnection, title: &str) {
    sqlx::query("UPDATE conversations SET title = $1")
        .bind(title)
        .execute(database)
        .await
        .expect("a changed row");
}

async fn title(user: &Client, path: &str) -> String {
    text(&user.get(path).await.data(200)["title"])
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_dead_instance_changed_and_did_not_tell_is_seen() {
    let machine = Machine::with_redis().await;
    let (mut here, there) = tokio::join!(machine.instance("here"), machine.instance("there"));
    let user = there.user();
    let conversation = user.post("/v1/conversations", &json!({"title": "0"})).await;
    let path = format!("/v1/conversations/{}", text(&conversation.data(201)["id"]));
    let mut database = machine.database().await;
    // Until it is served from the cache, and for longer than what is believed without hearing of others.
    let mut changes = 0;
    let last = eventually("a title that is not the newest", async || {
        title(&user, &path).await;
        changes += 1;
        let newest = changes.to_string();
        rename_untold(&mut database, &newest).await;
        pass(Duration::from_millis(1_500)).await;
        (title(&user, &path).await != newest).then_some(newest)
    })
    .await;

    here.kill();
    let seen = async {
        while title(&user, &path).await != last {
            pass(Duration::from_millis(100)).await;
        }
    };
    within_limit(TAKEN_OVER_WITHIN, "the newest title", seen).await;
}

/// Changes a name as nobody does who tells.
async fn call_untold(database: &mut PgConnection, name: &str) {
    sqlx::query("UPDATE users SET display_name = $1")
        .bind(name)
        .execute(database)
        .await
        .expect("a changed row");
}

async fn name(user: &Client) -> String {
    text(&user.get("/v1/users/me").await.data(200)["display_name"])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_that_is_changed_here_is_changed_there() {
    let machine = Machine::with_redis().await;
    let (here, there) = tokio::join!(machine.instance("here"), machine.instance("there"));
    let user = here.user();
    let elsewhere = user.at(&there.base);
    user.patch("/v1/users/me", &json!({"display_name": "0"}))
        .await
        .data(200);
    let mut database = machine.database().await;
    // Until both serve it from the cache, for longer than what is believed without hearing of others.
    let mut changes = 0;
    eventually("a name that both have cached", async || {
        tokio::join!(name(&user), name(&elsewhere));
        changes += 1;
        let newest = changes.to_string();
        call_untold(&mut database, &newest).await;
        pass(Duration::from_millis(1_500)).await;
        (name(&user).await != newest && name(&elsewhere).await != newest).then_some(())
    })
    .await;

    user.patch("/v1/users/me/preferences", &json!({"theme": "dark"}))
        .await
        .data(200);
    let newest = changes.to_string();
    assert_eq!(name(&user).await, newest, "at once where it was changed");
    let seen = async {
        while name(&elsewhere).await != newest {
            pass(Duration::from_millis(20)).await;
        }
    };
    within_limit(Duration::from_secs(2), "the change elsewhere", seen).await;
}
