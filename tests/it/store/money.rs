//! Whatever happens to reservations, in whatever order and however often: an account says what a small model says, nothing
//! more is spent than the budget, and the changes of a balance add up to it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use ai_chat_orchestrator::models::balance::EntryKind;
use ai_chat_orchestrator::models::common::Page;
use ai_chat_orchestrator::models::ids::{StreamId, UserId};
use ai_chat_orchestrator::models::message::MessageStatus;
use ai_chat_orchestrator::models::money::Money;
use ai_chat_orchestrator::models::price::TokenPrices;
use ai_chat_orchestrator::services::billing::{
    AccountChange, AccountError, AnswerUsage, HoldError, HoldTerms, InputSize, Refusal, Reservation,
    UsageEvent,
};
use ai_chat_orchestrator::services::conversations::StoreLimits;
use ai_chat_orchestrator::services::outbox::OutboxEntry;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use tokio::runtime::Runtime;

use super::databases::{LIMITS, TestStore, keep};
use super::properties::cases;
use crate::support::within;

/// What a new user may spend, in nano-dollars.
const BUDGET: i64 = 1_000;

/// What must be left in any case.
const THRESHOLD: i64 = 20;

/// A token costs a nano-dollar.
const PRICES: TokenPrices = TokenPrices {
    input: Some(Money::from_nano(1_000_000)),
    output: Some(Money::from_nano(1_000_000)),
    cached_input: None,
};

/// Streams of one program.
const STREAMS: u8 = 12;

#[derive(Debug, Clone)]
enum Step {
    /// Something is held back for an answer to so many tokens, of at most so many.
    Hold {
        stream: u8,
        input: u64,
        output: u64,
    },
    /// An answer ends, at this part of what was held back for it (percent).
    Settle {
        stream: u8,
        percent: i64,
        provisional: bool,
    },
    /// Somebody raises or lowers the budget.
    SetBudget(Option<i64>),
    Credit(i64),
    Suspend(bool),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let hold = (0..STREAMS, 1_u64..200, 1_u64..400).prop_map(|(stream, input, output)| Step::Hold {
        stream,
        input,
        output,
    });
    let settle =
        (0..STREAMS, 0_i64..=100, any::<bool>()).prop_map(|(stream, percent, provisional)| Step::Settle {
            stream,
            percent,
            provisional,
        });
    let budget = proptest::option::of(0_i64..2_000).prop_map(Step::SetBudget);
    let step = prop_oneof![
        8 => hold,
        8 => settle,
        1 => budget,
        1 => (0_i64..300).prop_map(Step::Credit),
        1 => any::<bool>().prop_map(Step::Suspend),
    ];
    proptest::collection::vec(step, 1..60)
}

/// What a stream has come to.
#[derive(Debug, Clone, Copy)]
enum Stream {
    Held(Option<i64>),
    Settled { cost: i64, provisional: bool },
}

/// The account as it should be.
struct Model {
    budget: Option<i64>,
    spend: i64,
    suspended: bool,
    streams: HashMap<u8, Stream>,
    /// Balances after each change, the oldest first.
    entries: Vec<(EntryKind, i64, Option<i64>)>,
}

impl Model {
    fn reserved(&self) -> i64 {
        let held = self.streams.values().map(|stream| match stream {
            Stream::Held(amount) => amount.unwrap_or_default(),
            Stream::Settled { .. } => 0,
        });
        held.sum()
    }

    fn available(&self) -> Option<i64> {
        self.budget.map(|budget| budget - self.spend - self.reserved())
    }

    fn note(&mut self, kind: EntryKind, amount: i64) {
        let after = self.budget.map(|budget| budget - self.spend);
        self.entries.push((kind, amount, after));
    }
}

/// A program's user on a store.
struct Run<'s> {
    store: &'s TestStore,
    user: UserId,
    ids: Vec<StreamId>,
    model: Model,
}

impl<'s> Run<'s> {
    fn new(store: &'s TestStore) -> Self {
        Self {
            store,
            user: UserId(store.clock.uuid()),
            ids: (0..STREAMS).map(|_| StreamId::new(&store.clock)).collect(),
            model: Model {
                budget: Some(BUDGET),
                spend: 0,
                suspended: false,
                streams: HashMap::new(),
                entries: Vec::new(),
            },
        }
    }

