//! What the files of a server on SQLite hold of somebody who was erased: nothing, down to the bytes.

use std::collections::BTreeMap;
use std::fs;

use ai_chat_orchestrator::models::ids::UserId;
use ai_chat_orchestrator::services::conversations::search::user_key;
use memchr::memmem;
use serde_json::json;

use super::{erase, everything, key, live, named, server};
use crate::support::{Client, Store, TestServer, Tree};

/// Begins all that the user writes. Words that begin alike are stored by their ends, so these are looked for, too.
const WORD: &str = "qzvxjw";

/// How often what is looked for stands in each file.
fn traces(server: &TestServer, user: &Client) -> BTreeMap<String, usize> {
    let wanted: Vec<Vec<u8>> = vec![
        WORD.into(),
        WORD.to_uppercase().into(),
        // Begins each term and each beginning of one in the index.
        user_key(UserId(user.user)).into(),
        user.user.as_bytes().to_vec(),
        user.user.to_string().into(),
        user.user.simple().to_string().into(),
        "kjwquestion".into(),
        "wanswer".into(),
        "wmetadata".into(),
    ];
    let mut found = BTreeMap::new();
    let mut folders = vec![server.data_dir().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let bytes = fs::read(&path).expect("a file");
            for wanted in &wanted {
                let count = memmem::find_iter(&bytes, wanted).count();
                if count > 0 {
                    let name = path.file_name().expect("a name").to_string_lossy();
                    found.insert(format!("{name}: {}", String::from_utf8_lossy(wanted)), count);
                }
            }
        }
    }
    found
}

/// Words of this one, in texts of many lengths: short ones that share pages, and long ones that have pages of their own.
fn texts(word: &str) -> impl Iterator<Item = String> {
    (0..40_usize).map(move |n| {
        let words = (0..(n * n) % 700 + 1).map(|m| format!("{word}{}", (n * 31 + m * 17) % 900));
        words.collect::<Vec<_>>().join(" ")
    })
}

/// Writes conversations of both, by turns, so that they stand between each other on every page.
async fn write_by_turns(user: &Client, other: &Client) {
    let mine = [
        Tree::titled(user, &format!("{WORD}a")).await,
        Tree::titled(user, &format!("{WORD}b")).await,
    ];
    let theirs = [
        Tree::titled(other, "otheronea").await,
        Tree::titled(other, "otheroneb").await,
    ];
    for (index, (text, other)) in texts(WORD).zip(texts("otherone")).enumerate() {
        let [id] = mine[index % 2].add([("user", text.as_str())]).await;
        theirs[index % 2].add([("user", other.as_str())]).await;
        if index % 5 == 0 {
            let edit = json!({"content": format!("{text} {WORD}edited"), "create_branch": false});
            mine[index % 2]
                .patch(&format!("/messages/{id}"), &edit)
                .await
                .data(200);
        }
    }
    // What was removed before is still in the index, until that is merged.
    mine[1].delete("").await.data(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_file_holds_anything_of_who_was_erased() {
    let server = server(Store::Sqlite, "1").await;
    let (user, other) = (named(&server, WORD), named(&server, "otherone"));
    live(&server, &user, WORD).await;
    live(&server, &other, "otherone").await;
    key(&user, WORD).await;
    write_by_turns(&user, &other).await;
    let before = traces(&server, &user);
    assert!(before.len() > 8, "the test finds what is there: {before:?}");
    let of_other = everything(&other).await;

    erase(&user).await;
    assert_eq!(traces(&server, &user), BTreeMap::new());

    // And nothing of others is lost: neither rows nor what they are found by.
    assert_eq!(everything(&other).await, of_other);
    let hits = other.get("/v1/conversations/search?q=otherone17").await.data(200);
    assert!(hits["pagination"]["total"].as_u64() >= Some(1), "{hits}");
    let mut database = server.database().await;
    assert_eq!(database.integrity().await, "ok");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_process_left_is_overwritten_when_it_starts_again() {
    let machine = crate::support::Machine::on(Store::Sqlite).await;
    let mut process = machine.serve("1").await;
    let user = process.user();
    Tree::titled(&user, WORD).await;
    process.kill();
    let mut database = crate::support::Database::open(machine.data_dir()).await;
    // As if it had ended between the last removal and the overwriting.
    let unscrubbed =
        "INSERT INTO tombstones (user_hash, spend, suspended, erased_at) VALUES (x'00', 0, 0, 0)";
    database.execute(unscrubbed).await;
    let _process = machine.serve("1").await;
    crate::support::eventually("the overwriting", async || {
        (database.count("tombstones WHERE scrubbed = 0").await == 0).then_some(())
    })
    .await;
}
