use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use super::*;
use crate::models::ids::UserId;
use crate::models::message::MessageStatus;
use crate::services::billing::{AnswerUsage, UsageEvent};
use uuid::Uuid;

fn entry(n: u128) -> OutboxEntry {
    OutboxEntry::Usage(Arc::new(UsageEvent {
        id: StreamId(Uuid::from_u128(n)),
        user_id: UserId(Uuid::from_u128(7)),
        request_id: "request".into(),
        conversation_id: None,
        message_id: None,
        model: "model".into(),
        status: MessageStatus::Completed,
        streamed: true,
        usage: AnswerUsage {
            cost: crate::models::money::Money::parse_dollars("1.5e-6"),
            ..AnswerUsage::default()
        },
        attempts: Vec::new(),
        provisional: false,
        latency_ms: Some(1),
        first_token_ms: None,
        created_at: chrono::DateTime::UNIX_EPOCH,
    }))
}

fn ids(journal: &Journal) -> Vec<u128> {
    journal
        .entries()
        .iter()
        .map(|entry| entry.id().0.as_u128())
        .collect()
}

#[tokio::test]
async fn outlives_the_process_and_a_torn_line() {
    let folder = tempfile::tempdir().expect("a folder");
    let journal = Journal::open(folder.path()).expect("a journal");
    for n in 1..=3 {
        journal.append(entry(n)).await.expect("kept");
    }
    journal
        .remove(vec![StreamId(Uuid::from_u128(2))])
        .await
        .expect("removed");
    let file = folder.path().join("outbox.jsonl");
    let text = fs::read_to_string(&file).expect("text");
    fs::write(&file, &text[..text.len() - 20]).expect("cut");

    let journal = Journal::open(folder.path()).expect("a journal");
    assert_eq!(ids(&journal), [1], "the torn entry is gone");
    assert_eq!(journal.dead_letters(), 1, "but not lost");
    for file in ["outbox.jsonl", "outbox.dead"] {
        let mode = fs::metadata(folder.path().join(file))
            .expect("a file")
            .permissions();
        assert_eq!(mode.mode() & 0o777, 0o600, "{file}");
    }
    journal.append(entry(4)).await.expect("kept");
    assert_eq!(ids(&Journal::open(folder.path()).expect("a journal")), [1, 4]);
    let all = [1, 4].map(|n| StreamId(Uuid::from_u128(n)));
    journal.remove(all.to_vec()).await.expect("removed");
    assert!(!file.exists());
}

#[tokio::test]
async fn dead_letters_leave_it_and_come_back_when_asked_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("outbox.jsonl");
    fs::write(&file, "{\"answer\":\"torn\n").expect("a line that is none");
    let journal = Journal::open(folder.path()).expect("a journal");
    for n in 1..=3 {
        journal.append(entry(n)).await.expect("kept");
    }
    for n in 1..=2 {
        journal.bury(Arc::new(entry(n))).await.expect("buried");
    }
    let buried = [1, 2].map(|n| StreamId(Uuid::from_u128(n)));
    journal.remove(buried.to_vec()).await.expect("removed");
    journal.look().await.expect("a look");
    assert_eq!((ids(&journal), journal.dead_letters()), (vec![3], 3));

    let dead = DeadFile::of(folder.path());
    let shown: Vec<_> = dead.letters().expect("a list").iter().map(|l| l.entry).collect();
    let readable = |n: usize| Some((buried[n], DateTime::UNIX_EPOCH));
    assert_eq!(shown, [None, readable(0), readable(1)]);
    assert_eq!(dead.retry().expect("a new name"), 3);
    assert_eq!(dead.retry().expect("nothing to do"), 0);
    journal.look().await.expect("a look");
    assert_eq!((ids(&journal), journal.dead_letters()), (vec![3, 1, 2], 1));
    let journal = Journal::open(folder.path()).expect("a journal");
    assert_eq!((ids(&journal), journal.dead_letters()), (vec![3, 1, 2], 1));
}

#[tokio::test]
async fn what_is_tried_again_is_never_overwritten() {
    let folder = tempfile::tempdir().expect("a folder");
    let (dead, retried) = (DeadFile::of(folder.path()), folder.path().join("outbox.retry"));
    fs::write(&retried, "of the last time\n").expect("a file");
    fs::write(dead.path(), "new\n").expect("a file");
    let refused = dead.retry().expect_err("the last ones wait");
    assert_eq!(refused.kind(), io::ErrorKind::AlreadyExists);
    Journal::open(folder.path()).expect("a journal");
    assert!(!retried.exists());
    assert_eq!(dead.count().expect("a count"), 2);
}
