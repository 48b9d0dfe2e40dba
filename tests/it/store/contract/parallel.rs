//! Many writers at once in one conversation.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use ai_chat_orchestrator::models::conversation::FullConversation;
use ai_chat_orchestrator::models::ids::{BranchId, MessageId};
use ai_chat_orchestrator::services::conversations::{Merge, NewBranch, NewMessage, StoreError};
use futures_util::future::join_all;

use crate::store::chat::{Chat, asked, new_message, words};
use crate::store::databases::TestStore;

/// Writers at once.
const WRITERS: usize = 32;

/// Whether a refusal is one that parallel writers have to live with.
fn is_orderly(error: &StoreError) -> bool {
    matches!(
        error,
        StoreError::Conflict(_) | StoreError::GenerationInProgress { .. } | StoreError::LimitReached { .. }
    )
}

/// One tree: every message reached, every head and fork in it, the counts right.
fn assert_sound(full: &FullConversation) {
    let parents: HashMap<MessageId, Option<MessageId>> = full
        .messages
        .iter()
        .map(|message| (message.id, message.parent_id))
        .collect();
    assert_eq!(parents.len(), full.messages.len(), "no message twice");
    let mut reached = HashSet::new();
    for branch in &full.branches {
        let mut path = Vec::new();
        let mut next = branch.head_message_id;
        while let Some(id) = next {
            path.push(id);
            assert!(path.len() <= parents.len(), "a cycle at {id}");
            next = parents[&id];
        }
        assert_eq!(branch.message_count, path.len() as u64);
        assert!(branch.parent_message_id.is_none_or(|fork| path.contains(&fork)));
        reached.extend(path);
    }
    assert_eq!(reached.len(), parents.len(), "every message is on a branch");
    assert_eq!(full.branches.iter().filter(|branch| branch.is_main).count(), 1);
    assert_eq!(full.branches.iter().filter(|branch| branch.is_active).count(), 1);
    assert_eq!(full.conversation.message_count, parents.len() as u64);
    assert_eq!(full.conversation.branch_count, full.branches.len() as u64);
}

/// How often each text is there.
fn counts(full: &FullConversation) -> HashMap<String, usize> {
    let mut counts = HashMap::new();
    for message in &full.messages {
        *counts.entry(words(message)).or_default() += 1;
    }
    counts
}

pub async fn of_many_messages_at_once_none_is_lost(store: &TestStore) {
    let user = store.user();
    let chat = user.chat().await;
    let all = join_all((0..WRITERS).map(|writer| {
        let words = format!("message {writer}");
        let chat = &chat;
        async move { chat.add(new_message(&words)).await.map(|message| message.id) }
    }))
    .await;
    let ids: HashSet<_> = all.into_iter().map(|added| added.expect("a message")).collect();
    let path = chat.path(None).await;
    assert_eq!(path.len(), WRITERS, "each follows the one before it");
    assert_eq!(path.iter().map(|message| message.id).collect::<HashSet<_>>(), ids);
    assert_eq!(chat.branches().await.len(), 1);
    assert_sound(&chat.full().await);
}

pub async fn of_many_turns_at_once_one_runs(store: &TestStore) {
    let user = store.user();
    let chat = user.chat().await;
    for below_the_head in [false, true] {
        let parent = if below_the_head {
            Some(chat.path(None).await[0].id)
        } else {
            None
        };
        let before = chat.read().await.message_count;
        let all = join_all((0..WRITERS).map(|_| chat.begin(chat.at(None, parent), asked("question")))).await;
        let (begun, refused): (Vec<_>, Vec<_>) = all.into_iter().partition(Result::is_ok);
        assert_eq!(begun.len(), 1);
        for error in refused.into_iter().filter_map(Result::err) {
            assert!(
                matches!(error, StoreError::GenerationInProgress { .. }),
                "{error:?}"
            );
        }
        assert_eq!(chat.read().await.message_count, before + 2);
        for running in begun.into_iter().flatten() {
            chat.end(&running, "answer").await;
        }
        assert_sound(&chat.full().await);
    }
}

pub async fn of_many_forks_at_once_each_is_made(store: &TestStore) {
    let user = store.user();
    let chat = user.chat().await;
    let said = chat.say_all(&["one", "two"]).await;
    let all = join_all((0..WRITERS).map(|writer| {
        let new = NewMessage {
            parent: Some(said[0]),
            ..new_message(&format!("fork {writer}"))
        };
        chat.add(new)
    }))
    .await;
    let branches: HashSet<BranchId> = all
        .into_iter()
        .map(|added| added.expect("a message").branch_id)
        .collect();
    assert_eq!(branches.len(), WRITERS);
    assert_sound(&chat.full().await);
}

