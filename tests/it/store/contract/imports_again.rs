//! What importing a conversation once more changes in its copy, and what it leaves alone.

use ai_chat_orchestrator::models::ids::{BranchId, MessageId};
use ai_chat_orchestrator::models::message::{MergedFrom, Role};
use ai_chat_orchestrator::services::conversations::transfer::import::{
    ImportedConversation, MAX_BRANCHES, MAX_MESSAGES,
};
use ai_chat_orchestrator::services::conversations::{ConversationChanges, ImportOutcome, Merge, StoreError};
use serde_json::{Value, json};
use uuid::Uuid;

use super::import::{forked, import, path, paths};
use crate::store::chat::{Chat, raw};
use crate::store::databases::TestStore;
use crate::store::imports::{branch, chain, conversation, exported, message};
use crate::store::user::User;

/// Changes the text of the first message.
async fn edit_first(chat: &Chat<'_>, words: &str) {
    let first = chat.path(None).await.remove(0).id;
    chat.edit(first, words, false).await.expect("edited");
}

async fn first(chat: &Chat<'_>) -> String {
    let main = chat.main().await.id;
    chat.texts(main).await.remove(0)
}

pub async fn a_text_that_was_edited_here_stays(store: &TestStore) {
    let user = store.user();
    let original = user.chat().await;
    original.say("as it was").await;
    edit_first(&original, "edited there").await;
    let file = exported(&**store, &store.clock, user.id(), original.id).await;
    assert!(file.messages[0].edited);
    let (copy, _) = import(&user, file.clone()).await;
    edit_first(&copy, "edited here").await;
    import(&user, file.clone()).await;
    assert_eq!(first(&copy).await, "edited here");
    let mut newer = file;
    newer.messages[0].content = "edited there again".to_owned();
    import(&user, newer).await;
    assert_eq!(first(&copy).await, "edited here");
}

pub async fn a_text_that_was_not_edited_here_follows_its_source(store: &TestStore) {
    let user = store.user();
    let mut file = forked();
    file.messages[0].edited = true;
    let (copy, _) = import(&user, file.clone()).await;
    for (words, edited) in [("second", true), ("third", false)] {
        file.messages[0].content = words.to_owned();
        file.messages[0].edited = edited;
        import(&user, file.clone()).await;
        assert_eq!(first(&copy).await, words);
        assert_eq!(copy.path(None).await[0].edited, edited);
    }
}

