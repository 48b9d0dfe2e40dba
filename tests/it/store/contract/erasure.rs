//! Erasing users: in pieces, whole, and with nothing that comes back.

use std::sync::Arc;

use ai_chat_orchestrator::models::ids::{StreamId, UserId};
use ai_chat_orchestrator::models::message::MessageStatus;
use ai_chat_orchestrator::models::money::Money;
use ai_chat_orchestrator::models::price::TokenPrices;
use ai_chat_orchestrator::models::privacy::ErasedCounts;
use ai_chat_orchestrator::services::billing::{
    Account, AccountChange, AnswerUsage, HoldTerms, InputSize, Reservation, UsageEvent,
};
use ai_chat_orchestrator::services::outbox::{OutboxEntry, Tries};
use futures_util::future::join_all;

use crate::store::databases::TestStore;

/// A token costs a nano-dollar.
const PRICES: TokenPrices = TokenPrices {
    input: Some(Money::from_nano(1_000_000)),
    output: Some(Money::from_nano(1_000_000)),
    cached_input: None,
};

/// What every answer here costs.
const COST: i64 = 70;

/// Somebody who may spend so much.
async fn user_with(store: &TestStore, budget: i64) -> UserId {
    let user = UserId::new(&store.clock);
    let change = AccountChange::SetBudget(Some(Money::from_nano(budget)));
    store.accounts.change(user, change).await.expect("an account");
    user
}

/// Holds something back for an answer.
async fn begin(store: &TestStore, user: UserId) -> StreamId {
    let id = StreamId::new(&store.clock);
    let reservation = Reservation {
        id,
        user_id: user,
        request_id: Arc::from("request"),
        model: Arc::from("model"),
        streamed: true,
        sent_bytes: 10,
        input_tokens: 10,
        terms: HoldTerms {
            prices: Some(PRICES),
            allow_unpriced: false,
            threshold: Money::ZERO,
            image_tokens: 0,
            context_window: None,
            beside: InputSize::default(),
            max_tokens: 90,
            assumed_limit: None,
            choices: 1,
            unbounded_by: None,
        },
    };
    store.accounts.hold(reservation).await.expect("it is covered");
    id
}

fn event(store: &TestStore, user: UserId, id: StreamId) -> UsageEvent {
    UsageEvent {
        id,
        user_id: user,
        request_id: Arc::from("request"),
        conversation_id: None,
        message_id: None,
        model: Arc::from("model"),
        status: MessageStatus::Completed,
        streamed: true,
        usage: AnswerUsage {
            prompt_tokens: 10,
            completion_tokens: 60,
            cost: Some(Money::from_nano(COST)),
            ..AnswerUsage::default()
        },
        attempts: Vec::new(),
        latency_ms: None,
        first_token_ms: None,
        provisional: false,
        created_at: store.clock.now(),
    }
}

async fn end(store: &TestStore, user: UserId, id: StreamId) {
    let event = event(store, user, id);
    store.ledger.record(event).await.expect("a store that answers");
}

/// Erases everything, in as many pieces as it takes; tells how many these were.
async fn erase(store: &TestStore, user: UserId) -> (ErasedCounts, usize) {
    let (mut erased, mut pieces) = (ErasedCounts::default(), 0);
    loop {
        let step = store
            .user_data
            .erase_some(user)
            .await
            .expect("a store that answers");
        erased.add(&step.erased);
        pieces += 1;
        if step.is_over {
            return (erased, pieces);
        }
    }
}

/// The account of somebody who comes back.
async fn back(store: &TestStore, user: UserId) -> Account {
    store.accounts.account(user).await.expect("a store that answers")
}

/// How much the ledger and the balance have of a user.
async fn kept(store: &TestStore, user: UserId) -> (usize, usize) {
    let usage = store.user_data.usage(user, None, 1_000).await.expect("events");
    let entries = store
        .user_data
        .balance_entries(user, i64::MIN, 1_000)
        .await
        .expect("entries");
    (usage.len(), entries.len())
}

