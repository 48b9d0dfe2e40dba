//! Users' accounts: what they may spend, and whether they may come at all.

use std::error::Error;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use clap::Subcommand;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::database::{CommandDatabase, print};
use crate::config::Settings;
use crate::models::ids::{StreamId, UserId};
use crate::models::money::Money;
use crate::services::billing::{Account, AccountChange};
use crate::services::generation::GenerationRecords;
use crate::services::privacy::{Erasure, ErasureParts, UserAnswers};
use crate::services::sql::OpenDatabase;
use crate::utils::metrics::Metrics;
use crate::wiring::limits;

/// How long answers of a user who is erased may take to be stopped.
const STOP_PATIENCE: Duration = Duration::from_secs(5);

/// Between two looks at whether they are.
const POLL_INTERVAL: Duration = Duration::from_millis(200);

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
    /// Erase everything about a user, as they could themselves. It cannot be undone.
    Erase {
        /// The user.
        #[arg(long)]
        id: Uuid,
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
    let answer = act(settings, &opened.database, command).await;
    opened.close().await;
    answer
}

async fn act(
    settings: &Settings,
    database: &OpenDatabase,
    command: UserCommand,
) -> Result<String, Box<dyn Error>> {
    let records = database.accounts(limits(settings));
    let (id, change) = match command {
        UserCommand::Erase { id } => return erase(settings, database, UserId(id)).await,
        UserCommand::Show { id } => return Ok(describe(id, &records.account(UserId(id)).await?)),
        UserCommand::Credit { id, amount } => (id, AccountChange::Credit(amount)),
        UserCommand::SetBudget { id, amount } => (id, AccountChange::SetBudget(amount.0)),
        UserCommand::Suspend { id, lift } => (id, AccountChange::Suspend(!lift)),
    };
    Ok(describe(id, &records.change(UserId(id), change).await?))
}

async fn erase(settings: &Settings, database: &OpenDatabase, user: UserId) -> Result<String, Box<dyn Error>> {
    let erasure = Erasure::new(ErasureParts {
        data: database.user_data(limits(settings)),
        answers: Arc::new(AnswersElsewhere(database.generations())),
        outbox: None,
        cache: None,
        redis: None,
        tracker: TaskTracker::new(),
        metrics: Arc::new(Metrics::new(0)?),
    });
    let erased = erasure.erase(user).await?;
    Ok(serde_json::to_string_pretty(&erased)?)
}

/// Answers are written by the service, which looks twice a second whether it is to stop any.
struct AnswersElsewhere(Arc<dyn GenerationRecords>);

#[async_trait]
impl UserAnswers for AnswersElsewhere {
    async fn stop_all(&self, user: UserId, held: Vec<StreamId>) {
        let deadline = Instant::now() + STOP_PATIENCE;
        for id in held {
            // What is not stopped is dropped when it ends.
            while Instant::now() < deadline && self.0.request_cancel(user, id).await.unwrap_or(false) {
                tokio::time::sleep(POLL_INTERVAL).await;
            }
        }
    }

    /// The service forgets them when their retention is over.
    async fn forget(&self, _user: UserId) {}
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
