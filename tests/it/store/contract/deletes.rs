//! Deleting messages: what goes, what stays, and where branches end then.

use ai_chat_orchestrator::models::ids::MessageId;
use ai_chat_orchestrator::services::conversations::StoreError;
use chrono::DateTime;

use super::import::import;
use crate::store::databases::TestStore;
use crate::store::imports::chain;
use crate::store::user::{COMPLETION_TOKENS, PROMPT_TOKENS};

pub async fn a_message_goes_with_all_that_follows(store: &TestStore) {
    let user = store.user();
    let chat = user.chat().await;
    let first = chat.exchange("one", "1").await;
    let second = chat.exchange("two", "2").await;
    let branch = chat.fork(second.question).await;
    chat.say("on the branch").await;
    assert_eq!(chat.delete(second.question).await.expect("deleted"), 3);
    let (main, branch) = (chat.main().await, chat.branch(branch).await);
    assert_eq!(
        (main.head_message_id, main.message_count),
        (Some(first.answer), 2)
    );
    assert_eq!(
        branch.head_message_id,
        Some(first.answer),
        "branches that ended inside end before it"
    );
    assert_eq!(branch.parent_message_id, Some(first.answer), "and fork before it");
    assert_eq!((branch.message_count, branch.own_message_count), (2, 0));
    let shown = chat.read().await;
    assert_eq!((shown.message_count, shown.branch_count), (2, 2));
    assert_eq!(shown.total_tokens, PROMPT_TOKENS + COMPLETION_TOKENS);
    assert!(chat.message(first.answer).await.children.is_empty());
    assert_eq!(chat.texts(branch.id).await, ["one", "1"]);
    assert!(chat.search("two").await.is_empty() && chat.search("branch").await.is_empty());
}

pub async fn without_its_first_message_a_conversation_is_empty(store: &TestStore) {
    let user = store.user();
    let chat = user.chat().await;
    let exchange = chat.exchange("one", "1").await;
    let branch = chat.fork(exchange.answer).await;
    chat.say("two").await;
    assert_eq!(chat.delete(exchange.question).await.expect("deleted"), 3);
    for branch in chat.branches().await {
        assert_eq!((branch.head_message_id, branch.parent_message_id), (None, None));
        assert_eq!((branch.message_count, branch.own_message_count), (0, 0));
    }
    let shown = chat.read().await;
    assert_eq!(
        (shown.message_count, shown.total_tokens, shown.total_cost.nano()),
        (0, 0, 0)
    );
    assert_eq!((shown.preview, shown.last_message_at), (None, None));
    chat.say_on(branch, "a new beginning").await;
    assert_eq!(chat.texts(branch).await, ["a new beginning"]);
    assert_eq!(chat.read().await.preview.as_deref(), Some("a new beginning"));
}

pub async fn what_stands_beside_a_deleted_message_stays(store: &TestStore) {
    let user = store.user();
    let chat = user.chat().await;
    let said = chat.say_all(&["one", "two"]).await;
    let (edited, _) = chat.edit(said[1], "beside", true).await.expect("an edit");
    let below = chat.say("below").await;
    assert_eq!(chat.delete(said[1]).await.expect("deleted"), 1);
    assert_eq!(chat.texts(None).await, ["one", "beside", "below"]);
    let main = chat.main().await;
    assert_eq!(main.head_message_id, Some(said[0]));
    assert_eq!(chat.texts(main.id).await, ["one"]);
    assert_eq!(chat.message(said[0]).await.children, [edited.id]);
    assert_eq!(chat.delete(below).await.expect("deleted"), 1);
    assert_eq!(chat.texts(None).await, ["one", "beside"]);
}

pub async fn the_last_message_is_the_newest_that_is_left(store: &TestStore) {
    let user = store.user();
    // Copies keep their times: here the first message is the newest but one, and the last the newest.
    let mut file = chain("times", 4);
    let time = |second| DateTime::from_timestamp(1_700_000_000 + second, 0).expect("a time");
    for (message, second) in file.messages.iter_mut().zip([30_i64, 10, 20, 40]) {
        message.created_at = Some(time(second));
    }
    let (copy, _) = import(&user, file).await;
    let said = copy.path(None).await;
    for (message, newest) in [(3, Some(time(30))), (2, Some(time(30))), (0, None)] {
        copy.delete(said[message].id).await.expect("deleted");
        assert_eq!(copy.read().await.last_message_at, newest);
    }
}

pub async fn what_is_gone_is_not_found(store: &TestStore) {
    let user = store.user();
    let chat = user.chat().await;
    let said = chat.say("one").await;
    chat.delete(said).await.expect("deleted");
    for id in [said, MessageId::new(&store.clock)] {
        let refused = chat.delete(id).await;
        assert!(matches!(refused, Err(StoreError::MessageNotFound)), "{refused:?}");
    }
}

pub async fn what_is_being_answered_is_not_deleted(store: &TestStore) {
    let user = store.user();
    let chat = user.chat().await;
    let first = chat.say("one").await;
    let running = chat.ask("two").await;
    for id in [first, running.turn.user_message_id, running.turn.message_id] {
        let refused = chat.delete(id).await;
        assert!(
            matches!(refused, Err(StoreError::GenerationInProgress { .. })),
            "{refused:?}"
        );
    }
    assert_eq!(chat.read().await.message_count, 3);
    chat.end(&running, "2").await;
    assert_eq!(chat.delete(first).await.expect("deleted"), 3);
}
