//! Merges that must not happen, and what they leave as it was.

use ai_chat_orchestrator::models::branch::BranchStatus;
use ai_chat_orchestrator::models::ids::BranchId;
use ai_chat_orchestrator::services::conversations::{Merge, StoreError};

use super::merge::{Forked, diverged, forked, head};
use crate::store::chat::asked;
use crate::store::databases::TestStore;
use crate::store::imports::chain;

pub async fn only_a_fast_forward_can_be_asked_for(store: &TestStore) {
    let user = store.user();
    let fast = Merge {
        fast_forward_only: true,
        ..Merge::default()
    };
    let Forked { chat, main, side, .. } = diverged(&user).await;
    let refused = chat.try_merge(side, fast).await;
    assert!(matches!(refused, Err(StoreError::Conflict(_))), "{refused:?}");
    assert_eq!(chat.texts(main).await, ["one", "1", "m"]);
    assert_eq!(chat.branch(side).await.status, BranchStatus::Active);
    let Forked { chat, main, side, .. } = forked(&user).await;
    chat.say_on(side, "a").await;
    assert!(chat.try_merge(side, fast).await.expect("a merge").fast_forward);
    assert_eq!(chat.texts(main).await, ["one", "1", "a"]);
}

pub async fn a_head_that_somebody_moved_is_a_conflict(store: &TestStore) {
    let user = store.user();
    let Forked {
        chat,
        main,
        side,
        base,
    } = diverged(&user).await;
    let expecting = |head| Merge {
        expected_target_head: Some(head),
        ..Merge::default()
    };
    let refused = chat.try_merge(side, expecting(base)).await;
    assert!(matches!(refused, Err(StoreError::Conflict(_))), "{refused:?}");
    assert_eq!(chat.texts(main).await, ["one", "1", "m"]);
    let head = head(&chat, main).await.expect("a head");
    chat.try_merge(side, expecting(head)).await.expect("a merge");
}

pub async fn main_is_merged_but_never_deleted(store: &TestStore) {
    let user = store.user();
    let Forked { chat, main, side, .. } = diverged(&user).await;
    let delete = Merge {
        target: Some(side),
        delete_source: true,
        ..Merge::default()
    };
    let refused = chat.try_merge(main, delete).await;
    assert!(matches!(refused, Err(StoreError::BranchIsMain)), "{refused:?}");
    assert_eq!(chat.texts(side).await, ["one", "1", "a", "b"]);
    chat.merge(main, side).await;
    assert_eq!(chat.texts(side).await, ["one", "1", "a", "b", "m"]);
    assert_eq!(chat.branch(main).await.status, BranchStatus::Merged);
}

pub async fn a_branch_merges_with_another_that_is_there(store: &TestStore) {
    let user = store.user();
    let Forked { chat, main, side, .. } = diverged(&user).await;
    for branch in [main, side] {
        let same = Merge {
            target: Some(branch),
            ..Merge::default()
        };
        let refused = chat.try_merge(branch, same).await;
        assert!(matches!(refused, Err(StoreError::Conflict(_))), "{refused:?}");
    }
    let other = user.chat().await.main().await.id;
    for unknown in [other, BranchId::new(&store.clock)] {
        let into_unknown = Merge {
            target: Some(unknown),
            ..Merge::default()
        };
        for refused in [
            chat.try_merge(side, into_unknown).await,
            chat.try_merge(unknown, Merge::default()).await,
        ] {
            assert!(matches!(refused, Err(StoreError::BranchNotFound)), "{refused:?}");
        }
    }
}

pub async fn a_running_answer_on_either_branch_is_in_the_way(store: &TestStore) {
    let user = store.user();
    let Forked { chat, main, side, .. } = diverged(&user).await;
    for branch in [main, side] {
        let running = chat
            .begin(chat.at(Some(branch), None), asked("wait"))
            .await
            .expect("a turn");
        let refused = chat.try_merge(side, Merge::default()).await;
        let stream = running.stream;
        assert!(
            matches!(refused, Err(StoreError::GenerationInProgress { stream_id }) if stream_id == stream),
            "{refused:?}"
        );
        chat.end(&running, "done").await;
    }
    chat.merge(side, main).await;
}

pub async fn a_running_answer_elsewhere_is_not_in_the_way(store: &TestStore) {
    let user = store.user();
    let Forked {
        chat,
        main,
        side,
        base,
    } = diverged(&user).await;
    chat.fork(base).await;
    let running = chat.ask("wait").await;
    chat.merge(side, main).await;
    chat.end(&running, "done").await;
}

pub async fn a_merge_copies_no_more_than_the_limit(store: &TestStore) {
    let user = store.user();
    let length = store.limits.messages as usize - 2;
    let (id, _) = store
        .import_conversation(&user.caller, chain("long", length))
        .await
        .expect("an import");
    let chat = user.open(id);
    let main = chat.main().await.id;
    let path = chat.path(None).await;
    let side = chat.fork(path[length - 2].id).await;
    chat.say("a").await;
    chat.say("b").await;
    let refused = chat.try_merge(side, Merge::default()).await;
    assert!(
        matches!(refused, Err(StoreError::LimitReached { .. })),
        "{refused:?}"
    );
    assert_eq!(chat.texts(main).await.len(), length);
    assert_eq!(chat.branch(side).await.status, BranchStatus::Active);
}
