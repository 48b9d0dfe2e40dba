//! The order of lists, and what filters leave of them.

use sqlx::SqliteConnection;

use super::super::SqliteRows;
use super::{Fixture, database, second};
use crate::models::common::{Page, SortOrder};
use crate::models::conversation::{ConversationSort, ConversationStatus, StatusFilter};
use crate::services::conversations::search::SearchQuery;
use crate::services::conversations::{ConversationFilter, ConversationOrder};
use crate::services::sql::rows::ConversationRows as _;

const ALL: Page = Page { page: 1, limit: 100 };

/// Five conversations of one user, and one of another.
async fn conversations(rows: &mut SqliteRows<&mut SqliteConnection>) {
    let titles = [Some("beta"), None, Some("Äpfel"), Some("alpha"), Some("beta")];
    for (number, title) in (1_u32..).zip(titles) {
        let fixture = Fixture::new(1, number.into());
        let mut row = fixture.row(title);
        row.shown.created_at = second(number.into());
        row.shown.updated_at = second(10 - i64::from(number));
        row.shown.last_message_at = (number % 2 == 0).then(|| second(number.into()));
        row.shown.message_count = (number % 3).into();
        row.shown.branch_count = 1 + u64::from(number == 3);
        if number == 5 {
            row.shown.status = ConversationStatus::Archived;
            row.shown.model = Some("m".to_owned());
        }
        fixture.insert(rows, &row).await;
    }
    let theirs = Fixture::new(2, 6);
    theirs.insert(rows, &theirs.row(Some("alpha"))).await;
}

/// The numbers of those conversations on a page, and how many there are.
async fn list(
    rows: &mut SqliteRows<&mut SqliteConnection>,
    query: Option<&str>,
    filter: &ConversationFilter,
    (by, order): (ConversationSort, SortOrder),
    page: Page,
) -> (Vec<u128>, u64) {
    let query = query.map(SearchQuery::parse);
    let order = ConversationOrder { by, order };
    let (items, total) = rows
        .conversation_page(Fixture::new(1, 1).user, query.as_ref(), filter, order, page)
        .await
        .expect("a page");
    (items.iter().map(|item| item.id.0.as_u128()).collect(), total)
}

#[tokio::test]
async fn every_order_has_its_reverse() {
    let mut connection = database().await;
    let mut rows = SqliteRows::new(&mut connection);
    conversations(&mut rows).await;
    let all = ConversationFilter {
        status: StatusFilter::All,
        ..ConversationFilter::default()
    };
    let ascending = [
        (ConversationSort::CreatedAt, [1, 2, 3, 4, 5]),
        (ConversationSort::UpdatedAt, [5, 4, 3, 2, 1]),
        (ConversationSort::LastMessageAt, [1, 3, 5, 2, 4]),
        (ConversationSort::Title, [2, 4, 3, 1, 5]),
        (ConversationSort::MessageCount, [3, 1, 4, 2, 5]),
    ];
    for (by, mut expected) in ascending {
        let listed = list(&mut rows, None, &all, (by, SortOrder::Asc), ALL).await;
        assert_eq!(listed, (expected.to_vec(), 5), "{by:?}");
        expected.reverse();
        let listed = list(&mut rows, None, &all, (by, SortOrder::Desc), ALL).await;
        assert_eq!(listed, (expected.to_vec(), 5), "{by:?}");
        let active: Vec<u128> = expected.into_iter().filter(|number| *number != 5).collect();
        let filter = ConversationFilter::default();
        let listed = list(&mut rows, None, &filter, (by, SortOrder::Desc), ALL).await;
        assert_eq!(listed, (active, 4), "{by:?}");
    }
    let page = Page { page: 2, limit: 2 };
    let order = (ConversationSort::CreatedAt, SortOrder::Asc);
    assert_eq!(list(&mut rows, None, &all, order, page).await, (vec![3, 4], 5));
}

#[tokio::test]
async fn filters_and_queries_narrow_a_list() {
    let mut connection = database().await;
    let mut rows = SqliteRows::new(&mut connection);
    conversations(&mut rows).await;
    Fixture::new(1, 2).add(&mut rows, 1, None, "an alphabet").await;
    let none = ConversationFilter {
        status: StatusFilter::All,
        ..ConversationFilter::default()
    };
    let cases = [
        (
            None,
            ConversationFilter {
                status: StatusFilter::Archived,
                ..none.clone()
            },
            vec![5],
        ),
        (
            None,
            ConversationFilter {
                model: Some("m".to_owned()),
                ..none.clone()
            },
            vec![5],
        ),
        (
            None,
            ConversationFilter {
                created_after: Some(second(4)),
                ..none.clone()
            },
            vec![4, 5],
        ),
        (
            None,
            ConversationFilter {
                created_before: Some(second(2)),
                ..none.clone()
            },
            vec![1],
        ),
        (
            None,
            ConversationFilter {
                has_branches: Some(true),
                ..none.clone()
            },
            vec![3],
        ),
        (
            None,
            ConversationFilter {
                has_branches: Some(false),
                ..none.clone()
            },
            vec![1, 2, 4, 5],
        ),
        (
            None,
            ConversationFilter {
                min_messages: Some(2),
                ..none.clone()
            },
            vec![2, 5],
        ),
        (
            None,
            ConversationFilter {
                max_messages: Some(0),
                ..none.clone()
            },
            vec![3],
        ),
        (Some("alpha"), none.clone(), vec![2, 4]),
        (Some("apf"), none.clone(), vec![3]),
        (Some("beta"), ConversationFilter::default(), vec![1]),
        (Some("gamma"), none, vec![]),
    ];
    for (query, filter, expected) in cases {
        let order = (ConversationSort::CreatedAt, SortOrder::Asc);
        let total = expected.len() as u64;
        let listed = list(&mut rows, query, &filter, order, ALL).await;
        assert_eq!(listed, (expected, total), "{query:?} {filter:?}");
    }
}
