//! What is asked, its context, and how answers end.

use std::sync::Arc;

use ai_chat_orchestrator::models::ids::{ConversationId, MessageId, StreamId};
use ai_chat_orchestrator::models::message::{MessageStatus, Role};
use ai_chat_orchestrator::services::conversations::{
    AnswerOutcome, NewConversation, NewMessage, StoreError, TurnInput, TurnTarget,
};

use chrono::TimeDelta;

use crate::store::chat::{Running, asked, new_message};
use crate::store::databases::TestStore;
use crate::store::imports::chain;
use crate::store::user::{COMPLETION_TOKENS, PROMPT_TOKENS, User};
use crate::support::MODEL;

fn context(running: &Running) -> Vec<&str> {
    running
        .turn
        .context
        .iter()
        .map(|message| message.content.as_str())
        .collect()
}

async fn end_as(user: &User<'_>, running: &Running, outcome: AnswerOutcome, content: &str) {
    let mut answer = user.answer(&running.turn, running.stream, content);
    answer.outcome = outcome;
    user.store
        .save_answer(Arc::new(answer))
        .await
        .expect("a stored answer");
}

pub async fn a_turn_makes_a_conversation(store: &TestStore) {
    let user = store.user();
    let mut new = user.turn(TurnTarget::NewConversation, asked("hello"));
    new.conversation_model = Some("named".to_owned());
    let stream = new.stream_id;
    let turn = store.append_turn(&user.caller, new).await.expect("a turn");
    assert!(turn.new_conversation && !turn.forked);
    let chat = user.open(turn.conversation_id);
    let main = chat.main().await;
    assert!(main.is_active && main.id == turn.branch_id && main.head_message_id == Some(turn.message_id));
    let shown = chat.read().await;
    assert_eq!(
        (shown.message_count, shown.preview.as_deref(), shown.title),
        (2, Some("hello"), None)
    );
    let defaults = store
        .chat_defaults(user.id(), chat.id)
        .await
        .expect("a store that answers");
    assert_eq!(
        defaults.expect("the conversation").model.as_deref(),
        Some("named")
    );
    let place = chat.message(turn.message_id).await;
    assert_eq!(
        (place.role, place.status),
        (Role::Assistant, MessageStatus::Streaming)
    );
    assert_eq!(
        (place.parent_id, place.model.as_deref()),
        (Some(turn.user_message_id), Some(MODEL))
    );
    chat.end(&Running { turn, stream }, "Hello to you").await;
    let answer = chat.path(None).await.remove(1);
    assert_eq!(answer.status, MessageStatus::Completed);
    assert_eq!(answer.finish_reason.as_deref(), Some("stop"));
    let usage = answer.usage.expect("its usage");
    assert_eq!(
        (usage.prompt_tokens, usage.completion_tokens),
        (PROMPT_TOKENS, COMPLETION_TOKENS)
    );
    assert_eq!(usage.total_tokens, PROMPT_TOKENS + COMPLETION_TOKENS);
    assert_eq!(
        (answer.latency_ms, answer.time_to_first_token_ms),
        (Some(20), Some(3))
    );
    assert_eq!(chat.read().await.title.as_deref(), Some("Hello to you"));
}

pub async fn nobody_talks_in_more_conversations_than_the_limit(store: &TestStore) {
    let user = store.user();
    for _ in 0..store.limits.conversations {
        user.chat().await;
    }
    let turn = user.turn(TurnTarget::NewConversation, asked("one more"));
    let refused = store.append_turn(&user.caller, turn).await;
    assert!(
        matches!(refused, Err(StoreError::LimitReached { .. })),
        "{refused:?}"
    );
}

pub async fn the_context_is_the_end_of_the_path(store: &TestStore) {
    let user = store.user();
    let new = NewConversation {
        system_message: Some("Be kind.".to_owned()),
        ..NewConversation::default()
    };
    let chat = user.chat_with(new).await;
    let first = chat.exchange("one", "1").await;
    chat.exchange("two", "2").await;
    let running = chat
        .begin(chat.at(None, Some(first.answer)), asked("other"))
        .await
        .expect("a turn");
    assert_eq!(context(&running), ["one", "1", "other"]);
    assert_eq!(running.turn.system_message.as_deref(), Some("Be kind."));
    let length = store.limits.context_messages as usize;
    let (id, _) = store
        .import_conversation(&user.caller, chain("long", 50))
        .await
        .expect("an import");
    let running = user.open(id).ask("and now?").await;
    let context = context(&running);
    assert_eq!(context.len(), length);
    assert_eq!(context[length - 1], "and now?");
    assert_eq!(context[0], format!("message {}", 51 - length));
}

