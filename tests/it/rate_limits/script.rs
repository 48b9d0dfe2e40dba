//! The script in Redis, `governor` in the process and a bucket of tokens decide alike.

use std::future::Future;
use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock as _, FakeRelativeClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use proptest::collection::vec;
use proptest::prelude::*;
use redis::aio::MultiplexedConnection;
use redis::{AsyncCommands as _, Script};

use crate::support::token;

/// As the service has it.
const SCRIPT: &str = include_str!("../../../src/services/rate_limit/gcra.lua");

/// The line by which it learns the time.
const CLOCK: &str = "redis.call('TIME')";

/// Steps of time. Keys of Redis end by its own clock: with less, one could end while the test is held up.
const STEP: Duration = Duration::from_secs(5);

/// Any time after 1970, in seconds.
const START: u64 = 1_795_404_924;

/// Allowed and how many remain, or denied and for how many microseconds.
type Decision = (bool, u64);

/// A key with a quota, and the time.
struct Case {
    key: String,
    interval: Duration,
    burst: u32,
    now: Duration,
}

impl Case {
    fn new(interval_steps: u32, burst: u32) -> Self {
        Self {
            key: format!("aco:rate:test:{}", token::new_uuid()),
            interval: STEP * interval_steps,
            burst,
            now: Duration::from_secs(START),
        }
    }

    /// What the script says, given the time.
    async fn ask(&self, redis: &mut MultiplexedConnection) -> Decision {
        let script = SCRIPT.replace(CLOCK, "{ARGV[3], ARGV[4]}");
        assert_ne!(script, SCRIPT, "it asks for the time in another way");
        let script = Script::new(&script);
        let mut call = script.key(&self.key);
        call.arg(micros(self.interval)).arg(self.burst);
        call.arg(self.now.as_secs()).arg(self.now.subsec_micros());
        call.invoke_async(redis).await.expect("a decision")
    }
}

/// Tokens come in steadily and up to a number; each request takes one. Measured in the time that they take to come.
struct Bucket {
    interval: u64,
    full: u64,
    content: u64,
}

impl Bucket {
    fn of(case: &Case) -> Self {
        let interval = micros(case.interval);
        let full = interval * u64::from(case.burst);
        Self {
            interval,
            full,
            content: full,
        }
    }

    fn fill(&mut self, time: Duration) {
        self.content = self.full.min(self.content + micros(time));
    }

    fn take(&mut self) -> Decision {
        if self.content < self.interval {
            return (false, self.interval - self.content);
        }
        self.content -= self.interval;
        (true, self.content / self.interval)
    }
}

/// The limiter that the service has in the process, with a clock that stands still.
struct InProcess {
    clock: FakeRelativeClock,
    limiter: RateLimiter<NotKeyed, InMemoryState, FakeRelativeClock, StateInformationMiddleware>,
}

impl InProcess {
    fn of(case: &Case) -> Self {
        let burst = NonZeroU32::new(case.burst).expect("a burst");
        let quota = Quota::with_period(case.interval)
            .expect("an interval")
            .allow_burst(burst);
        let clock = FakeRelativeClock::default();
        Self {
            limiter: RateLimiter::new(quota, InMemoryState::default(), clock.clone()),
            clock,
        }
    }

    fn check(&self) -> Decision {
        match self.limiter.check() {
            Ok(state) => (true, state.remaining_burst_capacity().into()),
            Err(until) => (false, micros(until.wait_time_from(self.clock.now()))),
        }
    }
}

fn micros(time: Duration) -> u64 {
    time.as_micros().try_into().expect("a time of this century")
}

async fn connect() -> MultiplexedConnection {
    let client = redis::Client::open(server_url()).expect("a URL");
    let connection = client.get_multiplexed_async_connection().await;
    connection.expect("Redis")
}

#[expect(
    clippy::disallowed_methods,
    reason = "what scripts/test has started is told by the environment"
)]
fn server_url() -> String {
    std::env::var("TEST_REDIS_URL").expect("TEST_REDIS_URL: run scripts/test, which starts Redis")
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(future)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn all_three_decide_alike(interval in 1_u32..5, burst in 1_u32..6, pauses in vec(0_u32..8, 1..40)) {
        block_on(async {
            let mut redis = connect().await;
            let mut case = Case::new(interval, burst);
            let (mut bucket, in_process) = (Bucket::of(&case), InProcess::of(&case));
            for pause in pauses {
                let pause = STEP * pause;
                case.now += pause;
                bucket.fill(pause);
                in_process.clock.advance(pause);
                let expected = bucket.take();
                prop_assert_eq!(case.ask(&mut redis).await, expected);
                prop_assert_eq!(in_process.check(), expected);
            }
            Ok(())
        })?;
    }
}

#[tokio::test]
async fn a_key_is_kept_until_it_is_as_good_as_new() {
    let mut redis = connect().await;
    let case = Case::new(2, 3);
    for count in 1..=4 {
        let used = case.interval * count.min(3);
        case.ask(&mut redis).await;
        let left: i64 = redis.pttl(&case.key).await.expect("a key");
        let left = Duration::from_millis(left.try_into().expect("a key with an end"));
        assert!(left <= used && left > used - STEP, "{left:?} after {count}");
    }
}

#[tokio::test]
async fn a_clock_that_was_ahead_locks_nobody_out() {
    let mut redis = connect().await;
    let mut case = Case::new(2, 3);
    let day = Duration::from_secs(86_400);
    case.now += day;
    case.ask(&mut redis).await;
    case.now -= day;
    assert_eq!(case.ask(&mut redis).await, (false, micros(case.interval)));
}

#[tokio::test]
async fn it_goes_by_the_clock_of_redis() {
    let mut redis = connect().await;
    let case = Case::new(2, 1);
    let script = Script::new(SCRIPT);
    let mut call = script.key(&case.key);
    call.arg(micros(case.interval)).arg(case.burst);
    let allowed: Decision = call.invoke_async(&mut redis).await.expect("a decision");
    assert_eq!(allowed, (true, 0));
    let (denied, wait): Decision = call.invoke_async(&mut redis).await.expect("a decision");
    assert!(!denied && wait <= micros(case.interval) && wait > 0, "{wait}");
}
