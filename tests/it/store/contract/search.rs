//! What is found: words, prefixes, other scripts, and nothing else.

use ai_chat_orchestrator::models::common::Page;
use ai_chat_orchestrator::models::conversation::StatusFilter;
use ai_chat_orchestrator::models::ids::BranchId;
use ai_chat_orchestrator::models::message::Role;
use ai_chat_orchestrator::services::conversations::search::SearchQuery;
use ai_chat_orchestrator::services::conversations::{
    ConversationChanges, ConversationFilter, MessageFilter, NewMessage, StoreError,
};

use crate::store::chat::new_message;
use crate::store::databases::TestStore;
use crate::store::user::{ALL, COMPLETION_TOKENS, PROMPT_TOKENS};
use crate::support::MODEL;

/// Each is found by some of the queries below, each query by its place here.
const TEXTS: [&str; 8] = [
    "The quick brown fox",
    "Crème BRÛLÉE at the café",
    "東京都に住む",
    "well done 👍🏽 😀",
    "Straße, 2.0 and snake_case",
    "100% of \"); DROP TABLE messages;--",
    "a b",
    "ΟΔΥΣΣΕΥΣ and Ёлка",
];

/// A query, and which texts it finds.
const QUERIES: [(&str, &[usize]); 36] = [
    ("quick", &[0]),
    ("QUICK", &[0]),
    ("qui", &[0]),
    ("uick", &[]),
    ("fox quick", &[0]),
    ("quick creme", &[]),
    ("creme", &[1]),
    ("crème", &[1]),
    ("cre\u{300}me", &[1]),
    ("brulee", &[1]),
    ("CAFE", &[1]),
    ("東京", &[2]),
    ("京都", &[2]),
    ("東都", &[]),
    ("住む", &[2]),
    ("👍", &[3]),
    ("😀", &[3]),
    ("👍🏽", &[3]),
    ("😀👍", &[]),
    ("done 😀", &[3]),
    ("strasse", &[4]),
    ("STRASSE", &[4]),
    ("snake", &[4]),
    ("case", &[4]),
    ("2.0", &[4]),
    ("\"); DROP", &[5]),
    ("100%", &[5]),
    ("a", &[6]),
    ("b", &[6]),
    ("οδυσσεύς", &[7]),
    ("елка", &[7]),
    ("and", &[4, 7]),
    ("NOT and", &[]),
    ("quick OR creme", &[]),
    ("title", &[]),
    ("the", &[0, 1]),
];

/// Queries that hold nothing to look for.
const EMPTY: [&str; 8] = ["", " ", "*", "%_", "\"", "'", "\\", "^:-~{}[]()"];

pub async fn the_same_words_are_found_on_every_store(store: &TestStore) {
    let user = store.user();
    let chat = user.chat().await;
    chat.say_all(&TEXTS).await;
    for (query, found) in QUERIES {
        let expected: Vec<_> = found.iter().map(|index| TEXTS[*index]).collect();
        assert_eq!(chat.search(query).await, expected, "{query:?}");
        let conversations = user.search(query).await.len();
        assert_eq!(conversations, usize::from(!found.is_empty()), "{query:?}");
    }
}

pub async fn no_query_is_a_syntax_error(store: &TestStore) {
    let user = store.user();
    let chat = user.titled("a title").await;
    chat.say_all(&TEXTS).await;
    let many = "(".repeat(200);
    for query in EMPTY.into_iter().chain([many.as_str()]) {
        assert!(chat.search(query).await.is_empty(), "{query:?}");
        assert!(user.search(query).await.is_empty(), "{query:?}");
    }
    for query in [
        "AND",
        "a AND",
        "NEAR(a, 2)",
        "a:*",
        "content:a",
        "'a' & !b",
        "a <-> b",
        "a -b",
        "a\u{1}b",
        "\u{301}",
    ] {
        chat.search(query).await;
        user.search(query).await;
    }
}