pub async fn of_many_merges_at_once_one_brings_something(store: &TestStore) {
    let user = store.user();
    let chat = user.chat().await;
    let main = chat.main().await.id;
    let said = chat.say_all(&["one", "two"]).await;
    let side = chat.fork(said[0]).await;
    chat.say_all(&["a", "b"]).await;
    let all = join_all((0..WRITERS).map(|_| chat.merge(side, main))).await;
    let brought: u64 = all.iter().map(|merged| merged.merged_message_count).sum();
    assert_eq!(brought, 2);
    assert_eq!(chat.texts(main).await, ["one", "two", "a", "b"]);
    assert_sound(&chat.full().await);
}

pub async fn an_expected_head_is_moved_by_one_of_many(store: &TestStore) {
    let user = store.user();
    let chat = user.chat().await;
    let said = chat.say_all(&["one", "two"]).await;
    let main = chat.main().await.id;
    let mut sources = Vec::new();
    for number in 0..8 {
        sources.push(chat.fork(said[0]).await);
        chat.say(&format!("side {number}")).await;
    }
    let merge = Merge {
        target: Some(main),
        expected_target_head: Some(said[1]),
        ..Merge::default()
    };
    let all = join_all(sources.into_iter().map(|source| chat.try_merge(source, merge))).await;
    let merged = all.iter().filter(|merged| merged.is_ok()).count();
    assert_eq!(merged, 1);
    for error in all.into_iter().filter_map(Result::err) {
        assert!(matches!(error, StoreError::Conflict(_)), "{error:?}");
    }
    assert_eq!(chat.texts(main).await.len(), 3);
    assert_sound(&chat.full().await);
}

pub async fn everything_at_once_leaves_one_sound_tree(store: &TestStore) {
    let user = store.user();
    let chat = user.chat().await;
    let main = chat.main().await.id;
    let root = chat.exchange("root", "answer").await;
    let side = chat.fork(root.answer).await;
    let all = join_all((0..WRITERS).map(|writer| write(&chat, writer, main, side, root.answer))).await;
    let mut written = Vec::new();
    for outcome in all {
        match outcome {
            Ok(words) => written.extend(words),
            Err(error) => assert!(is_orderly(&error), "{error:?}"),
        }
    }
    let full = chat.full().await;
    assert_sound(&full);
    let counts = counts(&full);
    for words in written {
        assert!(counts.contains_key(&words), "`{words}` is lost");
    }
}

/// What one writer does; tells what it wrote.
async fn write(
    chat: &Chat<'_>,
    writer: usize,
    main: BranchId,
    side: BranchId,
    fork: MessageId,
) -> Result<Option<String>, StoreError> {
    let words = format!("writer {writer}");
    let branch = if writer.is_multiple_of(2) { main } else { side };
    match writer % 4 {
        0 => {
            let new = NewMessage {
                branch: Some(branch),
                ..new_message(&words)
            };
            chat.add(new).await?;
            Ok(Some(words))
        }
        1 => {
            let running = chat.begin(chat.at(Some(branch), None), asked(&words)).await?;
            let answer = format!("to {words}");
            let finished = chat.user.answer(&running.turn, running.stream, &answer);
            chat.user.store.save_answer(Arc::new(finished)).await?;
            Ok(Some(words))
        }
        2 => {
            let new = NewBranch {
                fork,
                name: Some(words),
                activate: writer % 8 == 2,
            };
            chat.create_branch(new).await?;
            Ok(None)
        }
        _ => {
            let (source, target) = if writer % 8 == 3 {
                (main, side)
            } else {
                (side, main)
            };
            let merge = Merge {
                target: Some(target),
                ..Merge::default()
            };
            chat.try_merge(source, merge).await?;
            Ok(None)
        }
    }
}

pub async fn at_the_limit_of_conversations_nobody_slips_through(store: &TestStore) {
    let user = store.user();
    let all =
        join_all((0..WRITERS).map(|_| store.create_conversation(&user.caller, Default::default()))).await;
    let (made, refused): (Vec<_>, Vec<_>) = all.into_iter().partition(Result::is_ok);
    assert_eq!(made.len(), store.limits.conversations as usize);
    for error in refused.into_iter().filter_map(Result::err) {
        assert!(matches!(error, StoreError::LimitReached { .. }), "{error:?}");
    }
}
