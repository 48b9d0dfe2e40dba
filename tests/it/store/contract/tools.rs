//! Tool calls and pictures: what is more than text.

use std::sync::Arc;

use ai_chat_orchestrator::models::ids::MessageId;
use ai_chat_orchestrator::models::message::{ContentPart, ImageUrl, MessageContent, Role};
use ai_chat_orchestrator::services::conversations::{StoreError, ToolResult, TurnInput};

use crate::store::chat::{Chat, Running, raw};
use crate::store::databases::TestStore;

/// Two calls, as a model writes them.
const CALLS: &str = r#"[{"id":"c1","type":"function","function":{"name":"f","arguments":"{}"}},{"id":"c2","type":"function","function":{"name":"g","arguments":"{}"}}]"#;

fn results(ids: &[&str]) -> TurnInput {
    let result = |id: &&str| ToolResult {
        tool_call_id: (*id).to_owned(),
        content: format!("result of {id}"),
    };
    TurnInput::ToolResults(ids.iter().map(result).collect())
}

/// Ends an answer with tool calls.
async fn call_tools(chat: &Chat<'_>, running: &Running) -> MessageId {
    let mut answer = chat.user.answer(&running.turn, running.stream, "");
    answer.tool_calls = Some(raw(CALLS));
    chat.user
        .store
        .save_answer(Arc::new(answer))
        .await
        .expect("a stored answer");
    running.turn.message_id
}

pub async fn tool_calls_are_answered_all_at_once(store: &TestStore) {
    let user = store.user();
    let chat = user.chat().await;
    let running = chat.ask("look").await;
    let calling = call_tools(&chat, &running).await;
    for wrong in [
        results(&["c1"]),
        results(&["c1", "c2", "c3"]),
        results(&["c1", "c1"]),
        results(&[]),
    ] {
        let refused = chat.begin(chat.at(None, None), wrong).await.map(|_| ());
        assert!(
            matches!(refused, Err(StoreError::InvalidToolResults(_))),
            "{refused:?}"
        );
    }
    assert_eq!(chat.read().await.message_count, 2);
    let running = chat
        .begin(chat.at(None, None), results(&["c2", "c1"]))
        .await
        .expect("a turn");
    let path = chat.path(None).await;
    let tools: Vec<_> = path[2..4]
        .iter()
        .map(|message| message.tool_call_id.clone().unwrap_or_default())
        .collect();
    assert_eq!(tools, ["c2", "c1"]);
    assert_eq!((path[2].role, path[2].parent_id), (Role::Tool, Some(calling)));
    assert_eq!(running.turn.user_message_id, path[3].id);
    assert!(path[1].tool_calls.is_some());
    let sent = &running.turn.context;
    assert!(sent[1].tool_calls.is_some() && sent[2].tool_call_id.as_deref() == Some("c2"));
    chat.end(&running, "found").await;
    let refused = chat
        .begin(chat.at(None, None), results(&["c1"]))
        .await
        .map(|_| ());
    assert!(
        matches!(refused, Err(StoreError::InvalidToolResults(_))),
        "nothing was called: {refused:?}"
    );
    assert_eq!(chat.read().await.message_count, 5);
}

pub async fn a_forked_turn_that_is_refused_leaves_no_branch(store: &TestStore) {
    let user = store.user();
    let chat = user.chat().await;
    let exchange = chat.exchange("one", "1").await;
    chat.exchange("two", "2").await;
    let refused = chat
        .begin(chat.at(None, Some(exchange.answer)), results(&["c1"]))
        .await
        .map(|_| ());
    assert!(
        matches!(refused, Err(StoreError::InvalidToolResults(_))),
        "{refused:?}"
    );
    assert_eq!(
        (chat.branches().await.len(), chat.read().await.branch_count),
        (1, 1)
    );
    assert!(chat.main().await.is_active);
}

pub async fn pictures_reach_the_model(store: &TestStore) {
    let user = store.user();
    let chat = user.chat().await;
    let picture = MessageContent::Parts(vec![ContentPart::ImageUrl {
        image_url: ImageUrl {
            url: "https://example.com/a.png".to_owned(),
            detail: None,
        },
    }]);
    let input = TurnInput::Message(picture.clone());
    let running = chat.begin(chat.at(None, None), input).await.expect("a turn");
    let parts = running.turn.context[0].parts.as_deref().expect("parts");
    let parts: serde_json::Value = serde_json::from_str(parts.get()).expect("JSON");
    assert_eq!(parts, serde_json::to_value(&picture).expect("JSON"));
    assert_eq!(running.turn.context[0].content, "");
}
