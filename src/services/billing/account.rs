//! What a user may spend, has spent, and has reserved for answers that are being written.
//!
//! An [`Account`] decides and adds up; whoever stores it locks it first, so that no two answers decide at once. While
//! nothing costs more than was reserved for it, `spend + reserved` never passes `max_budget`, whatever the order of events.

use crate::models::money::Money;

/// The account of a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Account {
    /// What the user may spend in all; `None`: as much as they like.
    pub max_budget: Option<Money>,
    /// What the user has spent.
    pub spend: Money,
    /// What is held back for answers that are being written.
    pub reserved: Money,
    /// Whether an operator has suspended it.
    pub is_suspended: bool,
}

/// Little is left when it is less than this part of the budget.
const LOW_PART: i64 = 10;

/// What an answer needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Need {
    /// Below that it cannot be begun: its input, and a first token of output.
    pub least: Money,
    /// What it costs at worst.
    pub most: Money,
    /// `MIN_BALANCE_THRESHOLD`: what must be left in any case.
    pub threshold: Money,
}

/// There is not enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{available} dollars are left, and {required} are needed")]
pub struct Insufficient {
    /// What is left; below zero where answers cost more than was reserved for them.
    pub available: Money,
    /// What is needed.
    pub required: Money,
}

impl Account {
    /// The account of a new user.
    #[must_use]
    pub const fn new(max_budget: Option<Money>) -> Self {
        Self {
            max_budget,
            spend: Money::ZERO,
            reserved: Money::ZERO,
            is_suspended: false,
        }
    }

    /// The budget without what is spent, whatever is reserved; `None` without a budget.
    #[must_use]
    pub fn balance(&self) -> Option<Money> {
        self.max_budget.map(|budget| budget.saturating_sub(self.spend))
    }

    /// Whether less than a tenth of the budget is left, or less than must be left for an answer.
    #[must_use]
    pub fn is_low(&self, threshold: Money) -> bool {
        let part = self
            .max_budget
            .map(|budget| Money::from_nano(budget.nano() / LOW_PART));
        self.available()
            .zip(part)
            .is_some_and(|(available, part)| available < part.max(threshold))
    }

    /// What is left: neither spent nor reserved. `None`: as much as the user likes.
    #[must_use]
    pub fn available(&self) -> Option<Money> {
        let taken = self.spend.saturating_add(self.reserved);
        self.max_budget.map(|budget| budget.saturating_sub(taken))
    }

    /// Holds back what an answer costs at worst, or what is left, if that is enough to begin it; tells how much. Nothing is
    /// held back without a budget, and for what is free, even where less than nothing is left.
    ///
    /// # Errors
    /// If what is left is not enough; nothing is changed then.
    pub fn reserve(&mut self, need: Need) -> Result<Option<Money>, Insufficient> {
        let Some(available) = self.available() else {
            return Ok(None);
        };
        if need.most == Money::ZERO {
            return Ok(Some(Money::ZERO));
        }
        let required = need.least.max(need.threshold);
        if available < required {
            return Err(Insufficient { available, required });
        }
        let amount = need.most.max(need.least).min(available);
        self.reserved = self.reserved.saturating_add(amount);
        Ok(Some(amount))
    }

    /// Gives back what was held back.
    pub fn release(&mut self, amount: Money) {
        self.reserved = self.reserved.saturating_sub(amount);
    }

    /// Charges what an answer cost.
    pub fn charge(&mut self, cost: Money) {
        self.spend = self.spend.saturating_add(cost);
    }

    /// Takes a charge back.
    pub fn refund(&mut self, cost: Money) {
        self.spend = self.spend.saturating_sub(cost);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const fn nano(nano: i64) -> Money {
        Money::from_nano(nano)
    }

    const fn need(least: i64, most: i64, threshold: i64) -> Need {
        Need {
            least: nano(least),
            most: nano(most),
            threshold: nano(threshold),
        }
    }

    #[test]
    fn what_is_left_is_reserved_where_the_worst_case_is_more() {
        let mut account = Account::new(Some(nano(100)));
        assert_eq!(account.reserve(need(10, 70, 5)), Ok(Some(nano(70))));
        assert_eq!(account.reserve(need(10, 70, 5)), Ok(Some(nano(30))));
        let refused = account.reserve(need(1, 70, 5)).expect_err("nothing is left");
        assert_eq!((refused.available, refused.required), (Money::ZERO, nano(5)));
        account.release(nano(70));
        account.charge(nano(40));
        assert_eq!(account.available(), Some(nano(30)));
        account.refund(nano(40));
        assert_eq!(account.available(), Some(nano(70)));
    }

    #[test]
    fn what_is_free_is_there_for_who_has_less_than_nothing() {
        let mut account = Account::new(Some(nano(10)));
        account.charge(nano(15));
        assert_eq!(account.reserve(need(0, 0, 0)), Ok(Some(Money::ZERO)));
        assert!(account.reserve(need(0, 1, 0)).is_err());
    }

    #[test]
    fn without_a_budget_nothing_is_held_back() {
        let mut account = Account::new(None);
        assert_eq!(account.reserve(need(10, 70, 5)), Ok(None));
        account.charge(nano(1_000));
        assert_eq!((account.available(), account.spend), (None, nano(1_000)));
    }

    /// What may happen to one of some answers.
    #[derive(Debug, Clone)]
    enum Step {
        Begin(Need),
        /// The share of what was reserved for it that it cost, in percent.
        End(usize, i64),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let begin = (0_i64..50, 0_i64..200, 0_i64..20)
            .prop_map(|(least, more, threshold)| Step::Begin(need(least, least + more, threshold)));
        let end = (any::<usize>(), 0_i64..=100).prop_map(|(which, percent)| Step::End(which, percent));
        prop::collection::vec(prop_oneof![begin, end], 0..200)
    }

    proptest! {
        #[test]
        fn no_more_is_spent_than_the_budget(budget in 0_i64..2_000, steps in steps()) {
            let mut account = Account::new(Some(nano(budget)));
            let mut open = Vec::new();
            for step in steps {
                match step {
                    Step::Begin(need) => {
                        let before = account;
                        match account.reserve(need) {
                            Ok(amount) => {
                                let amount = amount.expect("there is a budget");
                                prop_assert!(amount >= need.least && amount <= need.most);
                                open.push(amount);
                            }
                            Err(_) => prop_assert_eq!(account, before),
                        }
                    }
                    Step::End(which, percent) if !open.is_empty() => {
                        let amount = open.swap_remove(which % open.len());
                        account.release(amount);
                        account.charge(nano(amount.nano() * percent / 100));
                    }
                    Step::End(..) => {}
                }
                let held: i64 = open.iter().map(|amount| amount.nano()).sum();
                prop_assert_eq!(account.reserved, nano(held));
                prop_assert!(account.spend.nano() + held <= budget);
            }
        }
    }
}