pub async fn searches_follow_edits_and_deletes(store: &TestStore) {
    let user = store.user();
    let chat = user.titled("animals").await;
    let exchange = chat.exchange("a zebra", "zebra crossing").await;
    assert_eq!(chat.search("zebra").await, ["a zebra", "zebra crossing"]);
    chat.edit(exchange.question, "a giraffe", false)
        .await
        .expect("an edit");
    assert_eq!(chat.search("zebra").await, ["zebra crossing"]);
    assert_eq!(user.search("giraffe").await.len(), 1);
    chat.delete(exchange.answer).await.expect("deleted");
    assert!(chat.search("zebra").await.is_empty() && user.search("zebra").await.is_empty());
    let running = chat.ask("hello").await;
    assert!(chat.search("elephant").await.is_empty());
    chat.end(&running, "elephant").await;
    assert_eq!(chat.search("elephant").await, ["elephant"]);
}

pub async fn titles_are_found_and_come_first(store: &TestStore) {
    let user = store.user();
    let said = user.titled("animals").await;
    said.say_all(&["zebra zebra zebra", "zebra"]).await;
    let named = user.titled("My Zebra").await;
    user.titled("nothing").await;
    let found: Vec<_> = user.search("zebra").await.into_iter().map(|(id, _)| id).collect();
    assert_eq!(found, [named.id, said.id]);
    let renamed = ConversationChanges {
        title: Some(Some("My horse".to_owned())),
        ..ConversationChanges::default()
    };
    store
        .update_conversation(user.id(), named.id, renamed)
        .await
        .expect("a change");
    let found: Vec<_> = user.search("zebra").await.into_iter().map(|(id, _)| id).collect();
    assert_eq!(found, [said.id]);
    assert_eq!(user.search("horse").await.len(), 1);
}

pub async fn snippets_mark_hits_and_escape_the_rest(store: &TestStore) {
    let user = store.user();
    let chat = user.chat().await;
    let said = chat.say("<b>Zebra</b> & \"friends\"").await;
    let query = SearchQuery::parse("zebra");
    let hits = store
        .search_messages(user.id(), chat.id, &query, MessageFilter::default(), ALL)
        .await;
    let snippet = hits.expect("a search").0.remove(0).snippet;
    assert!(snippet.contains("<mark>Zebra</mark>"), "{snippet}");
    assert!(
        !snippet.contains("<b>") && snippet.contains("&lt;b&gt;") && snippet.contains("&amp;"),
        "{snippet}"
    );
    let filter = ConversationFilter::default();
    let found = store.search_conversations(user.id(), &query, &filter, ALL).await;
    let hit = found.expect("a search").0.remove(0);
    assert_eq!((hit.message_id, hit.snippet), (Some(said), snippet));
    user.titled("<i>lion</i>").await;
    let (_, snippet) = user.search("lion").await.remove(0);
    assert!(
        snippet.contains("<mark>lion</mark>") && !snippet.contains("<i>"),
        "{snippet}"
    );
}

