//! A database that does not answer says nothing of a key: who has a good one is not told that it is bad.

use futures_util::future::join_all;

use super::{CONVERSATIONS, Key};
use crate::support::{PrivatePostgres, TestServer, eventually};

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_away_makes_no_key_wrong() {
    let mut postgres = PrivatePostgres::start().await;
    let url = postgres.url();
    let server = TestServer::with([("DATABASE_URL", url.as_str())]).await;
    let user = server.user();
    let key = Key::with_scopes(&user, &["conversations:read"]).await;
    postgres.crash();
    // More than the failures that an address has: none of these is one.
    let client = key.client(&user);
    for refused in join_all((0..40).map(|_| client.get(CONVERSATIONS))).await {
        refused.error(503, "STORE_UNAVAILABLE");
        assert_eq!(refused.header("retry-after"), "1");
    }
    let metrics = user.get("/metrics").await.text();
    assert!(
        metrics.contains("api_keys_total{operation=\"refused\"} 0\n"),
        "{metrics}"
    );
    postgres.launch().await;
    eventually("the key to be let in", async || {
        let answer = client.get(CONVERSATIONS).await;
        (answer.status == 200).then_some(())
    })
    .await;
}
