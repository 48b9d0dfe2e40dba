//! Erasing a user, piece by piece: each call is a transaction of bounded size, which leaves everything consistent.
//!
//! What is left in the end is a tombstone. It is written in the transaction that removes the account, so that there is no
//! moment at which the user has neither.

use chrono::TimeDelta;

use super::accounts::settle;
use super::anonymous::add_up;
use super::{Environment, lock};
use crate::models::ids::UserId;
use crate::models::privacy::ErasedCounts;
use crate::services::billing::Account;
use crate::services::conversations::StoreError;
use crate::services::outbox::OutboxEntry;
use crate::services::privacy::{ErasureStep, Tombstone, TombstoneId};
use crate::services::sql::rows::{KeptEntry, Rows, RowsResult};

/// Rows of one kind that are removed in one transaction.
const BATCH: u32 = 500;

/// Entries of the outbox that are removed in one transaction: each holds a whole answer.
const KEPT_BATCH: u32 = 20;

/// How long it is remembered which answers were being written when their user was erased: as long as records of answers
/// that somebody may still bring.
const LATE_KEPT: TimeDelta = TimeDelta::days(30);

/// Erases the next piece of a user; what is left when nothing else is, with the last.
pub async fn erase_some(
    rows: &mut dyn Rows,
    environment: &Environment,
    user: UserId,
) -> RowsResult<ErasureStep> {
    let mut erased = ErasedCounts::default();
    let is_over =
        if mark(rows, environment, user).await? || erase_piece(rows, environment, user, &mut erased).await? {
            false
        } else {
            bury(rows, environment, user, &mut erased).await?
        };
    Ok(ErasureStep { erased, is_over })
}

/// Writes a first tombstone, if there is none. From then on an answer that nothing is held back for, and that the ledger
/// knows nothing of, is one of those that are erased, and not a new one. Tells whether it did.
async fn mark(rows: &mut dyn Rows, environment: &Environment, user: UserId) -> RowsResult<bool> {
    let id = TombstoneId::of(user);
    if rows.tombstone(&id).await?.is_some() {
        return Ok(false);
    }
    let Some(account) = rows.lock_account(user).await? else {
        return Ok(false);
    };
    let left = Tombstone::of(&account, environment.clock.now());
    rows.save_tombstone(&id, &left).await?;
    Ok(true)
}

/// Tells whether there was anything.
async fn erase_piece(
    rows: &mut dyn Rows,
    environment: &Environment,
    user: UserId,
    erased: &mut ErasedCounts,
) -> RowsResult<bool> {
    if let Some(id) = rows.any_conversation(user).await? {
        // Gone by now, if somebody else has just deleted it.
        match lock(rows, user, id).await {
            Ok(conversation) => {
                rows.delete_conversation(id).await?;
                erased.conversations += 1;
                erased.branches += conversation.shown.branch_count;
                erased.messages += conversation.shown.message_count;
            }
            Err(StoreError::Database(error)) => return Err(error),
            Err(_) => {}
        }
        return Ok(true);
    }
    let kept = rows.kept_entries(user, KEPT_BATCH).await?;
    if !kept.is_empty() {
        for entry in &kept {
            remove_kept(rows, environment, entry).await?;
        }
        erased.outbox_entries += kept.len() as u64;
        return Ok(true);
    }
    let used = rows.take_usage(user, BATCH).await?;
    if !used.is_empty() {
        add_up(rows, &used).await?;
        erased.usage_events += used.len() as u64;
        return Ok(true);
    }
    // Triggers have taken back what they added up to, and left rows of zeros.
    let sums = rows.remove_usage_sums(user, BATCH).await?;
    let uses = rows.remove_feature_uses(user, BATCH).await?;
    let entries = rows.remove_entries(user, BATCH).await?;
    let keys = rows.remove_idempotency_keys(user, BATCH).await?;
    erased.usage_sums += sums;
    erased.feature_uses += uses;
    erased.balance_entries += entries;
    erased.idempotency_keys += keys;
    Ok(sums + uses + entries + keys > 0)
}

/// Removes an entry of the outbox. What it was to be charged is charged.
async fn remove_kept(rows: &mut dyn Rows, environment: &Environment, kept: &KeptEntry) -> RowsResult<()> {
    match serde_json::from_slice(&kept.payload) {
        Ok(OutboxEntry::Answer(answer)) => settle(rows, environment, &answer.usage_event()).await?,
        Ok(OutboxEntry::Usage(event)) => settle(rows, environment, &event).await?,
        // A dead letter that nobody can read.
        Err(_) => {}
    }
    rows.remove_entry(kept.id).await
}

/// Removes the account, the keys and the user, if nothing else is left, and leaves a tombstone. Locks in the order of all:
/// the user, and last the account, from which on nothing of theirs can be written.
async fn bury(
    rows: &mut dyn Rows,
    environment: &Environment,
    user: UserId,
    erased: &mut ErasedCounts,
) -> RowsResult<bool> {
    let (id, now) = (TombstoneId::of(user), environment.clock.now());
    let has_user = rows.lock_user_row(user).await?;
    let before = rows.lock_tombstone(&id).await?;
    let account = rows.lock_account(user).await?;
    if rows.any_conversation(user).await?.is_some() || erase_piece(rows, environment, user, erased).await? {
        return Ok(false);
    }
    rows.forget_late(now - LATE_KEPT).await?;
    if !has_user && account.is_none() {
        return Ok(true);
    }
    erased.api_keys += rows.remove_api_keys(user).await?;
    erased.unfinished_answers += rows.make_late(user, &id, now).await?;
    erased.accounts += u64::from(account.is_some());
    erased.profiles += u64::from(has_user);
    let account = account.unwrap_or_else(|| match before {
        Some(before) => before.account(),
        None => Account::new(environment.limits.new_user_budget),
    });
    rows.save_tombstone(&id, &Tombstone::of(&account, now)).await?;
    rows.remove_account(user).await?;
    rows.remove_user(user).await?;
    Ok(true)
}
