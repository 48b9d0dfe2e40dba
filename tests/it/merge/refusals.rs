//! What is not merged: a clear refusal, and nothing is changed.

use serde_json::json;

use super::{forked, merge};
use crate::support::{Store, TestServer, on_each_store, token};

on_each_store!(
    a_fast_forward_that_is_none_is_refused,
    a_moved_target_is_a_conflict,
    a_branch_is_merged_into_any_other_but_not_into_itself,
    merging_can_be_switched_off,
    the_fields_of_a_merge_are_checked,
);

async fn a_fast_forward_that_is_none_is_refused(store: Store) {
    let server = TestServer::on(store).await;
    let (tree, main, branch) = forked(&server).await;
    let refused = tree
        .post(
            &format!("/branches/{branch}/merge"),
            &json!({"strategy": "fast_forward"}),
        )
        .await;
    let error = refused.error(409, "CONFLICT");
    assert_eq!(error["type"], "conflict_error");
    assert_eq!(refused.header("x-should-retry"), "false");
    assert_eq!(tree.texts(&main).await, ["one", "first"]);
    assert_eq!(tree.branch(&branch).await["status"], "active");
}

async fn a_moved_target_is_a_conflict(store: Store) {
    let server = TestServer::on(store).await;
    let (tree, main, branch) = forked(&server).await;
    let seen = tree.branch(&main).await["head_message_id"].take();
    let moved = tree.add_on(&main, "user", "meanwhile").await;
    let path = format!("/branches/{branch}/merge");
    let refused = tree.post(&path, &json!({"expected_target_head_id": seen})).await;
    refused.error(409, "CONFLICT");
    assert_eq!(refused.header("x-should-retry"), "false");
    assert_eq!(tree.texts(&main).await, ["one", "first", "meanwhile"]);
    merge(&tree, &branch, &json!({"expected_target_head_id": moved})).await;
    assert_eq!(tree.texts(&main).await, ["one", "first", "meanwhile", "x", "y"]);
}

async fn a_branch_is_merged_into_any_other_but_not_into_itself(store: Store) {
    let server = TestServer::on(store).await;
    let (tree, main, branch) = forked(&server).await;
    let merged = merge(&tree, &main, &json!({"target_branch_id": branch})).await;
    assert_eq!(
        (&merged["target_branch_id"], &merged["merged_message_count"]),
        (&json!(branch), &json!(1))
    );
    assert_eq!(tree.texts(&branch).await, ["one", "x", "y", "first"]);
    for (source, body) in [(&main, json!({})), (&branch, json!({"target_branch_id": branch}))] {
        tree.post(&format!("/branches/{source}/merge"), &body)
            .await
            .error(409, "CONFLICT");
    }
    let missing = token::new_uuid().to_string();
    for (source, target) in [(&branch, &missing), (&missing, &main)] {
        let body = json!({"target_branch_id": target});
        tree.post(&format!("/branches/{source}/merge"), &body)
            .await
            .error(404, "BRANCH_NOT_FOUND");
    }
}

async fn merging_can_be_switched_off(store: Store) {
    let server = TestServer::on_with(store, [("ENABLE_BRANCH_MERGING", "false")]).await;
    let (tree, main, branch) = forked(&server).await;
    let refused = tree.post(&format!("/branches/{branch}/merge"), &json!({})).await;
    let error = refused.error(403, "FEATURE_DISABLED");
    assert_eq!(error["type"], "permission_error");
    assert_eq!(tree.texts(&main).await, ["one", "first"]);
}

async fn the_fields_of_a_merge_are_checked(store: Store) {
    let server = TestServer::on(store).await;
    let (tree, main, branch) = forked(&server).await;
    for (field, value) in [
        ("target_branch_id", json!("main")),
        ("strategy", json!("squash")),
        ("delete_source_branch", json!("yes")),
        ("expected_target_head_id", json!(1)),
        ("dry_run", json!(1)),
    ] {
        let answer = tree
            .post(&format!("/branches/{branch}/merge"), &json!({field: value}))
            .await;
        assert_eq!(answer.status, 422, "{field} = {value}: {answer:?}");
        assert_eq!(answer.invalid_fields(), [field]);
    }
    assert_eq!(tree.texts(&main).await, ["one", "first"]);
}
