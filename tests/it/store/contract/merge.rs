//! Merging one branch into another.

use std::collections::HashSet;

use ai_chat_orchestrator::models::branch::{BranchStatus, MergeResult};
use ai_chat_orchestrator::models::ids::{BranchId, MessageId};
use ai_chat_orchestrator::models::message::MessageStatus;
use ai_chat_orchestrator::services::conversations::Merge;
use serde_json::{Value, json};

use crate::store::chat::Chat;
use crate::store::databases::TestStore;
use crate::store::user::User;

/// A conversation of two branches that share their first exchange.
pub(super) struct Forked<'a> {
    pub(super) chat: Chat<'a>,
    pub(super) main: BranchId,
    pub(super) side: BranchId,
    /// The last message that both share.
    pub(super) base: MessageId,
}

/// Main: one 1. Side, which is active: one 1.
pub(super) async fn forked<'a>(user: &'a User<'_>) -> Forked<'a> {
    let chat = user.chat().await;
    let main = chat.main().await.id;
    let base = chat.exchange("one", "1").await.answer;
    let side = chat.fork(base).await;
    Forked {
        chat,
        main,
        side,
        base,
    }
}

/// Main: one 1 m. Side: one 1 a b.
pub(super) async fn diverged<'a>(user: &'a User<'_>) -> Forked<'a> {
    let forked = forked(user).await;
    forked.chat.say_on(forked.main, "m").await;
    forked.chat.exchange("a", "b").await;
    forked
}

pub(super) async fn head(chat: &Chat<'_>, branch: BranchId) -> Option<MessageId> {
    chat.branch(branch).await.head_message_id
}

/// What a merge of so many messages by copying answers.
fn copied(target: BranchId, count: u64, head: Option<MessageId>) -> MergeResult {
    MergeResult {
        target_branch_id: target,
        merged_message_count: count,
        fast_forward: false,
        already_merged: count == 0,
        head_message_id: head,
        dry_run: false,
    }
}

pub async fn where_the_target_ends_at_the_base_its_head_moves(store: &TestStore) {
    let user = store.user();
    let Forked { chat, main, side, .. } = forked(&user).await;
    let last = chat.exchange("a", "b").await.answer;
    let before = chat.read().await;
    let merged = chat.merge(side, main).await;
    let expected = MergeResult {
        fast_forward: true,
        ..copied(main, 2, Some(last))
    };
    assert_eq!(merged, expected);
    assert_eq!(chat.texts(main).await, ["one", "1", "a", "b"]);
    let after = chat.read().await;
    assert_eq!(after.message_count, before.message_count, "nothing is copied");
    assert_eq!(chat.branch(side).await.status, BranchStatus::Merged);
    assert_eq!(
        after.active_branch_id, main,
        "what is said next is said where both are"
    );
    assert_eq!(
        chat.texts(side).await,
        ["one", "1", "a", "b"],
        "it can still be read"
    );
}

pub async fn elsewhere_what_follows_the_base_is_copied(store: &TestStore) {
    let user = store.user();
    let Forked { chat, main, side, .. } = diverged(&user).await;
    let before = chat.read().await;
    let originals = chat.path(Some(side)).await;
    let merged = chat.merge(side, main).await;
    assert_eq!(merged, copied(main, 2, head(&chat, main).await));
    assert_eq!(chat.texts(main).await, ["one", "1", "m", "a", "b"]);
    assert_eq!(chat.texts(side).await, ["one", "1", "a", "b"]);
    let after = chat.read().await;
    assert_eq!(after.message_count, before.message_count + 2);
    assert_eq!(
        (after.total_tokens, after.total_cost),
        (before.total_tokens, before.total_cost),
        "counted once"
    );
    let copies = chat.path(Some(main)).await.split_off(3);
    for (copy, original) in copies.iter().zip(&originals[2..]) {
        assert_ne!(copy.id, original.id);
        assert_eq!((copy.role, copy.branch_id), (original.role, main));
        assert_eq!(copy.status, MessageStatus::Completed);
        assert!(copy.usage.is_none(), "usage stays with the original");
        let metadata: Value = serde_json::from_str(copy.metadata.get()).expect("JSON");
        assert_eq!(
            metadata["merged_from"],
            json!({"branch_id": side, "message_id": original.id})
        );
    }
    assert_eq!(chat.search("a").await, ["a", "a"], "copies are found as well");
}

