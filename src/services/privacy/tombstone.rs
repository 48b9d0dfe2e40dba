//! What is left of a user who was erased.

use aws_lc_rs::digest::{Context, SHA256, SHA256_OUTPUT_LEN};
use chrono::{DateTime, Utc};

use crate::models::ids::UserId;
use crate::models::money::Money;
use crate::services::billing::Account;

/// Keeps these hashes apart from others of the same ids.
const DOMAIN: &[u8] = b"ai-chat-orchestrator erased user\0";

/// Stands for a user in place of their id: a SHA-256 of it.
///
/// Without a key: ids are UUIDs of 74 random bits at least, which nobody tries out; so it tells only those who have the id
/// already. A key would have to live as long as the tombstones, where the database is, and to be the same at all
/// instances; whoever rotated it would hand out fresh budgets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TombstoneId([u8; SHA256_OUTPUT_LEN]);

impl TombstoneId {
    /// That of a user.
    #[must_use]
    pub fn of(user: UserId) -> Self {
        let mut hash = Context::new(&SHA256);
        hash.update(DOMAIN);
        hash.update(user.0.as_bytes());
        let mut bytes = [0; SHA256_OUTPUT_LEN];
        bytes.copy_from_slice(hash.finish().as_ref());
        Self(bytes)
    }

    /// As it is stored.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// What is left: enough that coming back is no fresh start for who has spent their budget, or was suspended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tombstone {
    /// What the user might spend in all; `None`: as much as they liked.
    pub max_budget: Option<Money>,
    /// What the user had spent.
    pub spend: Money,
    /// Whether the account was suspended.
    pub is_suspended: bool,
    /// When the user was erased, or what is left last changed.
    pub erased_at: DateTime<Utc>,
}

impl Tombstone {
    /// What is left of an account.
    #[must_use]
    pub const fn of(account: &Account, erased_at: DateTime<Utc>) -> Self {
        Self {
            max_budget: account.max_budget,
            spend: account.spend,
            is_suspended: account.is_suspended,
            erased_at,
        }
    }

    /// The account of a user who comes back.
    #[must_use]
    pub const fn account(&self) -> Account {
        Account {
            spend: self.spend,
            is_suspended: self.is_suspended,
            ..Account::new(self.max_budget)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn hashes_are_the_same_forever() {
        let id = TombstoneId::of(UserId(Uuid::from_u128(7)));
        assert_eq!(id, TombstoneId::of(UserId(Uuid::from_u128(7))));
        assert_ne!(id, TombstoneId::of(UserId(Uuid::from_u128(8))));
        // Were it another one, who was erased before would come back with a fresh budget.
        assert_eq!(id.as_bytes()[..4], [0xb6, 0x6b, 0x31, 0xcd]);
    }

    #[test]
    fn an_account_comes_back_as_it_went() {
        let account = Account {
            spend: Money::from_nano(7),
            is_suspended: true,
            ..Account::new(Some(Money::from_nano(9)))
        };
        let left = Tombstone::of(&account, DateTime::<Utc>::MIN_UTC);
        assert_eq!(left.account(), account);
    }
}
