//! No statement reads a whole table of what users wrote, nor does a constraint that it has to obey.
//!
//! PostgreSQL is told to read a table from end to end only where it has no index that would do, and counts how often it
//! did. So nothing has to be known of the statements: those that random programs and their checks lead to are all there
//! are. (The statements for SQLite are looked at one by one, in a test beside them.)

use ai_chat_orchestrator::services::conversations::StoreLimits;
use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::TestRunner;

use super::databases::{TestStore, keep};
use super::program::programs;
use super::runner::run;

/// Enough for each command to have been done.
const PROGRAMS: usize = 20;

/// Within these, programs go through everything that a store can do.
const LIMITS: StoreLimits = StoreLimits {
    conversations: 10,
    branches: 12,
    messages: 80,
    context_messages: 5,
    new_user_budget: None,
};

/// Tables that grow with what users write.
const TABLES: [&str; 6] = [
    "answer_counts",
    "branches",
    "conversations",
    "generations",
    "message_texts",
    "messages",
];

#[tokio::test]
async fn postgres_finds_everything_by_an_index() {
    keep(TestStore::postgres_by_index(LIMITS), async |store| {
        let mut random = TestRunner::deterministic();
        for _ in 0..PROGRAMS {
            let program = programs().new_tree(&mut random).expect("a program").current();
            let mut log = Vec::new();
            let outcome = run(store, &program, &mut log).await;
            assert_eq!(outcome, Ok(()), "{log:#?}");
        }
        let reads = store.table_reads().await;
        for table in TABLES {
            let read = reads.iter().find(|read| read.table == table).expect("a table");
            assert!(read.by_index > 0, "{table} was not read at all");
            assert_eq!(read.whole, 0, "{table} was read from end to end");
        }
    })
    .await;
}
