//! Users' accounts: what they may spend, and whether they may come at all.

use std::error::Error;
use std::process::ExitCode;

use clap::Subcommand;
use uuid::Uuid;

use super::database::{CommandDatabase, print};
use crate::config::Settings;
use crate::models::ids::UserId;
use crate::models::money::Money;
use crate::services::billing::{Account, AccountChange, AccountRecords};
use crate::wiring::limits;

/// The largest amount that is taken: a slip of the finger is no budget.
const MAX_AMOUNT: Money = Money::from_nano(1_000_000_000_000_000);

/// What can be done with an account. The service may be running meanwhile, and heeds it within five seconds. An account
/// that nobody has seen before is made.
#[derive(Debug, Clone, Copy, Subcommand)]
pub(super) enum UserCommand {
    /// Show what a user may spend, and has spent.
    Show {
        /// The user.
        #[arg(long)]
        id: Uuid,
    },
    /// Add to what a user may spend.
    Credit {
        /// The user.
        #[arg(long)]
        id: Uuid,
        /// Dollars, up to 1000000.
        #[arg(long, value_parser = amount)]
        amount: Money,
    },
    /// Set what a user may spend in all.
    SetBudget {
        /// The user.
        #[arg(long)]
        id: Uuid,
        /// Dollars, up to 1000000, or `unlimited`.
        #[arg(long, value_parser = budget)]
        amount: Budget,
    },
    /// Refuse a user everything.
    Suspend {
        /// The user.
        #[arg(long)]
        id: Uuid,
        /// Let them come again instead.
        #[arg(long)]
        lift: bool,
    },
}

/// What may be spent; `None`: as much as the user likes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Budget(Option<Money>);

/// Runs the command.
pub(super) async fn run(settings: &Settings, command: UserCommand) -> ExitCode {
    print(answer(settings, command).await)
}

async fn answer(settings: &Settings, command: UserCommand) -> Result<String, Box<dyn Error>> {
    let opened = CommandDatabase::open(settings).await?;
    let records = opened.database.accounts(limits(settings));
    let answer = change(&*records, command).await;
    drop(records);
    opened.close().await;
    answer
}

async fn change(records: &dyn AccountRecords, command: UserCommand) -> Result<String, Box<dyn Error>> {
    let (id, change) = match command {
        UserCommand::Show { id } => return Ok(describe(id, &records.account(UserId(id)).await?)),
        UserCommand::Credit { id, amount } => (id, AccountChange::Credit(amount)),
        UserCommand::SetBudget { id, amount } => (id, AccountChange::SetBudget(amount.0)),
        UserCommand::Suspend { id, lift } => (id, AccountChange::Suspend(!lift)),
    };
    Ok(describe(id, &records.change(UserId(id), change).await?))
}

fn describe(id: Uuid, account: &Account) -> String {
    let dollars =
        |amount: Option<Money>| amount.map_or_else(|| "unlimited".to_owned(), |amount| amount.to_string());
    format!(
        "user       {id}\nstatus     {}\nbudget     {}\nspent      {}\nreserved   {}\navailable  {}",
        if account.is_suspended {
            "suspended"
        } else {
            "active"
        },
        dollars(account.max_budget),
        account.spend,
        account.reserved,
        dollars(account.available()),
    )
}

/// Dollars, exactly.
fn amount(text: &str) -> Result<Money, String> {
    Money::parse_dollars(text)
        .filter(|amount| *amount <= MAX_AMOUNT)
        .ok_or_else(|| format!("must be dollars from 0 to {MAX_AMOUNT}"))
}

fn budget(text: &str) -> Result<Budget, String> {
    if text.eq_ignore_ascii_case("unlimited") {
        return Ok(Budget(None));
    }
    amount(text)
        .map(|amount| Budget(Some(amount)))
        .map_err(|problem| format!("{problem}, or unlimited"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_amounts() {
        assert_eq!(amount("2.5"), Ok(Money::from_nano(2_500_000_000)));
        assert_eq!(budget("Unlimited").map(|budget| budget.0), Ok(None));
        for bad in ["", "-1", "NaN", "1000000.01", "1e9", "ten"] {
            assert!(amount(bad).is_err() && budget(bad).is_err(), "{bad}");
        }
    }
}
