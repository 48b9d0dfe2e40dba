//! Rows: what a transaction can do with the tables, as the operations of the store need it.
//!
//! These traits are the seam between what a store does (`operations`, once) and the SQL that does it (once for each
//! database: static, bound statements). A method is one statement or two; it decides nothing, checks no rights and
//! keeps no invariant. Whoever calls it has locked the conversation for its user before.
//!
//! - [`ConversationRows`]: conversations, and the users that have them
//! - [`BranchRows`]: their branches
//! - [`MessageRows`]: writing messages and walking their tree
//! - [`MessageReads`]: messages as they are shown
//! - [`AnswerRows`]: running answers and how they end
//! - [`AccountRows`]: accounts, and the ledger
//! - [`ErasureRows`]: erasing a user, and what is left of one
//! - [`UserDataRows`]: what is kept of a user, row by row
//! - [`SearchRows`]: what a query finds

mod accounts;
mod answers;
mod branches;
mod conversations;
mod erasure;
mod messages;
mod reads;
mod search;
mod user_data;

pub use accounts::{AccountRows, Entered, Held, ReservationRow};
pub use answers::{AnswerRows, ClaimRow, ClaimState, KeyedAnswer, RunningAnswer};
pub use branches::{BranchRow, BranchRows};
pub use conversations::{ConversationRow, ConversationRows};
pub use erasure::{AnonymousUsage, ErasureRows, KeptEntry, TakenUsage};
pub use messages::{
    Edge, ImportedCopy, Jump, MessageRow, MessageRows, NewText, Node, Origin, Removed, jump_below,
};
pub use reads::{Figures, MessageReads};
pub use search::SearchRows;
pub use user_data::UserDataRows;

use crate::utils::database::DatabaseError;

/// What every method answers.
pub type RowsResult<T> = Result<T, DatabaseError>;

/// All of them, in one transaction.
pub trait Rows:
    ConversationRows
    + BranchRows
    + MessageRows
    + MessageReads
    + AnswerRows
    + AccountRows
    + ErasureRows
    + UserDataRows
    + SearchRows
    + Send
{
}

impl<T> Rows for T where
    T: ConversationRows
        + BranchRows
        + MessageRows
        + MessageReads
        + AnswerRows
        + AccountRows
        + ErasureRows
        + UserDataRows
        + SearchRows
        + Send
{
}
