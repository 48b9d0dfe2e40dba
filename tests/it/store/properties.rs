//! Random programs leave a store as they leave its model.
//!
//! What holds after every step, and what is compared, is in [`runner`](super::runner); the invariants of a tree (no
//! orphan, no cycle, every head on its path, one main branch, an active one that is there, counts that are those of what
//! is there) hold in the model by construction or are asserted there, and a store has to show the same.
//!
//! `PROPTEST_CASES` is the number of programs for each store.

use std::any::Any;
use std::panic::AssertUnwindSafe;

use ai_chat_orchestrator::services::conversations::StoreLimits;
use futures_util::FutureExt as _;
use proptest::test_runner::{Config, TestCaseError, TestError, TestRunner};
use tokio::runtime::Runtime;

use super::databases::TestStore;
use super::program::programs;
use super::runner::run;
use crate::support::within;

/// Programs unless `PROPTEST_CASES` says otherwise: a few seconds for each store.
const CASES: &str = "60";

/// Smaller programs that are tried when one has failed.
const MAX_SHRINK_STEPS: u32 = 3_000;

/// So few that programs reach them.
const LIMITS: StoreLimits = StoreLimits {
    conversations: 5,
    branches: 6,
    messages: 40,
    context_messages: 5,
    new_user_budget: None,
};

#[test]
fn sqlite_does_what_the_model_does() {
    check(TestStore::sqlite(LIMITS));
}

#[test]
fn postgres_does_what_the_model_does() {
    check(TestStore::postgres(LIMITS));
}

/// Runs programs on one store, each with users of its own.
fn check(store: impl Future<Output = TestStore>) {
    let runtime = Runtime::new().expect("a runtime");
    let store = runtime.block_on(store);
    // A counter-example becomes a test of the contract, rather than a file of seeds.
    let config = Config {
        cases: cases(),
        failure_persistence: None,
        max_shrink_iters: MAX_SHRINK_STEPS,
        ..Config::default()
    };
    let outcome = TestRunner::new(config).run(&programs(), |program| {
        let mut log = Vec::new();
        let run = AssertUnwindSafe(run(&store, &program, &mut log)).catch_unwind();
        let outcome = runtime.block_on(within("a program's end", run));
        let outcome = outcome.unwrap_or_else(|panic| Err(format!("a panic: {}", told_by(&*panic))));
        outcome.map_err(|problem| TestCaseError::fail(format!("{}\n{problem}", log.join("\n"))))
    });
    runtime.block_on(store.close());
    match outcome {
        Ok(()) => {}
        Err(TestError::Fail(reason, _)) => panic!("the store and its model disagree:\n{reason}"),
        Err(TestError::Abort(reason)) => panic!("{reason}"),
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "proptest's own variable, with another default"
)]
pub fn cases() -> u32 {
    let cases = std::env::var("PROPTEST_CASES");
    let cases = cases.as_deref().unwrap_or(CASES);
    cases.parse().expect("PROPTEST_CASES: a number of programs")
}

/// The message of a panic.
fn told_by(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or_default()
}
