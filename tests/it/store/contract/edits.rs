//! Editing messages, in place and beside.

use ai_chat_orchestrator::models::ids::MessageId;
use ai_chat_orchestrator::models::message::Role;
use ai_chat_orchestrator::services::conversations::{MessageEdit, NewBranchName, NewMessage, StoreError};

use crate::store::chat::{new_message, words};
use crate::store::databases::TestStore;
use crate::store::user::text;

pub async fn an_edit_in_place_changes_the_text(store: &TestStore) {
    let user = store.user();
    let chat = user.chat().await;
    let exchange = chat.exchange("a zebra", "striped").await;
    let before = chat.message(exchange.question).await;
    let (edited, branch) = chat
        .edit(exchange.question, "a giraffe", false)
        .await
        .expect("an edit");
    assert!(branch.is_none() && edited.edited && edited.id == exchange.question);
    assert_eq!(
        (words(&edited), edited.created_at),
        ("a giraffe".to_owned(), before.created_at)
    );
    assert!(edited.updated_at > before.updated_at);
    assert_eq!(
        chat.texts(None).await,
        ["a giraffe", "striped"],
        "the answer stays"
    );
    assert!(chat.search("zebra").await.is_empty());
    assert_eq!(chat.search("giraffe").await, ["a giraffe"]);
    assert_eq!(chat.read().await.preview.as_deref(), Some("a giraffe"));
}

pub async fn an_edit_beside_leaves_the_original(store: &TestStore) {
    let user = store.user();
    let chat = user.chat().await;
    chat.exchange("one", "1").await;
    let exchange = chat.exchange("two", "2").await;
    let main = chat.main().await.id;
    let edit = MessageEdit {
        content: text("two, better"),
        new_branch: Some(NewBranchName(Some("better".to_owned()))),
    };
    let edited = store
        .edit_message(user.id(), chat.id, exchange.question, edit)
        .await
        .expect("an edit");
    let branch = edited.branch.expect("a branch");
    assert!(branch.is_active && branch.name == "better");
    assert_eq!(edited.message.branch_id, branch.id);
    assert_ne!(edited.message.id, exchange.question);
    assert_eq!(
        edited.message.parent_id,
        chat.message(exchange.question).await.parent_id
    );
    assert_eq!(
        (branch.parent_message_id, branch.head_message_id),
        (edited.message.parent_id, Some(edited.message.id))
    );
    assert_eq!(chat.texts(main).await, ["one", "1", "two", "2"]);
    assert_eq!(chat.texts(None).await, ["one", "1", "two, better"]);
    assert!(!chat.message(exchange.question).await.edited);
    assert_eq!(chat.read().await.message_count, 5);
}

pub async fn only_the_users_own_words_are_edited(store: &TestStore) {
    let user = store.user();
    let chat = user.chat().await;
    let exchange = chat.exchange("one", "1").await;
    let system = NewMessage {
        role: Role::System,
        ..new_message("rules")
    };
    let system = chat.add(system).await.expect("a message").id;
    for id in [exchange.answer, system] {
        for beside in [false, true] {
            let refused = chat.edit(id, "changed", beside).await;
            assert!(matches!(refused, Err(StoreError::Conflict(_))), "{refused:?}");
        }
    }
    let unknown = chat.edit(MessageId::new(&store.clock), "changed", false).await;
    assert!(matches!(unknown, Err(StoreError::MessageNotFound)), "{unknown:?}");
    assert_eq!(chat.texts(None).await, ["one", "1", "rules"]);
}

pub async fn what_is_being_answered_is_not_edited_in_place(store: &TestStore) {
    let user = store.user();
    let chat = user.chat().await;
    let running = chat.ask("one").await;
    let question = running.turn.user_message_id;
    let refused = chat.edit(question, "changed", false).await;
    assert!(
        matches!(refused, Err(StoreError::GenerationInProgress { .. })),
        "{refused:?}"
    );
    chat.edit(question, "beside", true)
        .await
        .expect("an edit beside it");
    chat.end(&running, "1").await;
    chat.edit(question, "changed", false).await.expect("an edit");
}
