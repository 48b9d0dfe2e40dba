//! Answers that come when their user was erased: charged, and dropped.

use super::Environment;
use super::anonymous::add_up;
use crate::models::balance::EntryKind;
use crate::models::money::Money;
use crate::services::billing::{Account, NewEntry, UsageEvent};
use crate::services::privacy::TombstoneId;
use crate::services::sql::rows::{Rows, RowsResult, TakenUsage};

/// Charges an answer that was begun before its user was erased: the account, if the user has come back (it is locked then),
/// else what is left of them. One that was not expected any more, such as one that comes twice, is dropped alone.
pub async fn settle_late(
    rows: &mut dyn Rows,
    environment: &Environment,
    id: &TombstoneId,
    account: Option<Account>,
    event: &UsageEvent,
) -> RowsResult<()> {
    let Some(prices) = rows.take_late(event.id, id).await? else {
        return Ok(());
    };
    let cost = event.usage.cost.or_else(|| event.usage.cost_at(&prices));
    add_up(rows, &used(event, cost)).await?;
    let Some(cost) = cost.filter(|cost| *cost > Money::ZERO) else {
        return Ok(());
    };
    if let Some(account) = account {
        return charge(rows, environment, event, account, cost).await;
    }
    // Locked before the account is looked for once more, as by who makes an account of it: one sees what the other did.
    let left = rows.lock_tombstone(id).await?;
    if let Some(account) = rows.lock_account(event.user_id).await? {
        return charge(rows, environment, event, account, cost).await;
    }
    let Some(mut left) = left else {
        return Ok(());
    };
    left.spend = left.spend.saturating_add(cost);
    rows.save_tombstone(id, &left).await
}

/// An entry of the balance says what was charged, and nothing of what for.
async fn charge(
    rows: &mut dyn Rows,
    environment: &Environment,
    event: &UsageEvent,
    mut account: Account,
    cost: Money,
) -> RowsResult<()> {
    account.charge(cost);
    let now = environment.clock.now();
    let entry = NewEntry {
        user_id: event.user_id,
        kind: EntryKind::Charge,
        amount: cost,
        balance_after: account.balance(),
        stream_id: None,
        message_id: None,
        model: None,
        created_at: now,
    };
    rows.insert_entry(environment.clock.uuid(), &entry).await?;
    rows.save_account(event.user_id, &account, now).await
}

fn used(event: &UsageEvent, cost: Option<Money>) -> Vec<TakenUsage> {
    let answer = TakenUsage {
        model: event.model.to_string(),
        retried: false,
        prompt_tokens: event.usage.prompt_tokens,
        completion_tokens: event.usage.completion_tokens,
        cost,
        created_at: event.created_at,
    };
    let retried = event.attempts.iter().map(|attempt| TakenUsage {
        model: attempt.model.to_string(),
        retried: true,
        prompt_tokens: 0,
        completion_tokens: 0,
        cost: None,
        created_at: event.created_at,
    });
    retried.chain([answer]).collect()
}