pub async fn a_turn_below_the_head_forks_an_active_branch(store: &TestStore) {
    let user = store.user();
    let chat = user.chat().await;
    let first = chat.exchange("one", "1").await;
    let second = chat.exchange("two", "2").await;
    let running = chat
        .begin(chat.at(None, Some(first.answer)), asked("other"))
        .await
        .expect("a turn");
    assert!(running.turn.forked && running.turn.branch_id != first.branch);
    let fork = chat.branch(running.turn.branch_id).await;
    assert!(fork.is_active && fork.parent_message_id == Some(first.answer));
    assert_eq!(chat.texts(first.branch).await, ["one", "1", "two", "2"]);
    let at_the_head = chat.at(Some(first.branch), Some(second.answer));
    let on_main = chat.begin(at_the_head, asked("three")).await.expect("a turn");
    assert!(!on_main.turn.forked && on_main.turn.branch_id == first.branch);
}

pub async fn of_two_turns_to_one_message_one_is_refused(store: &TestStore) {
    let user = store.user();
    let chat = user.chat().await;
    let running = chat.ask("one").await;
    let turn = &running.turn;
    for parent in [None, Some(turn.user_message_id), Some(turn.message_id)] {
        let refused = chat.begin(chat.at(None, parent), asked("two")).await;
        let refused = refused.map(|running| running.stream);
        assert!(
            matches!(refused, Err(StoreError::GenerationInProgress { stream_id }) if stream_id == running.stream),
            "{refused:?}"
        );
        let refused = chat
            .add(NewMessage {
                parent,
                ..new_message("two")
            })
            .await;
        assert!(
            matches!(refused, Err(StoreError::GenerationInProgress { .. })),
            "{refused:?}"
        );
    }
    for message in [turn.user_message_id, turn.message_id] {
        let refused = chat
            .begin(chat.again(message), TurnInput::Again)
            .await
            .map(|_| ());
        assert!(
            matches!(refused, Err(StoreError::GenerationInProgress { .. })),
            "{refused:?}"
        );
    }
    assert_eq!(
        (chat.read().await.message_count, chat.branches().await.len()),
        (2, 1)
    );
    chat.end(&running, "1").await;
    chat.exchange("two", "2").await;
}

pub async fn an_answer_is_stored_once(store: &TestStore) {
    let user = store.user();
    let chat = user.chat().await;
    let running = chat.ask("one").await;
    chat.end(&running, "first").await;
    chat.end(&running, "second").await;
    end_as(&user, &running, AnswerOutcome::Withdrawn, "").await;
    assert_eq!(chat.texts(None).await, ["one", "first"]);
    let shown = chat.read().await;
    assert_eq!(
        (shown.total_tokens, shown.message_count),
        (PROMPT_TOKENS + COMPLETION_TOKENS, 2)
    );
}

pub async fn an_answer_nobody_saw_leaves_no_trace(store: &TestStore) {
    let user = store.user();
    let chat = user.chat().await;
    let running = chat.ask("one").await;
    end_as(&user, &running, AnswerOutcome::Withdrawn, "").await;
    end_as(&user, &running, AnswerOutcome::Withdrawn, "").await;
    assert_eq!(chat.texts(None).await, ["one"]);
    assert_eq!(
        chat.main().await.head_message_id,
        Some(running.turn.user_message_id)
    );
    let shown = chat.read().await;
    assert_eq!((shown.message_count, shown.total_tokens), (1, 0));
    let again = chat
        .begin(chat.again(running.turn.user_message_id), TurnInput::Again)
        .await;
    let again = again.expect("it can be answered still");
    assert!(!again.turn.forked);
    chat.end(&again, "1").await;
    assert_eq!(chat.texts(None).await, ["one", "1"]);
}

pub async fn every_end_of_an_answer_is_kept(store: &TestStore) {
    let user = store.user();
    let chat = user.chat().await;
    for status in [
        MessageStatus::Completed,
        MessageStatus::Cancelled,
        MessageStatus::Interrupted,
        MessageStatus::Failed,
    ] {
        let running = chat.ask("one").await;
        end_as(&user, &running, AnswerOutcome::Stored(status), "so far").await;
        assert_eq!(chat.message(running.turn.message_id).await.status, status);
    }
}

