//! Lists of conversations: filters, orders, pages.

use ai_chat_orchestrator::models::common::{Page, SortOrder};
use ai_chat_orchestrator::models::conversation::{ConversationSort, ConversationStatus, StatusFilter};
use ai_chat_orchestrator::services::conversations::search::{MAX_HITS, SearchQuery};
use ai_chat_orchestrator::services::conversations::{
    ConversationChanges, ConversationFilter, ConversationOrder, NewConversation,
};
use chrono::{DateTime, Utc};

use crate::store::databases::TestStore;
use crate::store::imports::chain;
use crate::store::user::{ALL, NEWEST_FIRST, User};

/// Makes four conversations and tells when the third was made:
/// a (2 messages, 2 branches), b (3 messages), c (model m, archived), d (no title).
async fn four(user: &User<'_>) -> DateTime<Utc> {
    let first = user.titled("Äpfel").await;
    let said = first.say_all(&["one", "two"]).await;
    first.fork(said[0]).await;
    user.titled("banana")
        .await
        .say_all(&["one", "two", "three"])
        .await;
    let new = NewConversation {
        title: Some("cherry".to_owned()),
        model: Some("m".to_owned()),
        ..NewConversation::default()
    };
    let third = user.chat_with(new).await;
    let archived = ConversationChanges {
        status: Some(ConversationStatus::Archived),
        ..ConversationChanges::default()
    };
    let changed = user
        .store
        .update_conversation(user.id(), third.id, archived)
        .await;
    let made_at = changed.expect("archived").created_at;
    user.chat().await;
    made_at
}

async fn titles(user: &User<'_>, filter: &ConversationFilter, order: ConversationOrder) -> Vec<String> {
    let list = user.list(filter, order).await;
    list.into_iter()
        .map(|item| item.title.unwrap_or_default())
        .collect()
}

pub async fn filters_leave_what_fits(store: &TestStore) {
    let user = store.user();
    let third = four(&user).await;
    store.user().titled("somebody else's").await;
    let all = || ConversationFilter {
        status: StatusFilter::All,
        ..ConversationFilter::default()
    };
    let by_creation = ConversationOrder {
        by: ConversationSort::CreatedAt,
        order: SortOrder::Asc,
    };
    let cases: [(ConversationFilter, &[&str]); 11] = [
        (ConversationFilter::default(), &["Äpfel", "banana", ""]),
        (all(), &["Äpfel", "banana", "cherry", ""]),
        (
            ConversationFilter {
                status: StatusFilter::Archived,
                ..all()
            },
            &["cherry"],
        ),
        (
            ConversationFilter {
                model: Some("m".to_owned()),
                ..all()
            },
            &["cherry"],
        ),
        (
            ConversationFilter {
                created_after: Some(third),
                ..all()
            },
            &["cherry", ""],
        ),
        (
            ConversationFilter {
                created_before: Some(third),
                ..all()
            },
            &["Äpfel", "banana"],
        ),
        (
            ConversationFilter {
                has_branches: Some(true),
                ..all()
            },
            &["Äpfel"],
        ),
        (
            ConversationFilter {
                has_branches: Some(false),
                ..all()
            },
            &["banana", "cherry", ""],
        ),
        (
            ConversationFilter {
                min_messages: Some(2),
                ..all()
            },
            &["Äpfel", "banana"],
        ),
        (
            ConversationFilter {
                max_messages: Some(2),
                ..all()
            },
            &["Äpfel", "cherry", ""],
        ),
        (
            ConversationFilter {
                min_messages: Some(1),
                max_messages: Some(2),
                has_branches: Some(false),
                ..all()
            },
            &[],
        ),
    ];
    for (filter, expected) in cases {
        assert_eq!(titles(&user, &filter, by_creation).await, expected, "{filter:?}");
    }
}

