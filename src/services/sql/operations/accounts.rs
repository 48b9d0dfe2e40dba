//! What is held back, charged and given back. An account is locked after everything else that a transaction locks.

use std::borrow::Cow;

use super::Environment;
use super::late::settle_late;
use crate::models::balance::EntryKind;
use crate::models::ids::UserId;
use crate::models::money::Money;
use crate::services::billing::{
    Account, AccountChange, AccountError, Hold, HoldError, NewEntry, Refusal, Reservation, UsageEvent,
};
use crate::services::privacy::TombstoneId;
use crate::services::sql::rows::{ReservationRow, Rows, RowsResult};
use crate::utils::database::DatabaseError;

/// Holds back what an answer costs at worst. See [`AccountRecords::hold`](crate::services::billing::AccountRecords).
pub async fn hold(
    rows: &mut dyn Rows,
    environment: &Environment,
    reservation: &Reservation,
) -> Result<Hold, HoldError> {
    let mut account = lock(rows, environment, reservation.user_id).await?;
    if account.is_suspended {
        return Err(Refusal::Suspended.into());
    }
    let terms = &reservation.terms;
    if account.max_budget.is_some()
        && !terms.allow_unpriced
        && let Some(field) = terms.unbounded_by
    {
        return Err(Refusal::Unbounded(field).into());
    }
    let is_low = account.is_low(terms.threshold);
    let amount = match terms.need(reservation.input_tokens) {
        Some(need) => account.reserve(need).map_err(Refusal::from)?,
        None if account.max_budget.is_some() && !terms.allow_unpriced => {
            return Err(Refusal::Unpriced(reservation.model.clone()).into());
        }
        None => None,
    };
    let now = environment.clock.now();
    if amount.is_some_and(|amount| amount > Money::ZERO) {
        rows.save_account(reservation.user_id, &account, now).await?;
    }
    rows.insert_reservation(&ReservationRow {
        id: reservation.id,
        user_id: reservation.user_id,
        instance_id: environment.instance,
        amount: amount.unwrap_or_default(),
        prices: terms.prices.unwrap_or_default(),
        model: reservation.model.clone(),
        request_id: reservation.request_id.clone(),
        streamed: reservation.streamed,
        sent_bytes: reservation.sent_bytes,
        created_at: now,
    })
    .await?;
    Ok(Hold {
        amount,
        max_tokens: amount.and_then(|amount| terms.shortened(amount, reservation.input_tokens)),
        is_low,
    })
}

/// Enters an event, charges its cost, and releases what was held back for it. See
/// [`UsageLedger::record`](crate::services::billing::UsageLedger).
pub async fn settle(rows: &mut dyn Rows, environment: &Environment, event: &UsageEvent) -> RowsResult<()> {
    let (user, now) = (event.user_id, environment.clock.now());
    let known = rows.lock_account(user).await?;
    let held = rows.take_reservation(event.id).await?;
    let before = rows.entered(event.id).await?;
    if held.is_none() && before.is_none() {
        // It was begun before its user was erased, or by somebody who holds nothing back.
        let id = TombstoneId::of(user);
        if rows.tombstone(&id).await?.is_some() {
            return settle_late(rows, environment, &id, known, event).await;
        }
    }
    let mut account = match known {
        Some(account) => account,
        None => lock(rows, environment, user).await?,
    };
    if let Some(held) = &held {
        account.release(held.amount);
    }
    // At the prices that it was begun at, if nobody has said what it cost: the model may have left the catalog since.
    let mut event = Cow::Borrowed(event);
    if let (None, Some(held)) = (event.usage.cost, &held) {
        event.to_mut().usage.cost = event.usage.cost_at(&held.prices);
    }
    let event = &*event;
    if let Some(before) = before {
        if !before.provisional || event.provisional {
            return rows.save_account(user, &account, now).await;
        }
        rows.remove_usage(event.id).await?;
        if let Some(cost) = before.cost.filter(|cost| *cost > Money::ZERO) {
            account.refund(cost);
            let entry = entry(environment, event, EntryKind::Refund, cost, &account);
            let entry = NewEntry {
                message_id: before.message_id,
                model: Some(before.model.into()),
                ..entry
            };
            rows.insert_entry(environment.clock.uuid(), &entry).await?;
        }
    }
    rows.insert_usage(event).await?;
    if let Some(cost) = event.usage.cost.filter(|cost| *cost > Money::ZERO) {
        account.charge(cost);
        let entry = entry(environment, event, EntryKind::Charge, cost, &account);
        rows.insert_entry(environment.clock.uuid(), &entry).await?;
    }
    rows.save_account(user, &account, now).await
}

/// Changes an account as an operator wishes.
pub async fn change_account(
    rows: &mut dyn Rows,
    environment: &Environment,
    user: UserId,
    change: AccountChange,
) -> Result<Account, AccountError> {
    let mut account = lock(rows, environment, user).await?;
    let before = account;
    match change {
        AccountChange::Credit(amount) => {
            let budget = account.max_budget.ok_or(AccountError::NoBudget)?;
            let raised = budget.checked_add(amount).ok_or(AccountError::OutOfRange)?;
            account.max_budget = Some(raised);
        }
        AccountChange::SetBudget(budget) => account.max_budget = budget,
        AccountChange::Suspend(suspended) => account.is_suspended = suspended,
    }
    let now = environment.clock.now();
    rows.save_account(user, &account, now).await?;
    if before.max_budget != account.max_budget {
        let old = before.max_budget.unwrap_or_default();
        let new = account.max_budget.unwrap_or_default();
        let entry = NewEntry {
            user_id: user,
            kind: EntryKind::Credit,
            amount: new.saturating_sub(old),
            balance_after: account.balance(),
            stream_id: None,
            message_id: None,
            model: None,
            created_at: now,
        };
        rows.insert_entry(environment.clock.uuid(), &entry).await?;
    }
    Ok(account)
}

/// The user's account, locked; made if it is not there, of what is left of a user who was erased.
pub async fn lock(rows: &mut dyn Rows, environment: &Environment, user: UserId) -> RowsResult<Account> {
    if let Some(account) = rows.lock_account(user).await? {
        return Ok(account);
    }
    let account = match rows.lock_tombstone(&TombstoneId::of(user)).await? {
        Some(left) => left.account(),
        None => Account::new(environment.limits.new_user_budget),
    };
    rows.make_account(user, &account, environment.clock.now()).await?;
    rows.lock_account(user)
        .await?
        .ok_or_else(|| DatabaseError::corrupt("account", "one that was just made is gone"))
}

fn entry(
    environment: &Environment,
    event: &UsageEvent,
    kind: EntryKind,
    amount: Money,
    account: &Account,
) -> NewEntry {
    NewEntry {
        user_id: event.user_id,
        kind,
        amount,
        balance_after: account.balance(),
        stream_id: Some(event.id),
        message_id: event.message_id,
        model: Some(event.model.clone()),
        created_at: environment.clock.now(),
    }
}
