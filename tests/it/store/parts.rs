//! Searches over texts that are far from each other in PostgreSQL's table, which is searched part by part.

use ai_chat_orchestrator::services::conversations::StoreLimits;

use super::databases::{LIMITS, TestStore, keep};

/// More than one part has.
const FAR: i64 = 5_000;

/// Enough for several rounds, each of which asks for more parts.
const CONVERSATIONS: usize = 24;

#[tokio::test]
async fn what_is_far_away_is_found_too() {
    let limits = StoreLimits {
        conversations: 100,
        ..LIMITS
    };
    keep(TestStore::postgres(limits), async |store| {
        let (user, other) = (store.user(), store.user());
        let mut chats = Vec::new();
        for number in 0..CONVERSATIONS {
            let chat = user.chat().await;
            let words = match number {
                0 => "the first of all, rarest 東京".to_owned(),
                _ => format!("the common {number}"),
            };
            chat.say(&words).await;
            other.chat().await.say("the common rarest 東京").await;
            store.skip_numbers(FAR).await;
            chats.push(chat.id);
        }
        let found = async |query: &str| {
            let hits = user.search(query).await;
            let mut ids: Vec<_> = hits.into_iter().map(|(id, _)| id).collect();
            ids.sort_unstable();
            ids
        };
        assert_eq!(found("th").await, chats, "in all of them");
        assert_eq!(found("common").await, chats[1..]);
        for query in ["rarest", "th rare", "東京", "rar 東京 fi"] {
            assert_eq!(found(query).await, chats[..1], "{query}");
        }
        for query in ["kyoto", "京東", "th common rarest"] {
            assert!(found(query).await.is_empty(), "{query}");
        }
    })
    .await;
}
