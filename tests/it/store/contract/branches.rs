//! Making, changing, activating and deleting branches, and what is on them.

use ai_chat_orchestrator::models::branch::BranchStatus;
use ai_chat_orchestrator::models::ids::{BranchId, MessageId};
use ai_chat_orchestrator::models::money::Money;
use ai_chat_orchestrator::services::conversations::{BranchChanges, NewBranch, StoreError};

use crate::store::chat::Chat;
use crate::store::databases::TestStore;
use crate::store::user::{COMPLETION_TOKENS, COST, PROMPT_TOKENS};
use crate::support::MODEL;

pub async fn a_branch_begins_and_ends_at_its_fork(store: &TestStore) {
    let user = store.user();
    let chat = user.chat().await;
    let said = chat.say_all(&["one", "two", "three"]).await;
    let main = chat.main().await;
    let new = |name: Option<&str>, activate| NewBranch {
        fork: said[1],
        name: name.map(str::to_owned),
        activate,
    };
    let idea = chat
        .create_branch(new(Some("idea"), true))
        .await
        .expect("a branch");
    assert_eq!((idea.name.as_str(), idea.status), ("idea", BranchStatus::Active));
    assert!(idea.is_active && !idea.is_main);
    assert_eq!(
        (idea.parent_message_id, idea.head_message_id),
        (Some(said[1]), Some(said[1]))
    );
    assert_eq!((idea.message_count, idea.own_message_count), (2, 0));
    let quiet = chat.create_branch(new(None, false)).await.expect("a branch");
    assert!(!quiet.is_active && !quiet.name.is_empty());
    let shown = chat.read().await;
    assert_eq!(
        (shown.active_branch_id, shown.branch_count, shown.message_count),
        (idea.id, 3, 3)
    );
    chat.say("idea").await;
    assert_eq!(chat.texts(idea.id).await, ["one", "two", "idea"]);
    assert_eq!(chat.texts(main.id).await, ["one", "two", "three"]);
    let idea = chat.branch(idea.id).await;
    assert_eq!((idea.message_count, idea.own_message_count), (3, 1));
    let main = chat.main().await;
    assert_eq!(
        (main.message_count, main.own_message_count, main.is_active),
        (3, 3, false)
    );
}

pub async fn a_branch_forks_only_where_something_is(store: &TestStore) {
    let user = store.user();
    let chat = user.chat().await;
    let elsewhere = user.chat().await.say("of another conversation").await;
    for fork in [elsewhere, MessageId::new(&store.clock)] {
        let new = NewBranch {
            fork,
            name: None,
            activate: true,
        };
        let refused = chat.create_branch(new).await;
        assert!(matches!(refused, Err(StoreError::MessageNotFound)), "{refused:?}");
    }
    assert_eq!(chat.branches().await.len(), 1);
}

pub async fn a_conversation_has_no_more_branches_than_the_limit(store: &TestStore) {
    let user = store.user();
    let chat = user.chat().await;
    let said = chat.say_all(&["one", "two"]).await;
    for _ in 1..store.limits.branches {
        chat.fork(said[0]).await;
    }
    let before = chat.read().await;
    let limit = store.limits.branches;
    let new = NewBranch {
        fork: said[0],
        name: None,
        activate: true,
    };
    let refusals = [
        chat.create_branch(new).await.map(|_| ()),
        chat.edit(said[1], "another", true).await.map(|_| ()),
        chat.begin(chat.at(None, Some(said[1])), crate::store::chat::asked("x"))
            .await
            .map(|_| ()),
    ];
    for refused in refusals {
        match refused.expect_err("a refusal") {
            StoreError::LimitReached {
                limit: named,
                current,
                ..
            } => {
                assert_eq!((named, current), (limit, u64::from(limit)));
            }
            other => panic!("{other:?}"),
        }
    }
    let after = chat.read().await;
    assert_eq!(
        (after.branch_count, after.message_count),
        (before.branch_count, before.message_count)
    );
    assert_eq!(
        (after.active_branch_id, after.updated_at),
        (before.active_branch_id, before.updated_at)
    );
}