    async fn step(&mut self, step: &Step) {
        match *step {
            Step::Hold {
                stream,
                input,
                output,
            } => self.hold(stream, input, output).await,
            Step::Settle {
                stream,
                percent,
                provisional,
            } => self.settle(stream, percent, provisional).await,
            Step::SetBudget(budget) => {
                let change = AccountChange::SetBudget(budget.map(Money::from_nano));
                self.store
                    .accounts
                    .change(self.user, change)
                    .await
                    .expect("a budget");
                self.rebudget(budget);
            }
            Step::Credit(amount) => {
                let change = AccountChange::Credit(Money::from_nano(amount));
                let credited = self.store.accounts.change(self.user, change).await;
                match self.model.budget {
                    Some(budget) => {
                        credited.expect("a credit");
                        self.rebudget(Some(budget + amount));
                    }
                    None => assert!(matches!(credited, Err(AccountError::NoBudget)), "{credited:?}"),
                }
            }
            Step::Suspend(suspended) => {
                let change = AccountChange::Suspend(suspended);
                self.store
                    .accounts
                    .change(self.user, change)
                    .await
                    .expect("a change");
                self.model.suspended = suspended;
                let told = self.store.accounts.is_suspended(self.user).await;
                assert_eq!(told.expect("a standing"), suspended);
            }
        }
    }

    fn rebudget(&mut self, budget: Option<i64>) {
        let before = self.model.budget;
        self.model.budget = budget;
        if before != budget {
            let change = budget.unwrap_or_default() - before.unwrap_or_default();
            self.model.note(EntryKind::Credit, change);
        }
    }

    async fn hold(&mut self, stream: u8, input: u64, output: u64) {
        // A stream is begun once.
        if self.model.streams.contains_key(&stream) {
            return;
        }
        let held = self
            .store
            .accounts
            .hold(self.reservation(stream, input, output))
            .await;
        let need = |tokens: u64| i64::try_from(tokens).expect("few tokens");
        let least = need(input + 1).max(THRESHOLD);
        match (self.model.suspended, self.model.available()) {
            (true, _) => {
                assert!(
                    matches!(held, Err(HoldError::Refused(Refusal::Suspended))),
                    "{held:?}"
                );
            }
            (false, Some(available)) if available < least => {
                let Err(HoldError::Refused(Refusal::Insufficient(refused))) = held else {
                    panic!("{held:?}")
                };
                assert_eq!(
                    (refused.available.nano(), refused.required.nano()),
                    (available, least)
                );
            }
            (false, available) => {
                let hold = held.expect("it is covered");
                let amount = available.map(|available| need(input + output).min(available));
                assert_eq!(hold.amount.map(Money::nano), amount);
                let covered = amount.map(|amount| u64::try_from(amount).expect("an amount") - input);
                assert_eq!(hold.max_tokens, covered.filter(|covered| *covered < output));
                self.model.streams.insert(stream, Stream::Held(amount));
            }
        }
    }

    fn reservation(&self, stream: u8, input: u64, output: u64) -> Reservation {
        Reservation {
            id: self.ids[usize::from(stream)],
            user_id: self.user,
            request_id: Arc::from("request"),
            model: Arc::from("model"),
            streamed: true,
            sent_bytes: input,
            input_tokens: input,
            terms: HoldTerms {
                prices: Some(PRICES),
                allow_unpriced: false,
                threshold: Money::from_nano(THRESHOLD),
                image_tokens: 0,
                context_window: None,
                beside: InputSize::default(),
                max_tokens: output,
                assumed_limit: None,
                choices: 1,
                unbounded_by: None,
            },
        }
    }

    async fn settle(&mut self, stream: u8, percent: i64, provisional: bool) {
        let before = self.model.streams.get(&stream).copied();
        let held = match before {
            None => return,
            Some(Stream::Held(amount)) => amount.unwrap_or(100),
            Some(Stream::Settled { cost, .. }) => cost,
        };
        let cost = held * percent / 100;
        let event = self.event(stream, cost, provisional);
        self.store.ledger.record(event).await.expect("an entry");
        match before {
            Some(Stream::Settled {
                provisional: false, ..
            }) => return,
            Some(Stream::Settled { .. }) if provisional => return,
            Some(Stream::Settled { cost: charged, .. }) => {
                self.model.spend -= charged;
                if charged > 0 {
                    self.model.note(EntryKind::Refund, charged);
                }
            }
            _ => {}
        }
        self.model.spend += cost;
        if cost > 0 {
            self.model.note(EntryKind::Charge, cost);
        }
        self.model
            .streams
            .insert(stream, Stream::Settled { cost, provisional });
    }

    fn event(&self, stream: u8, cost: i64, provisional: bool) -> UsageEvent {
        UsageEvent {
            id: self.ids[usize::from(stream)],
            user_id: self.user,
            request_id: Arc::from("request"),
            conversation_id: None,
            message_id: None,
            model: Arc::from("model"),
            status: MessageStatus::Completed,
            streamed: true,
            usage: AnswerUsage {
                cost: Some(Money::from_nano(cost)),
                ..AnswerUsage::default()
            },
            attempts: Vec::new(),
            latency_ms: None,
            first_token_ms: None,
            provisional,
            created_at: self.store.clock.now(),
        }
    }

