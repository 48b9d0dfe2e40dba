//! Users who go on chatting whatever happens to the servers, as frontends do behind a load balancer: each request goes
//! to the next instance, a stream that breaks off is read on elsewhere, a refusal is tried again.
//!
//! - [`chatter`]: one of them
//! - [`record`]: what was promised to them
//! - [`check`]: whether it was kept

mod chatter;
mod check;
mod record;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::time::within_limit;
use chatter::Chatter;
pub use check::Kept;
pub use record::{End, Record};

/// How long anything that is waited for may take, the time included after which a dead instance is given up.
const LIMIT: Duration = Duration::from_secs(60);

/// Load that goes on until it is [finished](Self::finish).
pub struct Load {
    record: Arc<watch::Sender<Record>>,
    stop: CancellationToken,
    chatters: TaskTracker,
}

impl Load {
    /// Starts so many users, who take turns at these instances.
    pub fn start(bases: &[String], users: usize) -> Self {
        let load = Self {
            record: Arc::default(),
            stop: CancellationToken::new(),
            chatters: TaskTracker::new(),
        };
        for number in 0..users {
            let chatter = Chatter::new(bases, number, load.record.clone());
            load.chatters.spawn(chatter.run(load.stop.clone()));
        }
        load
    }

    /// Waits until so many more answers have ended than there are now.
    pub async fn more_answers(&self, count: usize) {
        let wanted = self.record.borrow().answers() + count;
        self.until("more answers", |record| record.answers() >= wanted)
            .await;
    }

    /// Waits until so many answers are being read of which something was seen.
    pub async fn streams_open(&self, count: usize) {
        let open = |record: &Record| {
            let begun = record
                .turns()
                .filter(|turn| turn.end.is_none() && !turn.answer.is_empty());
            begun.count()
        };
        self.until("open streams", |record| open(record) >= count).await;
    }

    /// Waits until so many more requests were refused than there are now.
    pub async fn more_refusals(&self, count: usize) {
        let wanted = self.record.borrow().refusals.len() + count;
        self.until("more refusals", |record| record.refusals.len() >= wanted)
            .await;
    }

    /// How long the next so many looks at a conversation take, the longest last.
    pub async fn next_looks(&self, count: usize) -> Vec<Duration> {
        self.next("looks", count, |record| &record.looks).await
    }

    /// How long the next so many answers take to begin, the longest last.
    pub async fn next_starts(&self, count: usize) -> Vec<Duration> {
        self.next("answers to begin", count, |record| &record.starts)
            .await
    }

    async fn next(&self, what: &str, count: usize, of: fn(&Record) -> &Vec<Duration>) -> Vec<Duration> {
        let first = of(&self.record.borrow()).len();
        self.until(what, |record| of(record).len() >= first + count).await;
        let mut taken = of(&self.record.borrow())[first..].to_vec();
        taken.sort_unstable();
        taken
    }

    async fn until(&self, what: &str, reached: impl Fn(&Record) -> bool) {
        let mut record = self.record.subscribe();
        let seen = within_limit(LIMIT, what, record.wait_for(|record| reached(record))).await;
        drop(seen.expect("the record is kept"));
    }

    /// Lets every user read its last answer to the end, and tells what was promised to them.
    pub async fn finish(self) -> Record {
        self.stop.cancel();
        self.chatters.close();
        within_limit(LIMIT, "the last answers", self.chatters.wait()).await;
        self.record.send_replace(Record::default())
    }
}