pub async fn an_answer_is_answered_anew_beside_it(store: &TestStore) {
    let user = store.user();
    let chat = user.chat().await;
    let exchange = chat.exchange("one", "1").await;
    chat.exchange("two", "2").await;
    for (message, words) in [(exchange.answer, "1 again"), (exchange.question, "1 once more")] {
        let target = TurnTarget::Regenerate {
            conversation_id: chat.id,
            message_id: message,
            branch_name: Some(words.to_owned()),
        };
        let running = chat.begin(target, TurnInput::Again).await.expect("a turn");
        assert_eq!(context(&running), ["one"]);
        assert!(running.turn.forked && running.turn.user_message_id == exchange.question);
        let branch = chat.branch(running.turn.branch_id).await;
        assert!(branch.is_active && branch.name == words);
        assert_eq!(branch.parent_message_id, Some(exchange.question));
        chat.end(&running, words).await;
        assert_eq!(chat.texts(None).await, ["one", words]);
    }
    assert_eq!(chat.texts(exchange.branch).await, ["one", "1", "two", "2"]);
    assert_eq!(chat.message(exchange.question).await.children.len(), 3);
}

pub async fn an_unanswered_question_is_answered_in_place(store: &TestStore) {
    let user = store.user();
    let chat = user.chat().await;
    let main = chat.main().await.id;
    let question = chat.say("one").await;
    let running = chat
        .begin(chat.again(question), TurnInput::Again)
        .await
        .expect("a turn");
    assert!(!running.turn.forked && running.turn.branch_id == main);
    assert_eq!(running.turn.user_message_id, question);
    chat.end(&running, "1").await;
    assert_eq!(chat.texts(main).await, ["one", "1"]);
    assert_eq!(chat.branches().await.len(), 1);
}

pub async fn there_must_be_something_to_answer(store: &TestStore) {
    let user = store.user();
    let chat = user.chat().await;
    let greeting = NewMessage {
        role: Role::Assistant,
        ..new_message("Welcome")
    };
    let greeting = chat.add(greeting).await.expect("a message").id;
    let system = NewMessage {
        role: Role::System,
        ..new_message("rules")
    };
    let system = chat.add(system).await.expect("a message").id;
    for message in [greeting, system] {
        let refused = chat
            .begin(chat.again(message), TurnInput::Again)
            .await
            .map(|_| ());
        assert!(matches!(refused, Err(StoreError::Conflict(_))), "{refused:?}");
    }
    let elsewhere = user.chat().await.say("elsewhere").await;
    for unknown in [elsewhere, MessageId::new(&store.clock)] {
        let refused = chat
            .begin(chat.again(unknown), TurnInput::Again)
            .await
            .map(|_| ());
        assert!(matches!(refused, Err(StoreError::MessageNotFound)), "{refused:?}");
        let refused = chat
            .begin(chat.at(None, Some(unknown)), asked("x"))
            .await
            .map(|_| ());
        assert!(matches!(refused, Err(StoreError::MessageNotFound)), "{refused:?}");
    }
    let nowhere = TurnTarget::Existing {
        conversation_id: ConversationId::new(&store.clock),
        branch_id: None,
        parent_message_id: None,
    };
    let refused = chat.begin(nowhere, asked("x")).await.map(|_| ());
    assert!(
        matches!(refused, Err(StoreError::ConversationNotFound)),
        "{refused:?}"
    );
    assert_eq!(chat.texts(None).await, ["Welcome", "rules"]);
}

pub async fn an_answer_to_what_was_deleted_is_lost(store: &TestStore) {
    let user = store.user();
    let chat = user.chat().await;
    let running = chat.ask("one").await;
    store
        .delete_conversation(user.id(), chat.id)
        .await
        .expect("deleted");
    chat.end(&running, "1").await;
    end_as(&user, &running, AnswerOutcome::Withdrawn, "").await;
    let read = store
        .conversation(user.id(), chat.id)
        .await
        .expect("a store that answers");
    assert!(read.is_none());
}

/// Closes what nobody produces any more, with what is known of it; tells whether that changed anything.
async fn close(user: &User<'_>, running: &Running, content: &str) -> bool {
    let mut answer = user.answer(&running.turn, running.stream, content);
    answer.outcome = AnswerOutcome::Stored(MessageStatus::Interrupted);
    answer.usage.prompt_tokens += 100;
    let closed = user.store.close_abandoned(Arc::new(answer)).await;
    closed.expect("a store that answers")
}

