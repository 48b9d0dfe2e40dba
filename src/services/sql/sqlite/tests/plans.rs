//! No statement reads a whole table.

use super::super::{
    accounts, analytics, answers, api_keys, branches, conversations, erasure, messages, outbox, reads,
    search, texts, user_data, users,
};
use super::database;

/// What has only the rows that a statement itself has made.
const OWN_ROWS: [&str; 11] = [
    "path",
    "up",
    "subtree",
    "page",
    "candidate",
    "hit",
    "newest",
    "span",
    "known",
    "part",
    "CONSTANT ROW",
];

/// Whether a step of a plan reads a whole table. Virtual tables are the index of texts, which is asked by a term, and
/// lists of values.
fn reads_all(step: &str) -> bool {
    step.strip_prefix("SCAN ")
        .is_some_and(|what| !what.contains("VIRTUAL TABLE INDEX") && !OWN_ROWS.contains(&what))
}

#[tokio::test]
async fn every_statement_finds_its_rows_by_an_index() {
    let mut connection = database().await;
    let named = [
        accounts::STATEMENTS,
        analytics::STATEMENTS,
        answers::STATEMENTS,
        api_keys::STATEMENTS,
        branches::STATEMENTS,
        conversations::STATEMENTS,
        conversations::STATS_STATEMENTS,
        erasure::STATEMENTS,
        messages::STATEMENTS,
        outbox::STATEMENTS,
        reads::STATEMENTS,
        search::STATEMENTS,
        texts::STATEMENTS,
        user_data::STATEMENTS,
        users::STATEMENTS,
    ];
    let named = named.into_iter().flatten().map(|(_, statement)| *statement);
    for statement in named.chain(conversations::list_statements()) {
        let explain = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {statement}"));
        let plan: Vec<(i64, i64, i64, String)> = sqlx::query_as(explain)
            .fetch_all(&mut connection)
            .await
            .expect("a plan");
        let steps: Vec<String> = plan.into_iter().map(|(.., step)| step).collect();
        assert!(
            !steps.iter().any(|step| reads_all(step)),
            "{statement}: {steps:#?}"
        );
    }
}
