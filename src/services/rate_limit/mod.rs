//! How often something may be done: a user's requests, all requests of this instance, an address's failed
//! authentications.
//!
//! - [`Quota`]: how often, and how often at once; [`Decision`]: whether now; [`Standing`]: what is left
//! - [`RateLimiter`]: one quota for each key
//! - [`RequestLimits`]: the quotas that every request of a caller has to pass
//!
//! The algorithm is GCRA, the "generic cell rate algorithm": a leaky bucket whose whole state is one instant, the
//! *theoretical arrival time* at which a key will be as good as new. Nothing has to be refilled, there are no windows
//! at whose edge twice as much passes, and a key that has not been used for long needs no state.
//!
//! With Redis, users and addresses have one quota for all instances: a script decides, `gcra.lua`. While Redis is away
//! each instance decides by itself, by what it has decided itself before: nothing is counted in both places. All
//! requests of an instance are its own matter in any case.

mod bounded_states;
mod in_process;
mod limiter;
mod quota;
mod requests;
mod shared;

pub use limiter::{RateLimiter, Scope};
pub use quota::{Decision, Quota, Standing};
pub use requests::{Refusal, RequestLimits, Verdict};
