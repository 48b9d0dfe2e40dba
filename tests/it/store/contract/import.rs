//! Copies of conversations from elsewhere.

use ai_chat_orchestrator::models::branch::BranchStatus;
use ai_chat_orchestrator::models::conversation::ConversationStatus;
use ai_chat_orchestrator::models::message::{MessageStatus, MessageUsage, Role};
use ai_chat_orchestrator::models::money::Money;
use ai_chat_orchestrator::services::conversations::transfer::import::ImportedConversation;
use ai_chat_orchestrator::services::conversations::{ConversationFilter, ImportOutcome, StoreError};
use serde_json::{Value, json};

use crate::store::chat::{Chat, raw};
use crate::store::databases::TestStore;
use crate::store::imports::{branch, chain, conversation, exported, message};
use crate::store::user::{NEWEST_FIRST, User};

/// Main: a b c. Side, after a: d.
pub(super) fn forked() -> ImportedConversation {
    let mut side = message(Some(0), Role::User, "d", "4");
    side.branch = 1;
    let messages = vec![
        message(None, Role::User, "a", "1"),
        message(Some(0), Role::Assistant, "b", "2"),
        message(Some(1), Role::User, "c", "3"),
        side,
    ];
    conversation(
        "forked",
        messages,
        vec![branch("Main", None, Some(2)), branch("side", Some(0), Some(3))],
    )
}

/// Imports and tells what became of it.
pub(super) async fn import<'a>(
    user: &'a User<'_>,
    imported: ImportedConversation,
) -> (Chat<'a>, ImportOutcome) {
    let done = user.store.import_conversation(&user.caller, imported).await;
    let (id, outcome) = done.expect("an import");
    (user.open(id), outcome)
}

/// The texts of each branch by its name.
pub(super) async fn paths(chat: &Chat<'_>) -> Vec<(String, Vec<String>)> {
    let mut paths = Vec::new();
    for branch in chat.branches().await {
        paths.push((branch.name, chat.texts(branch.id).await));
    }
    paths
}

pub(super) fn path(name: &str, texts: &[&str]) -> (String, Vec<String>) {
    (
        name.to_owned(),
        texts.iter().map(|text| (*text).to_owned()).collect(),
    )
}