    async fn compare(&self, is_kept: bool) {
        let account = self.store.accounts.account(self.user).await.expect("an account");
        let model = &self.model;
        assert_eq!(account.max_budget.map(Money::nano), model.budget);
        assert_eq!(
            (account.spend.nano(), account.reserved.nano()),
            (model.spend, model.reserved())
        );
        assert_eq!(account.is_suspended, model.suspended);
        if let Some(budget) = model.budget.filter(|_| is_kept) {
            assert!(
                account.spend.nano() + account.reserved.nano() <= budget,
                "{account:?}"
            );
        }
    }

    async fn compare_history(&self) {
        let page = Page {
            page: 1,
            limit: 1_000,
        };
        let (entries, total) = self
            .store
            .accounts
            .history(self.user, page)
            .await
            .expect("a history");
        assert_eq!(total, entries.len() as u64);
        let told = entries.iter().rev();
        let told: Vec<_> = told
            .map(|entry| {
                (
                    entry.kind,
                    entry.amount.nano(),
                    entry.balance_after.map(Money::nano),
                )
            })
            .collect();
        assert_eq!(told, self.model.entries);
        let charged = self
            .store
            .accounts
            .spent_since(self.user, chrono::DateTime::UNIX_EPOCH)
            .await;
        assert_eq!(charged.expect("a sum").nano(), self.model.spend);
    }
}

async fn run(store: &TestStore, steps: &[Step]) {
    let mut run = Run::new(store);
    let mut is_kept = true;
    for step in steps {
        run.step(step).await;
        // A budget that is set may be below what was spent before, and what was begun without one was not held back.
        is_kept &= !matches!(step, Step::SetBudget(_));
        run.compare(is_kept).await;
    }
    run.compare_history().await;
}

fn check(store: impl Future<Output = TestStore>) {
    let runtime = Runtime::new().expect("a runtime");
    let store = runtime.block_on(store);
    let config = Config {
        cases: cases(),
        failure_persistence: None,
        ..Config::default()
    };
    let outcome = TestRunner::new(config).run(&steps(), |steps| {
        runtime.block_on(within("a program's end", run(&store, &steps)));
        Ok(())
    });
    runtime.block_on(store.close());
    outcome.expect("the store does what the model does");
}

const BUDGETED: StoreLimits = StoreLimits {
    new_user_budget: Some(Money::from_nano(BUDGET)),
    ..LIMITS
};

#[test]
fn sqlite_keeps_accounts_as_the_model_does() {
    check(TestStore::sqlite(BUDGETED));
}

#[test]
fn postgres_keeps_accounts_as_the_model_does() {
    check(TestStore::postgres(BUDGETED));
}

/// Reservations without an owner are those that nobody is known to be at work on, and that are nowhere else.
async fn orphans_are_found(store: &TestStore) {
    let run = Run::new(store);
    let [held, working, waiting, late] = [0, 1, 2, 3];
    for stream in [held, working, waiting] {
        store
            .accounts
            .hold(run.reservation(stream, 1, 1))
            .await
            .expect("held");
    }
    let before = store.clock.now();
    store
        .accounts
        .hold(run.reservation(late, 1, 1))
        .await
        .expect("held");
    let entry = OutboxEntry::Usage(Arc::new(run.event(waiting, 1, false)));
    store.outbox.keep(&entry).await.expect("kept");
    let known = [run.ids[usize::from(working)]];
    let found = store
        .accounts
        .orphans_here(before, &known)
        .await
        .expect("orphans");
    let ids: Vec<_> = found.iter().map(|orphan| orphan.id).collect();
    assert_eq!(ids, [run.ids[usize::from(held)]]);
    assert_eq!(
        (found[0].user_id, found[0].prices, found[0].sent_bytes),
        (run.user, PRICES, 1)
    );
    assert_eq!(store.accounts.open_reservations().await.expect("a count"), 4);
    let others = store
        .accounts
        .orphans_of_others(Duration::ZERO)
        .await
        .expect("orphans");
    assert!(others.is_empty(), "all of it is of this instance: {others:?}");
    store
        .ledger
        .record(run.event(held, 1, true))
        .await
        .expect("settled");
    let found = store
        .accounts
        .orphans_here(before, &known)
        .await
        .expect("orphans");
    assert!(found.is_empty(), "{found:?}");
}

#[tokio::test]
async fn sqlite_finds_reservations_without_an_owner() {
    keep(TestStore::sqlite(BUDGETED), orphans_are_found).await;
}

#[tokio::test]
async fn postgres_finds_reservations_without_an_owner() {
    keep(TestStore::postgres(BUDGETED), orphans_are_found).await;
}
