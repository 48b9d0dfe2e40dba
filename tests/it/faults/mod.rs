//! What happens to users while the machines behind them fail: nothing that was acknowledged is lost or doubled, and every
//! answer comes to an end.

mod instance;
mod postgres;
mod redis;

use std::time::Duration;

use crate::support::{Fleet, Load, MODEL, Reply};

/// Users at a time.
const USERS: usize = 8;

/// Users whose answers take half a second each, each of whom has had one.
async fn busy(fleet: Fleet) -> (Fleet, Load) {
    let words = ["One", " two", " three", " four", " five"];
    let answer = words.into_iter().fold(Reply::stream(), |reply, word| {
        reply.text(word).pause(Duration::from_millis(100))
    });
    fleet.upstream.script(MODEL, [answer.end()]);
    let load = Load::start(&fleet.bases(), USERS);
    load.more_answers(USERS).await;
    (fleet, load)
}
