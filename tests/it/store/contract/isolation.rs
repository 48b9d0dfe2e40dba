//! Nobody sees or changes what belongs to somebody else, or what another conversation holds.

use std::sync::Arc;

use ai_chat_orchestrator::models::common::SortOrder;
use ai_chat_orchestrator::models::ids::{BranchId, MessageId};
use ai_chat_orchestrator::services::conversations::search::SearchQuery;
use ai_chat_orchestrator::services::conversations::{
    BranchChanges, ConversationChanges, ConversationFilter, Merge, MessageCursor, MessageEdit, MessageFilter,
    NewBranch, PathQuery, Relatives, StoreError, TurnInput,
};

use crate::store::chat::{Chat, asked, new_message};
use crate::store::databases::TestStore;
use crate::store::user::{ALL, NEWEST_FIRST, text};

/// What every method that names a conversation says to `chat` about ids of its choice.
async fn everything(
    chat: &Chat<'_>,
    branch: BranchId,
    message: MessageId,
) -> Vec<(&'static str, Option<StoreError>)> {
    let (store, user, id) = (chat.user.store, chat.user.id(), chat.id);
    let query = SearchQuery::parse("secret");
    let on_branch = MessageFilter {
        branch: Some(branch),
        ..MessageFilter::default()
    };
    let path = PathQuery {
        branch: Some(branch),
        role: None,
        order: SortOrder::Asc,
    };
    let new_branch = NewBranch {
        fork: message,
        name: None,
        activate: true,
    };
    let edit = MessageEdit {
        content: text("changed"),
        new_branch: None,
    };
    let there = new_message("intruder");
    let merge = Merge {
        target: Some(branch),
        ..Merge::default()
    };
    let renamed = BranchChanges {
        name: Some("changed".to_owned()),
        status: None,
    };
    vec![
        (
            "create_branch",
            store.create_branch(user, id, new_branch).await.err(),
        ),
        (
            "update_branch",
            store.update_branch(user, id, branch, renamed).await.err(),
        ),
        (
            "activate_branch",
            store.activate_branch(user, id, branch).await.err(),
        ),
        ("delete_branch", store.delete_branch(user, id, branch).await.err()),
        (
            "merge_branch",
            store.merge_branch(user, id, branch, Merge::default()).await.err(),
        ),
        (
            "merge_branch into",
            store.merge_branch(user, id, branch, merge).await.err(),
        ),
        ("branch_stats", store.branch_stats(user, id, branch).await.err()),
        ("path", store.path(user, id, path, ALL).await.err()),
        (
            "message",
            store.message(user, id, message, Relatives::default()).await.err(),
        ),
        (
            "add_message on",
            chat.add(ai_chat_orchestrator::services::conversations::NewMessage {
                branch: Some(branch),
                ..there.clone()
            })
            .await
            .err(),
        ),
        (
            "add_message below",
            chat.add(ai_chat_orchestrator::services::conversations::NewMessage {
                parent: Some(message),
                ..there
            })
            .await
            .err(),
        ),
        (
            "edit_message",
            store.edit_message(user, id, message, edit).await.err(),
        ),
        (
            "delete_message",
            store.delete_message(user, id, message).await.err(),
        ),
        (
            "search_messages",
            store
                .search_messages(user, id, &query, on_branch, ALL)
                .await
                .err(),
        ),
        (
            "append_turn on",
            chat.begin(chat.at(Some(branch), None), asked("x")).await.err(),
        ),
        (
            "append_turn below",
            chat.begin(chat.at(None, Some(message)), asked("x")).await.err(),
        ),
        (
            "regenerate",
            chat.begin(chat.again(message), TurnInput::Again).await.err(),
        ),
    ]
}