pub async fn merging_twice_is_merging_once(store: &TestStore) {
    let user = store.user();
    for fast in [false, true] {
        let Forked { chat, main, side, .. } = if fast {
            forked(&user).await
        } else {
            diverged(&user).await
        };
        chat.say_on(side, "c").await;
        chat.merge(side, main).await;
        let texts = chat.texts(main).await;
        let head = head(&chat, main).await;
        let messages = chat.read().await.message_count;
        for _ in 0..2 {
            assert_eq!(chat.merge(side, main).await, copied(main, 0, head));
            assert_eq!(chat.texts(main).await, texts);
            assert_eq!(chat.read().await.message_count, messages);
            assert_eq!(chat.branch(side).await.status, BranchStatus::Merged);
        }
    }
}

pub async fn only_what_is_new_since_the_last_merge_is_copied(store: &TestStore) {
    let user = store.user();
    let Forked { chat, main, side, .. } = diverged(&user).await;
    chat.merge(side, main).await;
    chat.say_on(side, "c").await;
    assert_eq!(
        chat.branch(side).await.status,
        BranchStatus::Active,
        "writing takes it up again"
    );
    chat.say_on(main, "n").await;
    let merged = chat.merge(side, main).await;
    assert_eq!((merged.merged_message_count, merged.already_merged), (1, false));
    assert_eq!(chat.texts(main).await, ["one", "1", "m", "a", "b", "n", "c"]);
}

pub async fn merging_to_and_fro_brings_nothing_back(store: &TestStore) {
    let user = store.user();
    let Forked { chat, main, side, .. } = diverged(&user).await;
    chat.merge(side, main).await;
    let back = chat.merge(main, side).await;
    assert_eq!(
        (back.merged_message_count, back.fast_forward),
        (1, false),
        "its own messages are no news"
    );
    assert_eq!(chat.texts(side).await, ["one", "1", "a", "b", "m"]);
    let again = chat.merge(side, main).await;
    assert!(
        again.already_merged && again.merged_message_count == 0,
        "{again:?}"
    );
    assert_eq!(chat.texts(main).await, ["one", "1", "m", "a", "b"]);
}

pub async fn what_came_by_a_third_branch_is_not_copied_again(store: &TestStore) {
    let user = store.user();
    let Forked {
        chat,
        main,
        side,
        base,
    } = diverged(&user).await;
    let third = chat.fork(base).await;
    chat.say("t").await;
    chat.merge(side, third).await;
    assert_eq!(chat.texts(third).await, ["one", "1", "t", "a", "b"]);
    chat.merge(side, main).await;
    let merged = chat.merge(third, main).await;
    assert_eq!(merged.merged_message_count, 1);
    assert_eq!(chat.texts(main).await, ["one", "1", "m", "a", "b", "t"]);
}

pub async fn a_copy_of_a_copy_names_where_it_was_copied_from(store: &TestStore) {
    let user = store.user();
    let Forked {
        chat,
        main,
        side,
        base,
    } = forked(&user).await;
    chat.say_on(side, "a").await;
    let third = chat.fork(base).await;
    chat.say("t").await;
    chat.merge(side, third).await;
    let copy = chat.branch(third).await.head_message_id.expect("a head");
    chat.say_on(main, "m").await;
    chat.merge(third, main).await;
    let last = chat.path(Some(main)).await.pop().expect("a message");
    let metadata: Value = serde_json::from_str(last.metadata.get()).expect("JSON");
    assert_eq!(
        metadata["merged_from"],
        json!({"branch_id": third, "message_id": copy})
    );
}

pub async fn without_a_shared_message_all_is_copied(store: &TestStore) {
    let user = store.user();
    let chat = user.chat().await;
    let main = chat.main().await.id;
    let first = chat.exchange("one", "1").await;
    let (_, branch) = chat.edit(first.question, "ONE", true).await.expect("an edit");
    let side = branch.expect("a branch").id;
    chat.say("two").await;
    let merged = chat.merge(side, main).await;
    assert_eq!((merged.merged_message_count, merged.fast_forward), (2, false));
    assert_eq!(chat.texts(main).await, ["one", "1", "ONE", "two"]);
}

pub async fn an_empty_target_takes_all_of_the_source(store: &TestStore) {
    let user = store.user();
    let chat = user.chat().await;
    let main = chat.main().await.id;
    let first = chat.say("one").await;
    let (second, branch) = chat.edit(first, "ONE", true).await.expect("an edit");
    let side = branch.expect("a branch").id;
    chat.delete(first).await.expect("deleted");
    let merged = chat.merge(side, main).await;
    assert!(merged.fast_forward, "{merged:?}");
    assert_eq!(
        (merged.merged_message_count, merged.head_message_id),
        (1, Some(second.id))
    );
    chat.delete(second.id).await.expect("deleted");
    let nothing = chat.merge(side, main).await;
    assert_eq!(nothing, copied(main, 0, None));
}

