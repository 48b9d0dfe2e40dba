//! What could not be stored yet: kept, tried, delivered, or dead.

use std::sync::Arc;

use ai_chat_orchestrator::models::ids::StreamId;
use ai_chat_orchestrator::services::outbox::{OutboxEntry, OutboxState, Tries, WaitingEntry};
use chrono::{DateTime, TimeDelta, Utc};

use crate::store::databases::TestStore;
use crate::store::user::User;

/// More entries than any of these tests keeps.
const ALL: u32 = 100;

/// Keeps an answer that has not been stored.
async fn keep(user: &User<'_>) -> StreamId {
    let chat = user.chat().await;
    let running = chat.ask("one").await;
    let answer = user.answer(&running.turn, running.stream, "1");
    let entry = OutboxEntry::Answer(Arc::new(answer));
    for _ in 0..2 {
        let kept = user.store.outbox.keep(&entry).await;
        kept.expect("a store that answers");
    }
    running.stream
}

/// Entries that are due by then.
async fn due(store: &TestStore, by: DateTime<Utc>) -> Vec<WaitingEntry> {
    store.outbox.due(by, ALL).await.expect("a store that answers")
}

async fn tried(store: &TestStore, id: StreamId, before: u64, tries: &Tries) -> bool {
    let recorded = store.outbox.tried(id, before, tries).await;
    recorded.expect("a store that answers")
}

async fn state(store: &TestStore) -> OutboxState {
    store.outbox.state().await.expect("a store that answers")
}

/// Tries that came to an end.
fn over() -> Tries {
    Tries {
        attempts: 12,
        refusals: 10,
        next_at: None,
        reason: Some("refused".to_owned()),
    }
}

pub async fn an_entry_is_kept_once_until_it_is_delivered(store: &TestStore) {
    let before = store.clock.now();
    let (first, second) = (keep(&store.user()).await, keep(&store.user()).await);
    assert!(due(store, before).await.is_empty());
    let now = store.clock.now();
    let entries = due(store, now).await;
    let ids: Vec<_> = entries.iter().map(|waiting| waiting.id).collect();
    assert_eq!(ids, [first, second]);
    let Some(OutboxEntry::Answer(answer)) = entries[0].entry() else {
        panic!("an answer: {entries:?}")
    };
    assert_eq!((answer.stream_id, answer.content.as_str()), (first, "1"));
    let kept_at = entries[0].tries.next_at.expect("a time");
    assert_eq!(entries[0].tries, Tries::none(kept_at));
    let one = store.outbox.due(now, 1).await.expect("a store that answers");
    assert_eq!(one.len(), 1);

    store.outbox.delivered(first).await.expect("a store that answers");
    assert_eq!(due(store, now).await.len(), 1);
    let state = state(store).await;
    assert_eq!((state.pending, state.dead_letters), (1, 0));
    assert!(state.oldest.is_some_and(|oldest| oldest > before && oldest < now));
}

pub async fn what_several_try_at_once_counts_once(store: &TestStore) {
    let id = keep(&store.user()).await;
    let now = store.clock.now();
    let tries = Tries {
        attempts: 1,
        refusals: 1,
        next_at: Some(now + TimeDelta::seconds(60)),
        reason: Some("refused".to_owned()),
    };
    assert!(tried(store, id, 0, &tries).await);
    assert!(!tried(store, id, 0, &tries).await);
    assert!(due(store, now).await.is_empty());
    let early = due(store, DateTime::<Utc>::MAX_UTC).await;
    assert_eq!(early[0].tries, tries);
    assert!(!tried(store, StreamId::new(&store.clock), 0, &tries).await);
}

pub async fn a_dead_letter_waits_for_somebody_to_ask(store: &TestStore) {
    let (dead, alive) = (keep(&store.user()).await, keep(&store.user()).await);
    assert!(tried(store, dead, 0, &over()).await);
    let waiting = store.outbox.waiting().await.expect("a store that answers");
    assert_eq!(waiting, [alive]);
    assert_eq!(due(store, DateTime::<Utc>::MAX_UTC).await.len(), 1);
    let with_one = state(store).await;
    assert_eq!((with_one.pending, with_one.dead_letters), (1, 1));
    let letters = store
        .outbox
        .dead_letters(ALL)
        .await
        .expect("a store that answers");
    assert_eq!((letters.len(), letters[0].id, letters[0].attempts), (1, dead, 12));
    assert_eq!(letters[0].reason.as_deref(), Some("refused"));
    assert!(with_one.oldest.is_some_and(|oldest| oldest > letters[0].kept_at));

    let retried = store.outbox.retry_dead_letters().await;
    assert_eq!(retried.expect("a store that answers"), 1);
    let entries = due(store, store.clock.now()).await;
    let again = entries.iter().find(|waiting| waiting.id == dead);
    let tries = &again.expect("due again").tries;
    assert_eq!((tries.attempts, tries.refusals, &tries.reason), (0, 0, &None));
    assert_eq!(state(store).await.dead_letters, 0);
}

pub async fn only_a_dead_letter_is_discarded(store: &TestStore) {
    let id = keep(&store.user()).await;
    let discard = async || {
        let discarded = store.outbox.discard_dead_letter(id).await;
        discarded.expect("a store that answers")
    };
    assert!(!discard().await);
    assert!(tried(store, id, 0, &over()).await);
    assert!(discard().await && !discard().await);
    assert_eq!(state(store).await, OutboxState::default());
}

pub async fn an_answer_whose_entry_is_dead_is_closed(store: &TestStore) {
    let id = keep(&store.user()).await;
    let left = async || {
        let left = store.generations.unfinished_here(None, &[]).await;
        let left = left.expect("a store that answers").into_iter();
        left.map(|left| left.answer.stream_id).collect::<Vec<_>>()
    };
    assert!(left().await.is_empty(), "what waits is whole");
    assert!(tried(store, id, 0, &over()).await);
    assert_eq!(left().await, [id]);
}