pub async fn what_nobody_produces_is_closed_once(store: &TestStore) {
    let user = store.user();
    let chat = user.chat().await;
    let running = chat.ask("one").await;
    assert!(close(&user, &running, "what is known").await);
    assert!(!close(&user, &running, "and again").await);
    let answer = chat.message(running.turn.message_id).await;
    assert_eq!(answer.status, MessageStatus::Interrupted);
    assert_eq!(chat.texts(None).await, ["one", "what is known"]);
    assert!(!chat.search("known").await.is_empty());
    chat.say("and on").await;
}

pub async fn what_ended_is_not_closed(store: &TestStore) {
    let user = store.user();
    let chat = user.chat().await;
    let ended = chat.ask("one").await;
    chat.end(&ended, "1").await;
    assert!(!close(&user, &ended, "less").await);
    let deleted = chat.ask("two").await;
    store
        .delete_conversation(user.id(), chat.id)
        .await
        .expect("deleted");
    assert!(!close(&user, &deleted, "less").await);
}

pub async fn who_produced_it_may_bring_it_after_all(store: &TestStore) {
    let user = store.user();
    let chat = user.chat().await;
    let running = chat.ask("one").await;
    close(&user, &running, "what is known").await;
    for _ in 0..2 {
        end_as(
            &user,
            &running,
            AnswerOutcome::Stored(MessageStatus::Completed),
            "the whole",
        )
        .await;
    }
    assert_eq!(chat.texts(None).await, ["one", "the whole"]);
    assert_eq!(
        chat.message(running.turn.message_id).await.status,
        MessageStatus::Completed
    );
    assert_eq!(
        chat.read().await.total_tokens,
        PROMPT_TOKENS + COMPLETION_TOKENS,
        "counted once"
    );
    assert!(chat.search("known").await.is_empty() && !chat.search("whole").await.is_empty());
}

pub async fn what_was_taken_over_may_be_brought_for_longer(store: &TestStore) {
    let user = store.user();
    let chat = user.chat().await;
    chat.exchange("zero", "0").await;
    let running = chat.ask("one").await;
    close(&user, &running, "what is known").await;
    let sweep = async |taken_over_before| {
        let now = store.clock.now();
        let swept = store.generations.forget_ended(now, now - taken_over_before).await;
        swept.expect("a store that answers")
    };
    assert_eq!(sweep(TimeDelta::days(30)).await, 1, "the other one");
    let whole = AnswerOutcome::Stored(MessageStatus::Completed);
    end_as(&user, &running, whole, "the whole").await;
    assert_eq!(chat.texts(None).await, ["zero", "0", "one", "the whole"]);

    let running = chat.ask("two").await;
    close(&user, &running, "what is known").await;
    assert_eq!(sweep(TimeDelta::zero()).await, 2);
    end_as(&user, &running, whole, "too late").await;
    assert_eq!(chat.texts(None).await[5], "what is known");
}

pub async fn who_produced_it_may_withdraw_it_after_all(store: &TestStore) {
    let user = store.user();
    let chat = user.chat().await;
    chat.exchange("zero", "0").await;
    let before = chat.read().await;
    let running = chat.ask("one").await;
    close(&user, &running, "").await;
    end_as(&user, &running, AnswerOutcome::Withdrawn, "").await;
    assert_eq!(chat.texts(None).await, ["zero", "0", "one"]);
    assert_eq!(chat.read().await.total_tokens, before.total_tokens);

    let running = chat.ask("two").await;
    close(&user, &running, "").await;
    chat.exchange("three", "3").await;
    end_as(&user, &running, AnswerOutcome::Withdrawn, "").await;
    let texts = chat.texts(None).await;
    assert_eq!(texts[4..], ["", "three", "3"], "somebody went on from it");
}

pub async fn what_is_recorded_here_and_known_to_nobody_is_found(store: &TestStore) {
    let user = store.user();
    let chat = user.chat().await;
    let (known, lost) = (
        chat.ask("one").await.stream,
        user.chat().await.ask("two").await.stream,
    );
    let found = async |before, known: &[StreamId]| {
        let found = store.generations.unfinished_here(before, known).await;
        let found = found.expect("a store that answers").into_iter();
        found.map(|found| found.answer.stream_id).collect::<Vec<_>>()
    };
    let now = store.clock.now();
    assert_eq!(found(None, &[known]).await, [lost]);
    assert_eq!(found(Some(now + TimeDelta::seconds(1)), &[known]).await, [lost]);
    assert_eq!(found(Some(now - TimeDelta::hours(1)), &[]).await, []);
    assert_eq!(found(None, &[known, lost]).await, []);
}
