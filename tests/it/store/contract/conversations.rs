//! Making, listing, changing and deleting conversations.

use std::sync::Arc;

use ai_chat_orchestrator::models::conversation::ConversationStatus;
use ai_chat_orchestrator::models::ids::{BranchId, ConversationId};
use ai_chat_orchestrator::models::message::Role;
use ai_chat_orchestrator::models::money::Money;
use ai_chat_orchestrator::services::conversations::search::SearchQuery;
use ai_chat_orchestrator::services::conversations::{
    ConversationChanges, ConversationFilter, NewConversation, NewMessage, StoreError,
};
use serde_json::{Value, json};

use crate::store::chat::{new_message, raw, words};
use crate::store::databases::TestStore;
use crate::store::user::{ALL, COMPLETION_TOKENS, COST, PROMPT_TOKENS};
use crate::support::MODEL;

pub async fn a_new_conversation_has_one_empty_branch(store: &TestStore) {
    let user = store.user();
    let new = NewConversation {
        title: Some("Plans".to_owned()),
        model: Some("gpt".to_owned()),
        system_message: Some("Be kind.".to_owned()),
        metadata: Some(raw(r#"{"b":1,"a":[2]}"#)),
    };
    let made = store
        .create_conversation(&user.caller, new)
        .await
        .expect("a conversation");
    let (made, branches) = (made.conversation, made.branches);
    assert_eq!(made.title.as_deref(), Some("Plans"));
    assert_eq!(made.model.as_deref(), Some("gpt"));
    assert_eq!(made.system_message.as_deref(), Some("Be kind."));
    assert_eq!(value(made.metadata.get()), json!({"a": [2], "b": 1}));
    assert_eq!(
        (made.user_id, made.status),
        (user.id(), ConversationStatus::Active)
    );
    assert_eq!((made.message_count, made.branch_count), (0, 1));
    assert_eq!((made.total_tokens, made.total_cost), (0, Money::ZERO));
    assert_eq!((made.preview, made.last_message_at), (None, None));
    let [main] = &branches[..] else {
        panic!("{branches:?}")
    };
    assert!(main.is_main && main.is_active && main.name == "Main");
    assert_eq!(main.id, made.active_branch_id);
    assert_eq!((main.parent_message_id, main.head_message_id), (None, None));
    assert_eq!((main.message_count, main.own_message_count), (0, 0));
    let again = user.open(made.id).read().await;
    assert_eq!(
        (again.created_at, again.updated_at),
        (made.created_at, made.updated_at)
    );
}

pub async fn nobody_has_more_conversations_than_the_limit(store: &TestStore) {
    let user = store.user();
    let first = user.chat().await.id;
    for _ in 1..store.limits.conversations {
        user.chat().await;
    }
    let one_more = store
        .create_conversation(&user.caller, NewConversation::default())
        .await;
    let limit = store.limits.conversations;
    match one_more.expect_err("a refusal") {
        StoreError::LimitReached {
            limit: named,
            current,
            ..
        } => {
            assert_eq!((named, current), (limit, u64::from(limit)));
        }
        other => panic!("{other:?}"),
    }
    store.user().chat().await;
    store
        .delete_conversation(user.id(), first)
        .await
        .expect("deleted");
    user.chat().await;
}

pub async fn a_conversation_tells_what_is_in_it(store: &TestStore) {
    let user = store.user();
    let chat = user.chat().await;
    let long = "é".repeat(300);
    let system = NewMessage {
        role: Role::System,
        ..new_message("not the user's")
    };
    chat.add(system).await.expect("a message");
    let exchange = chat.exchange(&long, "Quantum computing, in short").await;
    chat.exchange("more", "another answer").await;
    let shown = chat.read().await;
    assert_eq!(
        shown.preview,
        Some("é".repeat(200)),
        "of the user's first message"
    );
    assert_eq!(shown.title.as_deref(), Some("Quantum computing, in short"));
    assert_eq!((shown.message_count, shown.branch_count), (5, 1));
    assert_eq!(shown.total_tokens, 2 * (PROMPT_TOKENS + COMPLETION_TOKENS));
    assert_eq!(shown.total_cost, Money::from_nano(2 * COST.nano()));
    let answered_at = chat.message(exchange.answer).await.created_at;
    assert!(shown.last_message_at.is_some_and(|last| last > answered_at));
    assert!(shown.updated_at > shown.created_at);
}

pub async fn a_full_conversation_has_every_message_once(store: &TestStore) {
    let user = store.user();
    let chat = user.chat().await;
    let first = chat.exchange("one", "1").await;
    let main = chat.main().await.id;
    let second = chat.exchange("two", "2").await;
    let fork = chat.fork(first.answer).await;
    let other = chat.say("other").await;
    let full = chat.full().await;
    let ids: Vec<_> = full.messages.iter().map(|message| message.id).collect();
    let expected = [
        first.question,
        first.answer,
        second.question,
        second.answer,
        other,
    ];
    assert_eq!(ids, expected, "the oldest first");
    let leaf = |id| json!({"id": id, "children": []});
    let with = |id, children: Value| json!({"id": id, "children": children});
    let below = json!([with(second.question, json!([leaf(second.answer)])), leaf(other)]);
    let tree = json!([with(first.question, json!([with(first.answer, below)]))]);
    assert_eq!(value(full.tree.expect("a tree").get()), tree);
    let one_branch = store.full_conversation(user.id(), chat.id, Some(fork)).await;
    let one_branch = one_branch
        .expect("a store that answers")
        .expect("the conversation");
    let texts: Vec<_> = one_branch.messages.iter().map(words).collect();
    assert_eq!(texts, ["one", "1", "other"]);
    assert_eq!(one_branch.branches.len(), 2);
    let tree = json!([with(
        first.question,
        json!([with(first.answer, json!([leaf(other)]))])
    )]);
    assert_eq!(value(one_branch.tree.expect("a tree").get()), tree);
    assert_eq!(chat.texts(main).await, ["one", "1", "two", "2"]);
    let unknown = Some(BranchId::new(&store.clock));
    let refused = store.full_conversation(user.id(), chat.id, unknown).await;
    assert!(matches!(refused, Err(StoreError::BranchNotFound)), "{refused:?}");
}

pub async fn a_conversation_is_changed_field_by_field(store: &TestStore) {
    let user = store.user();
    let chat = user.titled("old").await;
    let before = chat.read().await;
    let update = async |changes| {
        let changed = store.update_conversation(user.id(), chat.id, changes).await;
        changed.expect("a change")
    };
    let none = ConversationChanges::default;
    let changed = update(ConversationChanges {
        model: Some(Some("gpt".to_owned())),
        system_message: Some(Some("Be brief.".to_owned())),
        metadata: Some(Some(raw(r#"{"n":1}"#))),
        ..none()
    })
    .await;
    assert_eq!(changed.title.as_deref(), Some("old"), "what is not named stays");
    assert_eq!(changed.model.as_deref(), Some("gpt"));
    assert_eq!(changed.system_message.as_deref(), Some("Be brief."));
    assert_eq!(value(changed.metadata.get()), json!({"n": 1}));
    assert!(changed.updated_at > before.updated_at && changed.created_at == before.created_at);
    let changed = update(ConversationChanges {
        title: Some(Some("new".to_owned())),
        status: Some(ConversationStatus::Archived),
        ..none()
    })
    .await;
    assert_eq!(
        (changed.title.as_deref(), changed.status),
        (Some("new"), ConversationStatus::Archived)
    );
    let emptied = update(ConversationChanges {
        title: Some(None),
        model: Some(None),
        status: None,
        system_message: Some(None),
        metadata: Some(None),
    })
    .await;
    assert_eq!(
        (emptied.title, emptied.model, emptied.system_message),
        (None, None, None)
    );
    assert_eq!(value(emptied.metadata.get()), json!({}));
    assert_eq!(emptied.status, ConversationStatus::Archived);
}

pub async fn a_title_that_was_given_is_kept(store: &TestStore) {
    let user = store.user();
    let chat = user.titled("mine").await;
    chat.exchange("hello", "An answer").await;
    assert_eq!(chat.read().await.title.as_deref(), Some("mine"));
}

pub async fn a_deleted_conversation_is_gone_with_all_in_it(store: &TestStore) {
    let user = store.user();
    let kept = user.titled("kept").await;
    kept.say("zebra").await;
    let chat = user.titled("gone").await;
    let exchange = chat.exchange("zebra", "an answer").await;
    chat.fork(exchange.question).await;
    let running = chat.ask("an unfinished one").await;
    store
        .delete_conversation(user.id(), chat.id)
        .await
        .expect("deleted");
    let read = store
        .conversation(user.id(), chat.id)
        .await
        .expect("a store that answers");
    assert!(read.is_none());
    let found: Vec<_> = user.search("zebra").await.into_iter().map(|(id, _)| id).collect();
    assert_eq!(found, [kept.id]);
    assert_eq!(
        user.list(&ConversationFilter::default(), crate::store::user::NEWEST_FIRST)
            .await
            .len(),
        1
    );
    let again = store.delete_conversation(user.id(), chat.id).await;
    assert!(
        matches!(again, Err(StoreError::ConversationNotFound)),
        "{again:?}"
    );
    chat.end(&running, "too late").await;
    let read = store
        .conversation(user.id(), chat.id)
        .await
        .expect("a store that answers");
    assert!(read.is_none(), "an answer that comes late brings nothing back");
}

pub async fn statistics_add_up_what_a_user_has(store: &TestStore) {
    let user = store.user();
    let stats = store
        .conversation_stats(user.id(), None)
        .await
        .expect("statistics");
    assert_eq!(
        (stats.conversations, stats.messages, stats.by_month.len()),
        (0, 0, 0)
    );
    let first = user.chat().await;
    let exchange = first.exchange("one", "1").await;
    let fork = first.fork(exchange.question).await;
    let main = first.main().await.id;
    first.say_on(fork, "beside").await;
    first.merge(main, fork).await;
    let since = store.clock.now();
    let second = user.chat().await;
    second.say("two").await;
    let archived = ConversationChanges {
        status: Some(ConversationStatus::Archived),
        ..ConversationChanges::default()
    };
    store
        .update_conversation(user.id(), second.id, archived)
        .await
        .expect("archived");
    store.user().chat().await.exchange("somebody", "else").await;
    let stats = store
        .conversation_stats(user.id(), None)
        .await
        .expect("statistics");
    assert_eq!((stats.conversations, stats.active, stats.archived), (2, 1, 1));
    assert_eq!((stats.branches, stats.messages), (3, 5));
    assert_eq!(stats.total_tokens, PROMPT_TOKENS + COMPLETION_TOKENS);
    assert_eq!(stats.total_cost, COST);
    let models: Vec<_> = stats
        .models
        .iter()
        .map(|model| (model.model.as_str(), model.count))
        .collect();
    assert_eq!(models, [(MODEL, 1)], "a copy is no answer more");
    let months: Vec<_> = stats
        .by_month
        .iter()
        .map(|month| (month.month.as_str(), month.conversations))
        .collect();
    assert_eq!(months, [("2026-01", 2)]);
    let recent = store
        .conversation_stats(user.id(), Some(since))
        .await
        .expect("statistics");
    assert_eq!(
        (recent.conversations, recent.messages, recent.models.len()),
        (1, 1, 0)
    );
}

pub async fn sums_end_at_the_largest_number(store: &TestStore) {
    let user = store.user();
    let most = i64::MAX.unsigned_abs();
    let mut first = None;
    for _ in 0..2 {
        let chat = user.chat().await;
        for _ in 0..2 {
            let running = chat.ask("How much?").await;
            let mut answer = user.answer(&running.turn, running.stream, "All there is");
            answer.usage.prompt_tokens = most;
            answer.usage.cost = Some(Money::from_nano(i64::MAX));
            store.save_answer(Arc::new(answer)).await.expect("an answer");
        }
        let branch = chat.main().await.id;
        let stats = store.branch_stats(user.id(), chat.id, branch).await;
        assert_eq!(stats.expect("statistics").total_cost.nano(), i64::MAX);
        first.get_or_insert(chat);
    }
    let stats = store.conversation_stats(user.id(), None).await;
    let stats = stats.expect("statistics");
    assert_eq!((stats.total_tokens, stats.total_cost.nano()), (most, i64::MAX));
    let chat = first.expect("a conversation");
    let root = chat.path(None).await[0].id;
    assert_eq!(chat.delete(root).await.expect("deleted"), 4);
    assert_eq!(
        (
            chat.read().await.total_tokens,
            chat.read().await.total_cost.nano()
        ),
        (0, 0)
    );
}

pub async fn what_is_not_there_is_not_found(store: &TestStore) {
    let user = store.user();
    let unknown = ConversationId::new(&store.clock);
    let read = store
        .conversation(user.id(), unknown)
        .await
        .expect("a store that answers");
    assert!(read.is_none());
    let full = store
        .full_conversation(user.id(), unknown, None)
        .await
        .expect("a store that answers");
    assert!(full.is_none());
    let defaults = store
        .chat_defaults(user.id(), unknown)
        .await
        .expect("a store that answers");
    assert!(defaults.is_none());
    let changed = store
        .update_conversation(user.id(), unknown, ConversationChanges::default())
        .await;
    assert!(
        matches!(changed, Err(StoreError::ConversationNotFound)),
        "{changed:?}"
    );
    let filter = ConversationFilter::default();
    let query = SearchQuery::parse("anything");
    let found = store.search_conversations(user.id(), &query, &filter, ALL).await;
    assert_eq!(found.expect("a search").1, 0);
    store.check().await.expect("a store that works");
}

fn value(json: &str) -> Value {
    serde_json::from_str(json).expect("JSON")
}