/// What the methods say that name nothing but the conversation.
async fn whole(chat: &Chat<'_>) -> Vec<(&'static str, Option<StoreError>)> {
    let (store, user, id) = (chat.user.store, chat.user.id(), chat.id);
    let query = SearchQuery::parse("secret");
    let renamed = ConversationChanges {
        title: Some(Some("changed".to_owned())),
        ..ConversationChanges::default()
    };
    let path = PathQuery {
        branch: None,
        role: None,
        order: SortOrder::Asc,
    };
    vec![
        (
            "update_conversation",
            store.update_conversation(user, id, renamed).await.err(),
        ),
        (
            "delete_conversation",
            store.delete_conversation(user, id).await.err(),
        ),
        ("path", store.path(user, id, path, ALL).await.err()),
        (
            "messages_after",
            store
                .messages_after(user, id, MessageCursor::default(), 9)
                .await
                .err(),
        ),
        (
            "search_messages",
            store
                .search_messages(user, id, &query, MessageFilter::default(), ALL)
                .await
                .err(),
        ),
        ("add_message", chat.add(new_message("intruder")).await.err()),
        (
            "append_turn",
            chat.begin(chat.at(None, None), asked("x")).await.err(),
        ),
    ]
}

pub async fn what_belongs_to_others_does_not_exist(store: &TestStore) {
    let (owner, intruder) = (store.user(), store.user());
    let chat = owner.titled("secret").await;
    let exchange = chat.exchange("secret", "secret").await;
    let side = chat.fork(exchange.question).await;
    chat.activate(exchange.branch).await;
    let before = serde_json::to_value(chat.full().await).expect("JSON");
    intruder.chat().await;
    let theirs = intruder.open(chat.id);
    for branch in [exchange.branch, side, BranchId::new(&store.clock)] {
        for (method, error) in everything(&theirs, branch, exchange.question).await {
            assert!(
                matches!(error, Some(StoreError::ConversationNotFound)),
                "{method}: {error:?}"
            );
        }
    }
    for (method, error) in whole(&theirs).await {
        assert!(
            matches!(error, Some(StoreError::ConversationNotFound)),
            "{method}: {error:?}"
        );
    }
    let user = intruder.id();
    assert!(
        store
            .conversation(user, chat.id)
            .await
            .expect("a store that answers")
            .is_none()
    );
    assert!(
        store
            .full_conversation(user, chat.id, None)
            .await
            .expect("a store that answers")
            .is_none()
    );
    assert!(
        store
            .chat_defaults(user, chat.id)
            .await
            .expect("a store that answers")
            .is_none()
    );
    assert_eq!(
        intruder
            .list(&ConversationFilter::default(), NEWEST_FIRST)
            .await
            .len(),
        1
    );
    assert!(intruder.search("secret").await.is_empty());
    let stats = store.conversation_stats(user, None).await.expect("statistics");
    assert_eq!((stats.conversations, stats.messages), (1, 0));
    assert_eq!(serde_json::to_value(chat.full().await).expect("JSON"), before);
}

pub async fn what_another_conversation_holds_does_not_exist_here(store: &TestStore) {
    let user = store.user();
    let other = user.chat().await;
    let exchange = other.exchange("secret", "secret").await;
    let before = serde_json::to_value(other.full().await).expect("JSON");
    let chat = user.chat().await;
    chat.exchange("one", "1").await;
    let here = serde_json::to_value(chat.full().await).expect("JSON");
    for (method, error) in everything(&chat, exchange.branch, exchange.answer).await {
        let refused = matches!(
            error,
            Some(StoreError::BranchNotFound | StoreError::MessageNotFound)
        );
        assert!(refused, "{method}: {error:?}");
    }
    let full = store
        .full_conversation(user.id(), chat.id, Some(exchange.branch))
        .await;
    assert!(matches!(full, Err(StoreError::BranchNotFound)), "{full:?}");
    assert_eq!(serde_json::to_value(other.full().await).expect("JSON"), before);
    assert_eq!(serde_json::to_value(chat.full().await).expect("JSON"), here);
}

pub async fn an_answer_goes_to_its_own_user_only(store: &TestStore) {
    let (owner, intruder) = (store.user(), store.user());
    let chat = owner.chat().await;
    let running = chat.ask("one").await;
    let forged = intruder.answer(
        &running.turn,
        ai_chat_orchestrator::models::ids::StreamId::new(&store.clock),
        "forged",
    );
    store
        .save_answer(Arc::new(forged))
        .await
        .expect("as if the conversation were gone");
    assert_eq!(chat.texts(None).await, ["one", ""]);
    chat.end(&running, "1").await;
    assert_eq!(chat.texts(None).await, ["one", "1"]);
}