pub async fn no_two_branches_are_named_alike_for_want_of_a_name(store: &TestStore) {
    let user = store.user();
    let chat = user.chat().await;
    let root = chat.say("one").await;
    let second = chat.fork(root).await;
    chat.fork(root).await;
    let main = chat.main().await.id;
    chat.activate(main).await;
    chat.delete_branch(second).await.expect("deleted");
    chat.fork(root).await;
    let names: Vec<_> = chat
        .branches()
        .await
        .into_iter()
        .map(|branch| branch.name)
        .collect();
    assert_eq!(names, ["Main", "Branch 3", "Branch 4"]);
}

pub async fn a_branch_is_renamed_and_given_up(store: &TestStore) {
    let user = store.user();
    let chat = user.chat().await;
    let said = chat.say("one").await;
    let branch = chat.fork(said).await;
    let before = chat.branch(branch).await;
    let update = async |changes| {
        store
            .update_branch(user.id(), chat.id, branch, changes)
            .await
            .expect("a change")
    };
    let named = BranchChanges {
        name: Some("better".to_owned()),
        status: None,
    };
    let changed = update(named).await;
    assert_eq!(
        (changed.name.as_str(), changed.status),
        ("better", BranchStatus::Active)
    );
    assert!(changed.updated_at > before.updated_at && changed.created_at == before.created_at);
    let abandoned = BranchChanges {
        name: None,
        status: Some(BranchStatus::Abandoned),
    };
    let changed = update(abandoned).await;
    assert_eq!(
        (changed.name.as_str(), changed.status),
        ("better", BranchStatus::Abandoned)
    );
    assert_eq!(chat.texts(branch).await, ["one"], "it can still be read");
    chat.say_on(branch, "two").await;
    assert_eq!(
        chat.branch(branch).await.status,
        BranchStatus::Active,
        "writing takes it up again"
    );
    let unknown = BranchId::new(&store.clock);
    let refused = store
        .update_branch(user.id(), chat.id, unknown, BranchChanges::default())
        .await;
    assert!(matches!(refused, Err(StoreError::BranchNotFound)), "{refused:?}");
}

pub async fn activating_twice_is_activating_once(store: &TestStore) {
    let user = store.user();
    let chat = user.chat().await;
    let said = chat.say("one").await;
    let main = chat.main().await.id;
    let branch = chat.fork(said).await;
    for _ in 0..2 {
        chat.activate(main).await;
        let active: Vec<_> = chat
            .branches()
            .await
            .into_iter()
            .filter(|branch| branch.is_active)
            .collect();
        assert_eq!(active.iter().map(|branch| branch.id).collect::<Vec<_>>(), [main]);
    }
    let given_up = BranchChanges {
        name: None,
        status: Some(BranchStatus::Abandoned),
    };
    store
        .update_branch(user.id(), chat.id, branch, given_up)
        .await
        .expect("a change");
    chat.activate(branch).await;
    let branch = chat.branch(branch).await;
    assert!(branch.is_active && branch.status == BranchStatus::Active);
    let refused = store
        .activate_branch(user.id(), chat.id, BranchId::new(&store.clock))
        .await;
    assert!(matches!(refused, Err(StoreError::BranchNotFound)), "{refused:?}");
}

pub async fn a_deleted_branch_takes_only_what_nobody_else_reaches(store: &TestStore) {
    let user = store.user();
    let chat = user.chat().await;
    let said = chat.say_all(&["one", "two"]).await;
    let main = chat.main().await.id;
    let first = chat.fork(said[0]).await;
    let shared = chat.say("shared").await;
    let own = chat.exchange("own", "1").await;
    let second = chat.fork(shared).await;
    chat.say("second").await;
    assert_eq!(chat.delete_branch(first).await.expect("deleted"), 2);
    assert_eq!(chat.texts(main).await, ["one", "two"]);
    assert_eq!(chat.texts(second).await, ["one", "shared", "second"]);
    assert_owned(&chat).await;
    assert_eq!(
        chat.message(shared).await.branch_id,
        second,
        "it belongs to who still reaches it"
    );
    let shown = chat.read().await;
    assert_eq!(
        (shown.message_count, shown.branch_count, shown.total_tokens),
        (4, 2, 0)
    );
    assert_eq!(shown.total_cost, Money::ZERO);
    let gone = chat
        .full()
        .await
        .messages
        .iter()
        .all(|message| message.id != own.answer);
    assert!(gone && chat.search("own").await.is_empty());
    let again = chat.delete_branch(first).await;
    assert!(matches!(again, Err(StoreError::BranchNotFound)), "{again:?}");
}