pub async fn every_order_is_total(store: &TestStore) {
    let user = store.user();
    four(&user).await;
    let all = ConversationFilter {
        status: StatusFilter::All,
        ..ConversationFilter::default()
    };
    let cases: [(ConversationSort, &[&str]); 5] = [
        (ConversationSort::CreatedAt, &["Äpfel", "banana", "cherry", ""]),
        (ConversationSort::UpdatedAt, &["Äpfel", "banana", "cherry", ""]),
        (
            ConversationSort::LastMessageAt,
            &["cherry", "", "Äpfel", "banana"],
        ),
        (ConversationSort::Title, &["", "Äpfel", "banana", "cherry"]),
        (ConversationSort::MessageCount, &["cherry", "", "Äpfel", "banana"]),
    ];
    for (by, expected) in cases {
        let ascending = ConversationOrder {
            by,
            order: SortOrder::Asc,
        };
        assert_eq!(titles(&user, &all, ascending).await, expected, "{by:?}");
        let descending = ConversationOrder {
            by,
            order: SortOrder::Desc,
        };
        let mut reversed = titles(&user, &all, descending).await;
        reversed.reverse();
        assert_eq!(reversed, expected, "{by:?} backwards");
    }
}

pub async fn a_change_moves_a_conversation_to_the_front(store: &TestStore) {
    let user = store.user();
    let first = user.titled("first").await;
    user.titled("second").await;
    let list = async || titles(&user, &ConversationFilter::default(), NEWEST_FIRST).await;
    assert_eq!(list().await, ["second", "first"]);
    first.say("news").await;
    assert_eq!(list().await, ["first", "second"]);
}

pub async fn pages_cut_a_list_into_pieces(store: &TestStore) {
    let user = store.user();
    for title in ["1", "2", "3", "4", "5"] {
        user.titled(title).await;
    }
    let filter = ConversationFilter::default();
    let cases: [(u32, &[&str]); 4] = [(1, &["5", "4"]), (2, &["3", "2"]), (3, &["1"]), (4, &[])];
    for (page, expected) in cases {
        let page = Page { page, limit: 2 };
        let list = store
            .conversations(user.id(), None, &filter, NEWEST_FIRST, page)
            .await;
        let (items, total) = list.expect("a list");
        let titles: Vec<_> = items.into_iter().filter_map(|item| item.title).collect();
        assert_eq!(
            (titles, total),
            (expected.iter().map(|title| (*title).to_owned()).collect(), 5)
        );
    }
}

pub async fn a_query_filters_a_list_and_keeps_its_order(store: &TestStore) {
    let user = store.user();
    user.titled("a zebra crossing").await;
    let talked = user.titled("animals").await;
    talked.say("I saw ZEBRAS").await;
    talked.say("zebra zebra zebra").await;
    user.titled("nothing of it").await;
    let filter = ConversationFilter::default();
    let by_creation = ConversationOrder {
        by: ConversationSort::CreatedAt,
        order: SortOrder::Asc,
    };
    let list = async |query: &str, filter: &ConversationFilter| {
        let query = SearchQuery::parse(query);
        let list = store
            .conversations(user.id(), Some(&query), filter, by_creation, ALL)
            .await;
        let (items, total) = list.expect("a list");
        assert_eq!(items.len() as u64, total);
        items
            .into_iter()
            .filter_map(|item| item.title)
            .collect::<Vec<_>>()
    };
    assert_eq!(list("zebra", &filter).await, ["a zebra crossing", "animals"]);
    let longer = ConversationFilter {
        min_messages: Some(1),
        ..filter.clone()
    };
    assert_eq!(list("zebra", &longer).await, ["animals"]);
    assert!(list("giraffe", &filter).await.is_empty());
    assert!(
        list("\"(*", &filter).await.is_empty(),
        "nothing to look for is nowhere"
    );
}

pub async fn hits_that_a_filter_leaves_out_do_not_count(store: &TestStore) {
    let user = store.user();
    let wanted = user.titled("wanted").await;
    wanted.say("message in a bottle").await;
    let mut many = chain("many", MAX_HITS as usize + 1);
    many.archived = true;
    store
        .import_conversation(&user.caller, many)
        .await
        .expect("an import");
    let query = SearchQuery::parse("message");
    let listed = store
        .conversations(
            user.id(),
            Some(&query),
            &ConversationFilter::default(),
            NEWEST_FIRST,
            ALL,
        )
        .await;
    let (listed, total) = listed.expect("a list");
    assert_eq!(
        (listed.iter().map(|one| one.id).collect::<Vec<_>>(), total),
        (vec![wanted.id], 1)
    );
}