pub async fn an_import_is_a_copy_with_all_that_it_had(store: &TestStore) {
    let user = store.user();
    let mut imported = forked();
    imported.model = Some("gpt".to_owned());
    imported.system_message = Some("Be kind.".to_owned());
    imported.archived = true;
    imported.metadata = Some(raw(r#"{"n":1}"#));
    imported.active_branch = 1;
    imported.branches[1].status = BranchStatus::Abandoned;
    let answer = &mut imported.messages[1];
    answer.status = MessageStatus::Interrupted;
    answer.model = Some("gpt".to_owned());
    answer.finish_reason = Some("stop".to_owned());
    answer.latency_ms = Some(12);
    answer.first_token_ms = Some(3);
    answer.reasoning = Some("hm".to_owned());
    answer.metadata = Some(raw(r#"{"m":2}"#));
    answer.usage = Some(MessageUsage {
        prompt_tokens: 3,
        completion_tokens: 4,
        total_tokens: 7,
        cost_usd: Some(Money::from_nano(9)),
        estimated: true,
    });
    let expected = answer.clone();
    let (chat, outcome) = import(&user, imported).await;
    assert_eq!(outcome, ImportOutcome::Created);
    let shown = chat.read().await;
    assert_eq!(shown.title.as_deref(), Some("Imported"));
    assert_eq!(
        (shown.model.as_deref(), shown.system_message.as_deref()),
        (Some("gpt"), Some("Be kind."))
    );
    assert_eq!(shown.imported_from.as_deref(), Some("export:forked"));
    assert_eq!(shown.status, ConversationStatus::Archived);
    assert_eq!(
        serde_json::from_str::<Value>(shown.metadata.get()).expect("JSON"),
        json!({"n": 1})
    );
    assert_eq!((shown.message_count, shown.branch_count), (4, 2));
    assert_eq!((shown.total_tokens, shown.total_cost.nano()), (7, 9));
    assert_eq!(shown.preview.as_deref(), Some("a"));
    assert_eq!(
        paths(&chat).await,
        [path("Main", &["a", "b", "c"]), path("side", &["a", "d"])]
    );
    let side = chat.branches().await.remove(1);
    assert!(side.is_active && !side.is_main && side.status == BranchStatus::Abandoned);
    assert_eq!((side.message_count, side.own_message_count), (2, 1));
    let answer = chat.path(None).await.remove(0).children.remove(0);
    let answer = chat.message(answer).await;
    assert_eq!((answer.status, answer.usage), (expected.status, expected.usage));
    assert_eq!(
        (answer.model, answer.finish_reason),
        (expected.model, expected.finish_reason)
    );
    assert_eq!(
        (answer.latency_ms, answer.time_to_first_token_ms),
        (Some(12), Some(3))
    );
    assert_eq!(answer.reasoning, expected.reasoning);
    assert_eq!(
        serde_json::from_str::<Value>(answer.metadata.get()).expect("JSON"),
        json!({"m": 2})
    );
    assert_eq!(chat.search("d").await, ["d"]);
    chat.say("goes on").await;
    assert_eq!(chat.texts(None).await, ["a", "d", "goes on"]);
}

pub async fn importing_twice_is_importing_once(store: &TestStore) {
    let user = store.user();
    let (first, _) = import(&user, forked()).await;
    let before = serde_json::to_value(first.full().await).expect("JSON");
    for _ in 0..2 {
        let (again, outcome) = import(&user, forked()).await;
        assert_eq!((again.id, outcome), (first.id, ImportOutcome::Updated));
        let after = serde_json::to_value(again.full().await).expect("JSON");
        assert_eq!(after["messages"], before["messages"]);
        assert_eq!(after["branches"], before["branches"]);
        assert_eq!(
            after["conversation"]["message_count"],
            before["conversation"]["message_count"]
        );
    }
    assert_eq!(
        user.list(&ConversationFilter::default(), NEWEST_FIRST)
            .await
            .len(),
        1
    );
    let other = store.user();
    let (theirs, outcome) = import(&other, forked()).await;
    assert_eq!(
        outcome,
        ImportOutcome::Created,
        "everybody has a copy of their own"
    );
    assert_ne!(theirs.id, first.id);
}

pub async fn an_import_brings_what_is_new(store: &TestStore) {
    let user = store.user();
    let (chat, _) = import(&user, forked()).await;
    let mut newer = forked();
    newer.messages.push(message(Some(2), Role::Assistant, "e", "5"));
    newer.branches[0].head = Some(4);
    let mut third = message(Some(1), Role::User, "f", "6");
    third.branch = 2;
    newer.messages.push(third);
    newer.branches.push(branch("third", Some(1), Some(5)));
    newer.messages[0].content = "a zebra".to_owned();
    newer.messages[0].edited = true;
    let (_, outcome) = import(&user, newer).await;
    assert_eq!(outcome, ImportOutcome::Updated);
    let expected = [
        path("Main", &["a zebra", "b", "c", "e"]),
        path("side", &["a zebra", "d"]),
        path("third", &["a zebra", "b", "f"]),
    ];
    assert_eq!(paths(&chat).await, expected);
    assert_eq!(chat.search("zebra").await, ["a zebra"]);
    let shown = chat.read().await;
    assert_eq!((shown.message_count, shown.branch_count), (6, 3));
    assert_eq!(shown.preview.as_deref(), Some("a zebra"));
}

pub async fn an_import_keeps_what_was_changed_here(store: &TestStore) {
    let user = store.user();
    let (chat, _) = import(&user, forked()).await;
    let main = chat.main().await.id;
    chat.say_on(main, "mine").await;
    let mut newer = forked();
    newer
        .messages
        .push(message(Some(2), Role::Assistant, "theirs", "5"));
    newer.branches[0].head = Some(4);
    import(&user, newer.clone()).await;
    assert_eq!(
        chat.texts(main).await,
        ["a", "b", "c", "mine"],
        "somebody moved this head here"
    );
    let texts: Vec<_> = chat
        .full()
        .await
        .messages
        .iter()
        .map(crate::store::chat::words)
        .collect();
    assert!(
        texts.contains(&"theirs".to_owned()),
        "but nothing is lost: {texts:?}"
    );
    let before = chat.full().await.messages.len();
    import(&user, newer.clone()).await;
    assert_eq!(
        chat.full().await.messages.len(),
        before,
        "and nothing comes twice"
    );
    newer
        .messages
        .push(message(Some(4), Role::User, "theirs again", "6"));
    newer.branches[0].head = Some(5);
    import(&user, newer).await;
    assert_eq!(chat.full().await.messages.len(), before + 1);
    assert_eq!(
        chat.branches().await.len(),
        3,
        "a further copy of the branch follows its source"
    );
    for message in chat.full().await.messages {
        let path = chat.path(Some(message.branch_id)).await;
        assert!(path.iter().any(|on_path| on_path.id == message.id), "{message:?}");
    }
}

pub async fn the_original_of_an_import_is_never_touched(store: &TestStore) {
    let user = store.user();
    let chat = user.titled("original").await;
    let exchange = chat.exchange("one", "1").await;
    chat.fork(exchange.question).await;
    chat.say("side").await;
    let before = serde_json::to_value(chat.full().await).expect("JSON");
    let file = exported(&**store, &store.clock, user.id(), chat.id).await;
    let (copy, outcome) = import(&user, file.clone()).await;
    assert_eq!(outcome, ImportOutcome::Created);
    assert_ne!(copy.id, chat.id);
    assert_eq!(paths(&copy).await, paths(&chat).await);
    copy.say("only in the copy").await;
    import(&user, file).await;
    assert_eq!(serde_json::to_value(chat.full().await).expect("JSON"), before);
}

pub async fn what_was_merged_before_an_export_is_not_merged_after_it(store: &TestStore) {
    let user = store.user();
    let chat = user.chat().await;
    let main = chat.main().await.id;
    let first = chat.say("one").await;
    let side = chat.fork(first).await;
    chat.say("a").await;
    chat.say_on(main, "m").await;
    chat.merge(side, main).await;
    let file = exported(&**store, &store.clock, user.id(), chat.id).await;
    let (copy, _) = import(&user, file).await;
    let branches = copy.branches().await;
    let merged = copy.merge(branches[1].id, branches[0].id).await;
    assert!(merged.already_merged, "{merged:?}");
    assert_eq!(copy.texts(branches[0].id).await, ["one", "m", "a"]);
}

pub async fn what_was_merged_between_two_imports_is_not_merged_after_them(store: &TestStore) {
    let user = store.user();
    let chat = user.chat().await;
    let main = chat.main().await.id;
    let first = chat.say("one").await;
    let side = chat.fork(first).await;
    chat.say("a").await;
    let third = chat.fork(first).await;
    chat.say("t").await;
    chat.merge(side, third).await;
    chat.say_on(main, "m").await;
    let export = async || exported(&**store, &store.clock, user.id(), chat.id).await;
    import(&user, export().await).await;
    chat.merge(third, main).await;
    let (copy, outcome) = import(&user, export().await).await;
    assert_eq!(outcome, ImportOutcome::Updated);
    let branches = copy.branches().await;
    assert_eq!(copy.texts(branches[0].id).await, ["one", "m", "t", "a"]);
    let merged = copy.merge(branches[1].id, branches[0].id).await;
    assert!(merged.already_merged, "{merged:?}");
}

pub async fn limits_do_not_bind_what_is_imported_but_what_follows(store: &TestStore) {
    let user = store.user();
    let (chat, _) = import(&user, chain("long", store.limits.messages as usize + 5)).await;
    assert_eq!(
        chat.read().await.message_count,
        u64::from(store.limits.messages) + 5
    );
    let refused = chat.add(crate::store::chat::new_message("more")).await;
    assert!(
        matches!(refused, Err(StoreError::LimitReached { .. })),
        "{refused:?}"
    );
    for number in 1..store.limits.conversations {
        import(&user, chain(&format!("more{number}"), 1)).await;
    }
    let one_more = store
        .import_conversation(&user.caller, chain("one more", 1))
        .await;
    assert!(
        matches!(one_more, Err(StoreError::LimitReached { .. })),
        "{one_more:?}"
    );
    let (_, outcome) = import(&user, chain("more1", 3)).await;
    assert_eq!(
        outcome,
        ImportOutcome::Updated,
        "an earlier copy is no new conversation"
    );
}

pub async fn a_deleted_copy_is_made_anew(store: &TestStore) {
    let user = store.user();
    let (first, _) = import(&user, forked()).await;
    store
        .delete_conversation(user.id(), first.id)
        .await
        .expect("deleted");
    let (second, outcome) = import(&user, forked()).await;
    assert_eq!(outcome, ImportOutcome::Created);
    assert_ne!(second.id, first.id);
}