pub async fn an_image_that_changed_reaches_the_copy(store: &TestStore) {
    let user = store.user();
    let parts = |image: &str| {
        raw(&format!(
            r#"[{{"type":"text","text":"a"}},{{"type":"image_url","image_url":{{"url":"{image}"}}}}]"#
        ))
    };
    let mut file = forked();
    file.messages[0].parts = Some(parts("https://one.example"));
    let (copy, _) = import(&user, file.clone()).await;
    file.messages[0].parts = Some(parts("https://two.example"));
    import(&user, file.clone()).await;
    let shown = copy.path(None).await.remove(0).content;
    assert_eq!(shown.get(), parts("https://two.example").get());
    edit_first(&copy, "a").await;
    file.messages[0].parts = Some(parts("https://three.example"));
    import(&user, file).await;
    assert_eq!(copy.path(None).await[0].content.get(), r#""a""#);
}

pub async fn what_is_said_of_a_conversation_follows_its_source(store: &TestStore) {
    let user = store.user();
    let mut file = forked();
    let (copy, _) = import(&user, file.clone()).await;
    file.title = Some("Renamed".to_owned());
    file.model = Some("gpt".to_owned());
    file.system_message = Some("Be brief.".to_owned());
    file.archived = true;
    file.metadata = Some(raw(r#"{"n":2}"#));
    import(&user, file.clone()).await;
    let shown = copy.read().await;
    assert_eq!(
        (shown.title, shown.model, shown.system_message),
        (
            file.title.clone(),
            file.model.clone(),
            file.system_message.clone()
        )
    );
    assert_eq!(
        (shown.status.as_str(), shown.metadata.get()),
        ("archived", r#"{"n":2}"#)
    );
    let changes = ConversationChanges {
        title: Some(Some("Mine".to_owned())),
        ..ConversationChanges::default()
    };
    let changed = store.update_conversation(user.id(), copy.id, changes).await;
    changed.expect("renamed");
    file.title = Some("Renamed again".to_owned());
    import(&user, file).await;
    assert_eq!(copy.read().await.title.as_deref(), Some("Mine"));
}

pub async fn a_copy_that_changed_is_updated_then(store: &TestStore) {
    let user = store.user();
    let mut file = forked();
    file.updated_at = store.clock.now().checked_sub_days(chrono::Days::new(1));
    let (copy, _) = import(&user, file.clone()).await;
    let before = copy.read().await.updated_at;
    import(&user, file.clone()).await;
    assert_eq!(copy.read().await.updated_at, before, "nothing changed");
    file.messages.push(message(Some(2), Role::Assistant, "e", "5"));
    file.branches[0].head = Some(4);
    import(&user, file).await;
    assert!(copy.read().await.updated_at > before);
}

/// A question with two answers, as ChatGPT has it: a leaf of two is the main one, the other a branch beside it.
fn variants(main: usize) -> ImportedConversation {
    let other = 3 - main;
    let mut messages = vec![
        message(None, Role::User, "q", "q"),
        message(Some(0), Role::Assistant, "x", "x"),
        message(Some(0), Role::Assistant, "y", "y"),
    ];
    messages[other].branch = 1;
    let mut beside = branch("Branch 2", Some(0), Some(other));
    beside.source_id.clone_from(&messages[other].source_id);
    let mut main = branch("Main", None, Some(main));
    main.source_id = "main".to_owned();
    ImportedConversation {
        branches_are_leaves: true,
        ..conversation("variants", messages, vec![main, beside])
    }
}

pub async fn another_choice_of_the_main_leaf_makes_no_branches(store: &TestStore) {
    let user = store.user();
    let (copy, _) = import(&user, variants(1)).await;
    let expected = [path("Main", &["q", "x"]), path("Branch 2", &["q", "y"])];
    for main in [2, 2, 1] {
        let (_, outcome) = import(&user, variants(main)).await;
        assert_eq!(outcome, ImportOutcome::Updated);
        assert_eq!(paths(&copy).await, expected);
        assert!(copy.main().await.is_active, "the reader stays where they were");
        assert_eq!(copy.read().await.branch_count, 2);
    }
}

pub async fn a_leaf_that_is_new_or_grew_is_followed(store: &TestStore) {
    let user = store.user();
    let (copy, _) = import(&user, variants(1)).await;
    // What was the other variant is gone on with, and answered twice.
    let mut file = variants(2);
    file.messages.push(message(Some(2), Role::User, "more", "more"));
    file.messages
        .push(message(Some(3), Role::Assistant, "one", "one"));
    file.messages
        .push(message(Some(3), Role::Assistant, "two", "two"));
    file.messages[5].branch = 2;
    file.branches[0].head = Some(4);
    file.branches.push(branch("Branch 3", Some(3), Some(5)));
    for _ in 0..2 {
        import(&user, file.clone()).await;
        let expected = [
            path("Main", &["q", "x"]),
            path("Branch 2", &["q", "y", "more", "one"]),
            path("Branch 3", &["q", "y", "more", "two"]),
        ];
        assert_eq!(paths(&copy).await, expected);
    }
    for message in copy.full().await.messages {
        let path = copy.path(Some(message.branch_id)).await;
        assert!(path.iter().any(|on_path| on_path.id == message.id), "{message:?}");
    }
}

pub async fn an_edited_question_is_a_new_branch(store: &TestStore) {
    let user = store.user();
    let (copy, _) = import(&user, variants(1)).await;
    let mut file = variants(1);
    file.messages.push(message(None, Role::User, "q again", "q2"));
    file.messages.push(message(Some(3), Role::Assistant, "z", "z"));
    file.branches[0].head = Some(4);
    let mut former = branch("Branch 2", None, Some(1));
    former.source_id = "q".to_owned();
    file.branches.push(former);
    for _ in 0..2 {
        import(&user, file.clone()).await;
        let expected = [
            path("Main", &["q", "x"]),
            path("Branch 2", &["q", "y"]),
            path("Branch 3", &["q again", "z"]),
        ];
        assert_eq!(paths(&copy).await, expected);
    }
}

/// Main: a b. Side, after a: c. Both b and c claim to be copies of something.
fn claiming(b: Option<u128>, c: Option<u128>) -> ImportedConversation {
    let id = |n: u128| Uuid::from_u128(n).to_string();
    let from = |n: u128| MergedFrom {
        branch_id: BranchId(Uuid::from_u128(9)),
        message_id: MessageId(Uuid::from_u128(n)),
    };
    let mut messages = vec![
        message(None, Role::User, "a", &id(1)),
        message(Some(0), Role::User, "c", &id(3)),
        message(Some(0), Role::User, "b", &id(2)),
    ];
    messages[1].branch = 1;
    messages[1].merged_from = c.map(from);
    messages[2].merged_from = b.map(from);
    let branches = vec![branch("Main", None, Some(2)), branch("side", Some(0), Some(1))];
    conversation("claiming", messages, branches)
}

pub async fn a_forged_origin_loses_nothing(store: &TestStore) {
    // That b is a copy of c, or the other way around; that both are copies of what is not there.
    for (b, c) in [
        (Some(3), None),
        (None, Some(2)),
        (Some(7), Some(7)),
        (Some(2), Some(3)),
    ] {
        let user = store.user();
        let (copy, _) = import(&user, claiming(b, c)).await;
        let branches = copy.branches().await;
        let merge = Merge {
            target: Some(branches[0].id),
            delete_source: true,
            ..Merge::default()
        };
        copy.activate(branches[0].id).await;
        let merged = copy.try_merge(branches[1].id, merge).await.expect("merged");
        assert!(!merged.already_merged, "{b:?} {c:?}");
        assert_eq!(copy.texts(branches[0].id).await, ["a", "b", "c"]);
    }
}

pub async fn a_merged_message_names_what_is_left_of_its_original(store: &TestStore) {
    let user = store.user();
    let mut before = claiming(None, None);
    before.messages.pop();
    before.branches[0].head = Some(0);
    before.branches[1].source_id = Uuid::from_u128(9).to_string();
    let (copy, _) = import(&user, before).await;
    let side = copy.branches().await.remove(1);
    // The branch was merged and deleted at its source.
    let mut after = claiming(Some(3), None);
    after.messages.remove(1);
    after.branches.remove(1);
    after.branches[0].head = Some(1);
    import(&user, after).await;
    let merged = copy.path(Some(copy.main().await.id)).await.remove(1);
    let metadata: Value = serde_json::from_str(merged.metadata.get()).expect("JSON");
    assert_eq!(
        metadata["merged_from"],
        json!({"branch_id": side.id, "message_id": side.head_message_id.expect("a head")})
    );
}

/// A chain with a leaf after each of its first messages, a branch for each.
fn bushy(length: usize, leaves: usize) -> ImportedConversation {
    let mut file = chain("bushy", length);
    for leaf in 0..leaves {
        let at = file.messages.len();
        let mut message = message(
            Some(length - 1 - leaf),
            Role::User,
            "leaf",
            &format!("leaf {leaf}"),
        );
        message.branch = leaf + 1;
        file.messages.push(message);
        let fork = Some(length - 1 - leaf);
        file.branches.push(branch(&format!("b{leaf}"), fork, Some(at)));
    }
    file
}

pub async fn a_copy_has_as_many_branches_as_a_file_may_have(store: &TestStore) {
    let user = store.user();
    let file = bushy(MAX_BRANCHES, MAX_BRANCHES - 1);
    for _ in 0..2 {
        let (copy, _) = import(&user, file.clone()).await;
        assert_eq!(copy.read().await.branch_count, MAX_BRANCHES as u64);
    }
}

async fn refused(user: &User<'_>, file: ImportedConversation) {
    let done = user.store.import_conversation(&user.caller, file).await;
    assert!(matches!(done, Err(StoreError::LimitReached { .. })), "{done:?}");
}

pub async fn a_copy_has_bounds(store: &TestStore) {
    let user = store.user();
    let (copy, _) = import(&user, bushy(10, 3)).await;
    let mut further = bushy(10, 3);
    for number in 0..MAX_BRANCHES {
        further
            .branches
            .push(branch(&format!("more {number}"), Some(0), Some(0)));
    }
    refused(&user, further).await;
    let mut longer = chain("bushy", MAX_MESSAGES);
    longer.messages[0].source_id = "another".to_owned();
    refused(&user, longer).await;
    let shown = copy.read().await;
    assert_eq!((shown.message_count, shown.branch_count), (13, 4));
    let mut dear = bushy(10, 3);
    dear.source = "export:dear".to_owned();
    for message in &mut dear.messages {
        message.usage = Some(ai_chat_orchestrator::models::message::MessageUsage {
            prompt_tokens: 1 << 40,
            completion_tokens: 0,
            total_tokens: 1 << 40,
            cost_usd: None,
            estimated: false,
        });
    }
    let done = user.store.import_conversation(&user.caller, dear).await;
    assert!(matches!(done, Err(StoreError::Conflict(_))), "{done:?}");
}