pub async fn a_merge_into_nothing_named_goes_into_main(store: &TestStore) {
    let user = store.user();
    let Forked { chat, main, side, .. } = diverged(&user).await;
    let merged = chat.try_merge(side, Merge::default()).await.expect("a merge");
    assert_eq!(merged.target_branch_id, main);
}

pub async fn a_dry_run_tells_and_changes_nothing(store: &TestStore) {
    let user = store.user();
    for fast in [false, true] {
        let Forked { chat, main, side, .. } = if fast {
            forked(&user).await
        } else {
            diverged(&user).await
        };
        chat.say_on(side, "c").await;
        let state = async || serde_json::to_value(chat.full().await).expect("JSON");
        let before = state().await;
        let dry = Merge {
            dry_run: true,
            delete_source: true,
            ..Merge::default()
        };
        let told = chat.try_merge(side, dry).await.expect("a dry run");
        assert_eq!(state().await, before);
        assert!(told.dry_run && told.fast_forward == fast && !told.already_merged);
        let done = chat.try_merge(side, Merge::default()).await.expect("a merge");
        assert_eq!(told.merged_message_count, done.merged_message_count);
        assert_eq!(told.target_branch_id, main);
    }
}

pub async fn a_deleted_source_leaves_the_target_active(store: &TestStore) {
    let user = store.user();
    for fast in [false, true] {
        let Forked { chat, main, side, .. } = if fast {
            forked(&user).await
        } else {
            diverged(&user).await
        };
        chat.say_on(side, "c").await;
        let delete = Merge {
            delete_source: true,
            ..Merge::default()
        };
        chat.try_merge(side, delete).await.expect("a merge");
        let branches = chat.branches().await;
        assert_eq!(
            branches
                .iter()
                .map(|branch| (branch.id, branch.is_active))
                .collect::<Vec<_>>(),
            [(main, true)]
        );
        let path = chat.path(Some(main)).await;
        let shown = chat.read().await;
        assert_eq!(
            (shown.message_count, shown.branch_count),
            (path.len() as u64, 1),
            "no message is left over"
        );
        assert!(path.iter().all(|message| message.branch_id == main));
        assert_eq!(path.last().map(crate::store::chat::words).as_deref(), Some("c"));
    }
}

pub async fn a_source_with_nothing_new_is_deleted_as_well(store: &TestStore) {
    let user = store.user();
    let Forked { chat, main, side, .. } = forked(&user).await;
    let delete = Merge {
        delete_source: true,
        ..Merge::default()
    };
    let merged = chat.try_merge(side, delete).await.expect("a merge");
    assert!(merged.already_merged, "{merged:?}");
    assert_eq!(chat.branches().await.len(), 1);
    assert!(chat.branch(main).await.is_active);
}

pub async fn a_merged_branch_lives_on(store: &TestStore) {
    let user = store.user();
    let Forked { chat, main, side, .. } = diverged(&user).await;
    chat.merge(side, main).await;
    chat.activate(main).await;
    assert_eq!(chat.branch(side).await.status, BranchStatus::Merged);
    chat.activate(side).await;
    assert_eq!(
        chat.branch(side).await.status,
        BranchStatus::Active,
        "activating takes it up again"
    );
    chat.merge(side, main).await;
    chat.say_on(side, "more").await;
    assert_eq!(
        chat.branch(side).await.status,
        BranchStatus::Active,
        "as writing does"
    );
    let merged = chat.merge(side, main).await;
    assert_eq!(merged.merged_message_count, 1);
    assert_eq!(chat.texts(main).await, ["one", "1", "m", "a", "b", "more"]);
}

pub async fn copies_of_deleted_originals_stay(store: &TestStore) {
    let user = store.user();
    let Forked { chat, main, side, .. } = diverged(&user).await;
    chat.merge(side, main).await;
    chat.activate(main).await;
    chat.delete_branch(side).await.expect("deleted");
    assert_eq!(chat.texts(main).await, ["one", "1", "m", "a", "b"]);
    let ids: HashSet<_> = chat
        .full()
        .await
        .messages
        .iter()
        .map(|message| message.id)
        .collect();
    assert_eq!(ids.len(), 5);
}