pub async fn filters_leave_what_fits(store: &TestStore) {
    let user = store.user();
    let chat = user.chat().await;
    let main = chat.main().await.id;
    let exchange = chat.exchange("zebra one", "zebra two").await;
    let system = NewMessage {
        role: Role::System,
        ..new_message("zebra three")
    };
    let third = chat.add(system).await.expect("a message");
    let side = chat.fork(exchange.question).await;
    chat.say("zebra four").await;
    let none = MessageFilter::default;
    let used = PROMPT_TOKENS + COMPLETION_TOKENS;
    let cases: [(MessageFilter<'_>, &[&str]); 9] = [
        (none(), &["zebra one", "zebra two", "zebra three", "zebra four"]),
        (
            MessageFilter {
                role: Some(Role::User),
                ..none()
            },
            &["zebra one", "zebra four"],
        ),
        (
            MessageFilter {
                model: Some(MODEL),
                ..none()
            },
            &["zebra two"],
        ),
        (
            MessageFilter {
                branch: Some(side),
                ..none()
            },
            &["zebra one", "zebra four"],
        ),
        (
            MessageFilter {
                branch: Some(main),
                ..none()
            },
            &["zebra one", "zebra two", "zebra three"],
        ),
        (
            MessageFilter {
                created_after: Some(third.created_at),
                ..none()
            },
            &["zebra three", "zebra four"],
        ),
        (
            MessageFilter {
                created_before: Some(third.created_at),
                ..none()
            },
            &["zebra one", "zebra two"],
        ),
        (
            MessageFilter {
                min_tokens: Some(used),
                ..none()
            },
            &["zebra two"],
        ),
        (
            MessageFilter {
                min_tokens: Some(used + 1),
                ..none()
            },
            &[],
        ),
    ];
    for (filter, expected) in cases {
        assert_eq!(chat.search_where("zebra", filter).await, expected, "{filter:?}");
    }
    let at_most = MessageFilter {
        max_tokens: Some(used),
        ..none()
    };
    assert!(
        chat.search_where("zebra", at_most)
            .await
            .contains(&"zebra two".to_owned())
    );
    let unknown = MessageFilter {
        branch: Some(BranchId::new(&store.clock)),
        ..none()
    };
    let query = SearchQuery::parse("zebra");
    let refused = store
        .search_messages(user.id(), chat.id, &query, unknown, ALL)
        .await;
    assert!(matches!(refused, Err(StoreError::BranchNotFound)), "{refused:?}");
}

pub async fn the_filters_of_lists_hold_for_searches(store: &TestStore) {
    let user = store.user();
    let first = user.titled("zebra first").await;
    let second = user.titled("zebra second").await;
    second.say("one").await;
    let archived = ConversationChanges {
        status: Some(ai_chat_orchestrator::models::conversation::ConversationStatus::Archived),
        ..ConversationChanges::default()
    };
    store
        .update_conversation(user.id(), first.id, archived)
        .await
        .expect("archived");
    let query = SearchQuery::parse("zebra");
    let search = async |filter: ConversationFilter| {
        let found = store.search_conversations(user.id(), &query, &filter, ALL).await;
        let (hits, _) = found.expect("a search");
        hits.into_iter()
            .map(|hit| hit.conversation.id)
            .collect::<Vec<_>>()
    };
    let all = || ConversationFilter {
        status: StatusFilter::All,
        ..ConversationFilter::default()
    };
    assert_eq!(search(ConversationFilter::default()).await, [second.id]);
    assert_eq!(search(all()).await.len(), 2);
    assert_eq!(
        search(ConversationFilter {
            max_messages: Some(0),
            ..all()
        })
        .await,
        [first.id]
    );
}

pub async fn pages_cut_what_is_found_into_pieces(store: &TestStore) {
    let user = store.user();
    let chat = user.chat().await;
    for number in 0..7 {
        chat.say(&format!("zebra {number}{number}")).await;
    }
    let query = SearchQuery::parse("zebra");
    let mut seen = Vec::new();
    for page in 1..=4 {
        let page = Page { page, limit: 3 };
        let found = store
            .search_messages(user.id(), chat.id, &query, MessageFilter::default(), page)
            .await;
        let (hits, total) = found.expect("a search");
        assert_eq!(total, 7);
        seen.extend(hits.into_iter().map(|hit| hit.message.id));
    }
    assert_eq!(seen.len(), 7);
    let newest_first = seen.is_sorted_by(|a, b| a > b);
    assert!(newest_first, "equal hits: the newest first");
}

pub async fn nobody_finds_what_others_wrote(store: &TestStore) {
    let (user, other) = (store.user(), store.user());
    other.titled("zebra").await.say("zebra").await;
    let chat = user.chat().await;
    chat.say("horse").await;
    assert!(user.search("zebra").await.is_empty());
    assert!(chat.search("zebra").await.is_empty());
    assert_eq!(other.search("zebra").await.len(), 1);
}