pub async fn an_answer_that_comes_late_is_charged_once_and_dropped(store: &TestStore) {
    let user = user_with(store, 1_000).await;
    let (done, late) = (begin(store, user).await, begin(store, user).await);
    end(store, user, done).await;
    let (erased, _) = erase(store, user).await;
    assert_eq!((erased.unfinished_answers, erased.usage_events), (1, 1));
    for _ in 0..3 {
        end(store, user, late).await;
        // Nor is what was charged before charged again.
        end(store, user, done).await;
    }
    assert!(!store.accounts.is_suspended(user).await.expect("a standing"));
    assert_eq!(kept(store, user).await, (0, 0));
    assert_eq!(store.accounts.open_reservations().await.expect("a number"), 0);
    let account = back(store, user).await;
    assert_eq!((account.spend.nano(), account.reserved), (2 * COST, Money::ZERO));
    assert_eq!(account.max_budget, Some(Money::from_nano(1_000)));
}

pub async fn who_has_come_back_is_charged_for_what_comes_late(store: &TestStore) {
    let user = user_with(store, 1_000).await;
    let late = begin(store, user).await;
    erase(store, user).await;
    assert_eq!(back(store, user).await.spend, Money::ZERO);
    let new = begin(store, user).await;
    for _ in 0..2 {
        end(store, user, late).await;
        end(store, user, new).await;
    }
    let account = back(store, user).await;
    assert_eq!((account.spend.nano(), account.reserved), (2 * COST, Money::ZERO));
    // What the late one was is not told; that the balance changed is.
    assert_eq!(kept(store, user).await, (1, 2));
    erase(store, user).await;
    assert_eq!(back(store, user).await.spend.nano(), 2 * COST);
}

pub async fn what_waits_in_the_outbox_is_charged_and_removed(store: &TestStore) {
    let (user, other) = (user_with(store, 1_000).await, user_with(store, 1_000).await);
    let mut kept_for_other = None;
    for (user, is_dead) in [(user, false), (user, true), (other, false)] {
        let id = begin(store, user).await;
        let entry = OutboxEntry::Usage(Arc::new(event(store, user, id)));
        store.outbox.keep(&entry).await.expect("kept");
        if is_dead {
            let over = Tries {
                attempts: 12,
                refusals: 10,
                next_at: None,
                reason: None,
            };
            assert!(
                store
                    .outbox
                    .tried(id, 0, &over)
                    .await
                    .expect("a store that answers")
            );
        }
        kept_for_other = Some(id);
    }
    let (erased, _) = erase(store, user).await;
    assert_eq!((erased.outbox_entries, erased.unfinished_answers), (2, 0));
    let state = store.outbox.state().await.expect("a state");
    assert_eq!((state.pending, state.dead_letters), (1, 0));
    assert_eq!(
        store.outbox.waiting().await.expect("ids"),
        Vec::from_iter(kept_for_other)
    );
    assert_eq!(back(store, user).await.spend.nano(), 2 * COST);
}

pub async fn no_piece_is_large(store: &TestStore) {
    let user = user_with(store, 1_000_000).await;
    for _ in 0..1_100 {
        end(store, user, StreamId::new(&store.clock)).await;
    }
    let mut total = ErasedCounts::default();
    loop {
        let step = store
            .user_data
            .erase_some(user)
            .await
            .expect("a store that answers");
        let erased = step.erased;
        assert!(
            erased.usage_events <= 500 && erased.balance_entries <= 500,
            "{erased:?}"
        );
        total.add(&erased);
        // Whoever is interrupted here has an account that is right, with a shorter history.
        if !step.is_over {
            assert_eq!(back(store, user).await.spend.nano(), 1_100 * COST);
        }
        if step.is_over {
            break;
        }
    }
    // One entry is that of the budget.
    assert_eq!((total.usage_events, total.balance_entries), (1_100, 1_101));
    assert_eq!(back(store, user).await.spend.nano(), 1_100 * COST);
}

pub async fn whoever_comes_when_nothing_is_lost_or_charged_twice(store: &TestStore) {
    for _ in 0..4 {
        let user = user_with(store, 100_000).await;
        let streams = join_all((0..12).map(|_| begin(store, user))).await;
        // Half of them end while the user is erased and comes back, each twice.
        let ends = streams.iter().chain(&streams).map(|id| end(store, user, *id));
        let erasures = (0..2).map(|_| erase(store, user));
        let returns = (0..4).map(|_| back(store, user));
        tokio::join!(join_all(ends), join_all(erasures), join_all(returns));
        let account = back(store, user).await;
        assert_eq!((account.spend.nano(), account.reserved.nano()), (12 * COST, 0));
    }
}