/// Every message names a branch that is there and reaches it.
async fn assert_owned(chat: &Chat<'_>) {
    let full = chat.full().await;
    for message in &full.messages {
        let path = chat.path(Some(message.branch_id)).await;
        assert!(path.iter().any(|on_path| on_path.id == message.id), "{message:?}");
    }
}

pub async fn main_and_the_active_branch_are_not_deleted(store: &TestStore) {
    let user = store.user();
    let chat = user.chat().await;
    let said = chat.say("one").await;
    let main = chat.main().await.id;
    let branch = chat.fork(said).await;
    let refused = chat.delete_branch(branch).await;
    assert!(matches!(refused, Err(StoreError::BranchIsActive)), "{refused:?}");
    let refused = chat.delete_branch(main).await;
    assert!(matches!(refused, Err(StoreError::BranchIsMain)), "{refused:?}");
    chat.activate(main).await;
    let refused = chat.delete_branch(main).await;
    assert!(matches!(refused, Err(StoreError::BranchIsMain)), "{refused:?}");
    assert_eq!(chat.branches().await.len(), 2);
    assert_eq!(chat.delete_branch(branch).await.expect("deleted"), 0);
}

pub async fn a_branch_with_a_running_answer_is_not_deleted(store: &TestStore) {
    let user = store.user();
    let chat = user.chat().await;
    let said = chat.say("one").await;
    let main = chat.main().await.id;
    let branch = chat.fork(said).await;
    let running = chat.ask("two").await;
    chat.activate(main).await;
    let refused = chat.delete_branch(branch).await;
    let stream = running.stream;
    assert!(
        matches!(refused, Err(StoreError::GenerationInProgress { stream_id }) if stream_id == stream),
        "{refused:?}"
    );
    chat.end(&running, "2").await;
    assert_eq!(chat.delete_branch(branch).await.expect("deleted"), 2);
}

pub async fn statistics_tell_what_is_on_a_branch(store: &TestStore) {
    let user = store.user();
    let chat = user.chat().await;
    let main = chat.main().await.id;
    let stats = async |branch| {
        store
            .branch_stats(user.id(), chat.id, branch)
            .await
            .expect("statistics")
    };
    let empty = stats(main).await;
    assert_eq!(
        (
            empty.message_count,
            empty.first_message_at,
            empty.average_latency_ms
        ),
        (0, None, None)
    );
    let first = chat.exchange("one", "1").await;
    chat.exchange("two", "2").await;
    let branch = chat.fork(first.answer).await;
    let last = chat.exchange("three", "3").await;
    let stats = stats(branch).await;
    assert_eq!(
        (stats.branch_id, stats.fork_message_id),
        (branch, Some(first.answer))
    );
    assert_eq!(
        (
            stats.message_count,
            stats.shared_message_count,
            stats.own_message_count
        ),
        (4, 2, 2)
    );
    let roles = stats.messages_by_role;
    assert_eq!(
        (roles.user, roles.assistant, roles.system, roles.tool),
        (2, 2, 0, 0)
    );
    assert_eq!(
        (stats.prompt_tokens, stats.completion_tokens),
        (2 * PROMPT_TOKENS, 2 * COMPLETION_TOKENS)
    );
    assert_eq!(stats.total_tokens, 2 * (PROMPT_TOKENS + COMPLETION_TOKENS));
    assert_eq!(stats.total_cost, Money::from_nano(2 * COST.nano()));
    let models: Vec<_> = stats
        .models
        .iter()
        .map(|model| (model.model.as_str(), model.count))
        .collect();
    assert_eq!(models, [(MODEL, 2)]);
    assert_eq!(
        (stats.average_latency_ms, stats.p95_latency_ms),
        (Some(20), Some(20))
    );
    let first = chat.message(first.question).await.created_at;
    let last = chat.message(last.answer).await.created_at;
    assert_eq!(
        (stats.first_message_at, stats.last_message_at),
        (Some(first), Some(last))
    );
    let refused = store
        .branch_stats(user.id(), chat.id, BranchId::new(&store.clock))
        .await;
    assert!(matches!(refused, Err(StoreError::BranchNotFound)), "{refused:?}");
}
