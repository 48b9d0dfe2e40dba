//! Adding and reading messages.

use ai_chat_orchestrator::models::common::{Page, SortOrder};
use ai_chat_orchestrator::models::ids::{BranchId, MessageId};
use ai_chat_orchestrator::models::message::{ContentPart, ImageUrl, MessageContent, MessageStatus, Role};
use ai_chat_orchestrator::services::conversations::{
    MessageCursor, MessageEdit, NewMessage, PathQuery, Relatives, StoreError,
};
use serde_json::{Value, json};

use crate::store::chat::{new_message, raw, words};
use crate::store::databases::TestStore;
use crate::store::imports::chain;
use crate::store::user::text;

pub async fn a_message_is_added_at_the_head(store: &TestStore) {
    let user = store.user();
    let chat = user.chat().await;
    let main = chat.main().await.id;
    let first = chat.say("one").await;
    let new = NewMessage {
        role: Role::Assistant,
        metadata: Some(raw(r#"{"n":1}"#)),
        ..new_message("two")
    };
    let second = chat.add(new).await.expect("a message");
    assert_eq!(
        (second.role, second.status),
        (Role::Assistant, MessageStatus::Completed)
    );
    assert_eq!((second.parent_id, second.branch_id), (Some(first), main));
    assert_eq!(
        (second.conversation_id, words(&second)),
        (chat.id, "two".to_owned())
    );
    assert_eq!(json_of(second.metadata.get()), json!({"n": 1}));
    assert!(second.usage.is_none() && second.children.is_empty() && !second.edited);
    let first = chat.message(first).await;
    assert_eq!((first.children, first.has_branches), (vec![second.id], false));
    assert_eq!(json_of(first.metadata.get()), json!({}));
    assert_eq!(chat.main().await.head_message_id, Some(second.id));
    assert_eq!(chat.read().await.last_message_at, Some(second.created_at));
}

pub async fn a_message_below_the_head_forks_an_active_branch(store: &TestStore) {
    let user = store.user();
    let chat = user.chat().await;
    let said = chat.say_all(&["one", "two"]).await;
    let main = chat.main().await.id;
    let beside = NewMessage {
        parent: Some(said[0]),
        ..new_message("other")
    };
    let added = chat.add(beside).await.expect("a message");
    assert_ne!(added.branch_id, main);
    let branch = chat.branch(added.branch_id).await;
    assert!(branch.is_active);
    assert_eq!(
        (branch.parent_message_id, branch.head_message_id),
        (Some(said[0]), Some(added.id))
    );
    assert!(chat.message(said[0]).await.has_branches);
    let at_the_head = NewMessage {
        branch: Some(main),
        parent: Some(said[1]),
        ..new_message("three")
    };
    assert_eq!(chat.add(at_the_head).await.expect("a message").branch_id, main);
    assert_eq!(chat.texts(main).await, ["one", "two", "three"]);
    assert_eq!(chat.texts(None).await, ["one", "other"]);
}

pub async fn a_message_is_added_only_where_something_is(store: &TestStore) {
    let user = store.user();
    let chat = user.chat().await;
    chat.say("one").await;
    let other = user.chat().await;
    let (elsewhere, branch_elsewhere) = (other.say("one").await, other.main().await.id);
    for parent in [elsewhere, MessageId::new(&store.clock)] {
        let new = NewMessage {
            parent: Some(parent),
            ..new_message("lost")
        };
        let refused = chat.add(new).await;
        assert!(matches!(refused, Err(StoreError::MessageNotFound)), "{refused:?}");
    }
    for branch in [branch_elsewhere, BranchId::new(&store.clock)] {
        let new = NewMessage {
            branch: Some(branch),
            ..new_message("lost")
        };
        let refused = chat.add(new).await;
        assert!(matches!(refused, Err(StoreError::BranchNotFound)), "{refused:?}");
    }
    assert_eq!(
        (chat.texts(None).await.len(), other.texts(None).await.len()),
        (1, 1)
    );
}

pub async fn a_conversation_has_no_more_messages_than_the_limit(store: &TestStore) {
    let user = store.user();
    let limit = store.limits.messages;
    let (id, _) = store
        .import_conversation(&user.caller, chain("full", limit as usize - 1))
        .await
        .expect("an import");
    let chat = user.open(id);
    let refused = chat
        .begin(chat.at(None, None), crate::store::chat::asked("two more"))
        .await;
    match refused.map(|_| ()).expect_err("a refusal") {
        StoreError::LimitReached {
            limit: named,
            current,
            ..
        } => {
            assert_eq!((named, current), (limit, u64::from(limit) - 1));
        }
        other => panic!("{other:?}"),
    }
    let last = chat.say("the last").await;
    let one_more = chat.add(new_message("one more")).await;
    assert!(
        matches!(one_more, Err(StoreError::LimitReached { .. })),
        "{one_more:?}"
    );
    let beside = chat.edit(chat.full().await.messages[0].id, "beside", true).await;
    assert!(
        matches!(beside, Err(StoreError::LimitReached { .. })),
        "{beside:?}"
    );
    assert_eq!(chat.read().await.message_count, u64::from(limit));
    chat.edit(last, "in place", false)
        .await
        .expect("an edit adds nothing");
}

pub async fn pictures_stay_what_they_were(store: &TestStore) {
    let user = store.user();
    let chat = user.chat().await;
    let parts = MessageContent::Parts(vec![
        ContentPart::Text {
            text: "what is".to_owned(),
        },
        ContentPart::ImageUrl {
            image_url: ImageUrl {
                url: "data:image/png;base64,AA==".to_owned(),
                detail: Some("low".to_owned()),
            },
        },
        ContentPart::Text {
            text: "this zebra".to_owned(),
        },
    ]);
    let new = NewMessage {
        content: parts.clone(),
        ..new_message("")
    };
    let added = chat.add(new).await.expect("a message");
    let expected = serde_json::to_value(&parts).expect("JSON");
    assert_eq!(json_of(added.content.get()), expected);
    assert_eq!(json_of(chat.message(added.id).await.content.get()), expected);
    let query = ai_chat_orchestrator::services::conversations::search::SearchQuery::parse("zebra");
    let found = store
        .search_messages(
            user.id(),
            chat.id,
            &query,
            Default::default(),
            crate::store::user::ALL,
        )
        .await;
    assert_eq!(found.expect("a search").1, 1, "its texts are found");
    assert_eq!(chat.read().await.preview.as_deref(), Some("what is\nthis zebra"));
    let edit = MessageEdit {
        content: text("only text"),
        new_branch: None,
    };
    store
        .edit_message(user.id(), chat.id, added.id, edit)
        .await
        .expect("an edit");
    assert_eq!(words(&chat.message(added.id).await), "only text");
}

pub async fn a_message_shows_its_relatives(store: &TestStore) {
    let user = store.user();
    let chat = user.chat().await;
    let said = chat.say_all(&["one", "two", "three"]).await;
    chat.fork(said[0]).await;
    let other = chat.say("other").await;
    let read = async |id, relatives| {
        let detail = store.message(user.id(), chat.id, id, relatives).await;
        detail.expect("the message")
    };
    let none = read(said[1], Relatives::default()).await;
    assert!(none.child_messages.is_none() && none.siblings.is_none() && none.thread.is_none());
    let all = Relatives {
        children: true,
        siblings: true,
        thread: true,
    };
    let ids = |messages: Option<Vec<_>>| -> Vec<MessageId> {
        let messages: Vec<ai_chat_orchestrator::models::message::Message> = messages.expect("relatives");
        messages.iter().map(|message| message.id).collect()
    };
    let detail = read(said[1], all).await;
    assert_eq!(ids(detail.child_messages), [said[2]]);
    assert_eq!(ids(detail.siblings), [other]);
    assert_eq!(ids(detail.thread), [said[0], said[1]]);
    let root = read(said[0], all).await;
    assert_eq!(ids(root.child_messages), [said[1], other]);
    assert_eq!((ids(root.siblings), ids(root.thread)), (vec![], vec![said[0]]));
    let unknown = store
        .message(user.id(), chat.id, MessageId::new(&store.clock), all)
        .await;
    assert!(matches!(unknown, Err(StoreError::MessageNotFound)), "{unknown:?}");
}

pub async fn roots_are_siblings(store: &TestStore) {
    let user = store.user();
    let chat = user.chat().await;
    let first = chat.say("one").await;
    let (second, _) = chat
        .edit(first, "another beginning", true)
        .await
        .expect("an edit");
    assert_eq!(second.parent_id, None);
    let siblings = Relatives {
        siblings: true,
        ..Relatives::default()
    };
    let detail = store
        .message(user.id(), chat.id, second.id, siblings)
        .await
        .expect("the message");
    let siblings: Vec<_> = detail
        .siblings
        .expect("siblings")
        .iter()
        .map(|sibling| sibling.id)
        .collect();
    assert_eq!(siblings, [first]);
}

pub async fn pages_cut_a_path_into_pieces(store: &TestStore) {
    let user = store.user();
    let (id, _) = store
        .import_conversation(&user.caller, chain("path", 100))
        .await
        .expect("an import");
    let chat = user.open(id);
    let whole: Vec<_> = chat.path(None).await.iter().map(|message| message.id).collect();
    assert_eq!(whole.len(), 100);
    for (order, role, limit) in [
        (SortOrder::Asc, None, 7),
        (SortOrder::Desc, None, 7),
        (SortOrder::Asc, Some(Role::Assistant), 9),
        (SortOrder::Desc, Some(Role::User), 50),
        (SortOrder::Asc, Some(Role::Tool), 5),
    ] {
        let mut expected: Vec<_> = chat.path(None).await;
        expected.retain(|message| role.is_none_or(|role| message.role == role));
        if order == SortOrder::Desc {
            expected.reverse();
        }
        let query = PathQuery {
            branch: None,
            role,
            order,
        };
        let mut seen = Vec::new();
        for page in 1..20 {
            let page = Page { page, limit };
            let (messages, total) = store.path(user.id(), id, query, page).await.expect("a page");
            assert_eq!(total, expected.len() as u64);
            seen.extend(messages.iter().map(|message| message.id));
        }
        assert_eq!(
            seen,
            expected.iter().map(|message| message.id).collect::<Vec<_>>()
        );
    }
}

pub async fn all_messages_come_in_batches_and_branches_with_the_last(store: &TestStore) {
    let user = store.user();
    let chat = user.chat().await;
    let said = chat.say_all(&["one", "two", "three"]).await;
    chat.fork(said[0]).await;
    let other = chat.say("other").await;
    let mut after = MessageCursor::default();
    let mut seen = Vec::new();
    let branches = loop {
        let batch = store
            .messages_after(user.id(), chat.id, after, 3)
            .await
            .expect("a batch");
        seen.extend(batch.messages.iter().map(|message| message.id));
        if let Some(branches) = batch.branches {
            assert!(batch.messages.len() < 3, "the last is a short one");
            break branches;
        }
        after = batch.next;
    };
    assert_eq!(seen, [said[0], said[1], said[2], other]);
    assert_eq!(branches.len(), 2);
}

fn json_of(json: &str) -> Value {
    serde_json::from_str(json).expect("JSON")
}
