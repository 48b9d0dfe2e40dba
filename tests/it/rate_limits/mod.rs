//! How often a user may come, and an address that fails to authenticate: in one instance, and in several that share a
//! Redis.

mod requests;
mod script;
mod shared;

use crate::support::Answer;

const ROUTE: &str = "/v1/conversations";

/// Three requests at once for a user, one more after a minute: slower than any test.
const SLOW: [(&str, &str); 3] = [
    ("RATE_LIMIT_ENABLED", "true"),
    ("USER_RATE_LIMIT_PER_MINUTE", "1"),
    ("USER_RATE_LIMIT_BURST", "3"),
];

/// Limit, remaining and reset.
fn standing(answer: &Answer) -> [&str; 3] {
    ["x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"].map(|name| answer.header(name))
}
