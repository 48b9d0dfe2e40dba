//! Money: what users may spend, what answers cost, and the ledger.
//!
//! - [`Account`]: what a user may spend, has spent and has reserved
//! - [`HoldTerms`]: what an answer may cost, decided before a model is asked; [`InputSize`] is what its input is estimated
//!   from, by the [`PriceList`]; [`Hold`] is what was held back
//! - [`UsageEvent`]: what an answer really used, entered into the [`UsageLedger`]
//! - [`AccountRecords`]: where accounts are kept; [`Billing`] is what others ask
//!
//! Before a model is asked, what the answer costs at worst is held back, in the transaction that stores the question. In
//! the one that stores the answer, its cost is charged and what was held back is released. So there is no moment at which
//! the sum of what is spent and what is being spent passes the budget, however many ask at once, at whatever instances; and
//! whoever dies in between leaves a reservation whose stream nobody produces, which is looked for and settled.

mod account;
mod error;
mod input;
mod price_list;
mod records;
mod reservation;
mod service;
mod standing;
mod terms;
mod unbounded;
mod usage;

pub use account::{Account, Insufficient, Need};
pub use error::{AccountError, HoldError, Refusal};
pub use input::InputSize;
pub use price_list::{PriceList, Rates, image_tokens};
pub use records::{AccountChange, AccountRecords, NewEntry, UsageTotal};
pub use reservation::{Hold, Orphan, Reservation};
pub use service::{Billing, BillingParts, BillingSettings, OpenHold, Wish};
pub use terms::HoldTerms;
pub use unbounded::{has_tools_of_servers, unbounded_by};
pub use usage::{AnswerUsage, BYTES_PER_TOKEN, UsageEvent, UsageLedger};
