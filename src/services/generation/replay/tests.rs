//! What the logs promise their readers and their budget.

use std::sync::Arc;

use proptest::prelude::*;

use super::log::PASSING_HIGH_WATER;
use super::{CopyQueue, Read, ReplayBudget, ReplayLog};
use crate::models::ids::StreamId;

fn log(keeps: bool, limit: usize) -> (ReplayLog, Arc<ReplayBudget>) {
    let budget = Arc::new(ReplayBudget::new(limit));
    (ReplayLog::new(keeps, budget.clone()), budget)
}

fn text(read: Read) -> String {
    match read {
        Read::Events(bytes, _) => String::from_utf8_lossy(&bytes).into_owned(),
        other => format!("{other:?}"),
    }
}

#[test]
fn reads_from_anywhere_and_ends() {
    let (log, _) = log(true, 1 << 20);
    log.append(b"a");
    log.append(b"b");
    assert_eq!(text(log.read(1)), "id: 1\ndata: a\n\nid: 2\ndata: b\n\n");
    assert_eq!(text(log.read(2)), "id: 2\ndata: b\n\n");
    assert!(matches!(log.read(3), Read::Pending));
    log.end(b"[DONE]");
    log.append(b"too late");
    assert_eq!(text(log.read(3)), "id: 3\ndata: [DONE]\n\n");
    assert!(matches!(log.read(4), Read::End));
    assert_eq!(
        text(log.read(99)),
        "id: 3\ndata: [DONE]\n\n",
        "from the future of an ended answer"
    );
}

#[test]
fn gives_back_what_it_held() {
    let (log, budget) = log(true, 100);
    for n in 0..200 {
        log.append(format!("{n}").as_bytes());
    }
    assert!(budget.is_exceeded());
    assert!(log.trim());
    assert!(matches!(log.read(1), Read::Lost));
    assert!(text(log.read(150)).contains("id: 150\ndata: 149\n"));
    assert_eq!(budget.used(), log.bytes());
    log.end(b"[DONE]");
    assert_eq!(budget.used(), log.bytes());
    log.clear();
    assert_eq!(budget.used(), log.bytes());
    assert!(matches!(log.read(200), Read::Lost));
    drop(log);
    assert_eq!(budget.used(), 0);
}

#[test]
fn whoever_kept_up_loses_nothing() {
    let (log, _) = log(true, 100);
    log.append(b"a");
    log.append(b"b");
    assert!(log.trim());
    assert!(matches!(log.read(1), Read::Lost));
    assert_eq!(text(log.read(2)), "id: 2\ndata: b\n\n");
    assert!(!log.trim(), "the newest stays");
    log.append(b"c");
    assert_eq!(text(log.read(2)), "id: 2\ndata: b\n\nid: 3\ndata: c\n\n");
}

#[test]
fn an_event_counts_with_all_that_it_takes() {
    let (log, budget) = log(true, 1 << 30);
    let before = budget.used();
    log.append(&[b'x'; 100_000]);
    assert!(
        budget.used() - before > 300_000,
        "packed, as the newest, and to be compared with the next: {}",
        budget.used()
    );
    log.end(b"[DONE]");
    assert!(budget.used() - before < 101_000, "{}", budget.used());
}

#[tokio::test]
async fn a_passing_log_forgets_and_holds_up_its_writer() {
    let (log, budget) = log(false, 1 << 30);
    log.append(&vec![b'x'; PASSING_HIGH_WATER]);
    let wait = tokio::time::timeout(std::time::Duration::from_millis(5), log.room());
    assert!(wait.await.is_err(), "the writer waits");
    assert!(text(log.read(1)).starts_with("id: 1"));
    log.room().await;
    assert!(matches!(log.read(1), Read::Lost));
    assert_eq!(budget.used(), 0, "it has a bound of its own");
}

fn copied(queue: &Arc<CopyQueue>) -> ReplayLog {
    let name = StreamId(uuid::Uuid::nil());
    ReplayLog::copied(name, queue.clone(), Arc::new(ReplayBudget::new(1 << 20)))
}

#[test]
fn readers_see_what_is_copied() {
    let queue = Arc::new(CopyQueue::default());
    queue.open();
    let log = copied(&queue);
    log.append(b"a");
    log.append(b"b");
    assert_eq!(queue.take_now().len(), 1, "it is queued once");
    assert!(matches!(log.read(1), Read::Pending));
    let first = log.uncopied(1).expect("it is copied");
    assert_eq!((first.first, first.events.len(), first.ends), (1, 1, false));
    log.end(b"[DONE]");
    assert_eq!(queue.take_now().len(), 1, "there is more since");
    log.has_copied(first.next());
    assert!(!log.needs_turn(), "it has one");
    assert_eq!(text(log.read(1)), "id: 1\ndata: a\n\n");
    assert!(!log.has_ended());
    let rest = log.uncopied(1 << 20).expect("it is copied");
    assert_eq!((rest.first, rest.events.len(), rest.ends), (2, 2, true));
    log.has_copied(rest.next());
    assert!(!log.needs_turn(), "there is no more");
    assert!(log.has_ended());
    assert!(text(log.read(2)).ends_with("data: [DONE]\n\n"));
}

#[test]
fn a_log_with_more_than_an_exchange_takes_has_one_more_turn() {
    let queue = Arc::new(CopyQueue::default());
    queue.open();
    let log = copied(&queue);
    for _ in 0..8 {
        log.append(b"a");
    }
    assert_eq!(queue.take_now().len(), 1);
    let first = log.uncopied(1).expect("it is copied");
    log.has_copied(first.next());
    assert!(log.needs_turn(), "seven are left");
    assert!(!log.needs_turn(), "it has one");
    log.append(b"a");
    assert_eq!(queue.take_now(), [], "and no other");
}

#[test]
fn nobody_waits_while_the_queue_is_closed() {
    let queue = Arc::new(CopyQueue::default());
    let log = copied(&queue);
    log.append(b"a");
    assert!(text(log.read(1)).contains("a"));
    queue.open();
    log.append(b"b");
    assert!(matches!(log.read(2), Read::Pending));
    queue.close();
    log.show_all();
    assert!(text(log.read(2)).contains("b"));
    assert_eq!(queue.take_now(), []);
    assert_eq!(log.uncopied(1 << 20).expect("it is copied").events.len(), 2);
}

#[test]
fn a_copy_that_lost_events_is_made_again() {
    let queue = Arc::new(CopyQueue::default());
    queue.open();
    let log = copied(&queue);
    for _ in 0..4 {
        log.append(b"a");
    }
    log.has_copied(log.uncopied(1 << 20).expect("it is copied").next());
    log.has_copied(1);
    assert!(log.needs_turn(), "the copy is empty");
    assert_eq!(log.uncopied(1 << 20).expect("all of it").events.len(), 4);
    assert!(matches!(log.read(5), Read::Pending), "what was shown stays so");
    log.has_copied(1);
    assert!(log.trim());
    assert_eq!(
        log.uncopied(1 << 20),
        None,
        "what would be copied is not there any more"
    );
    assert!(log.stop_copying());
    assert!(!log.stop_copying());
}

proptest! {
    #[test]
    fn any_cut_of_the_reading_gives_the_same_bytes(
        payloads in prop::collection::vec("[a-z]{0,200}", 1..60),
        reads in prop::collection::vec(0_usize..60, 0..30),
    ) {
        let (log, _) = log(true, 1 << 30);
        let (mut seen, mut next, mut written) = (String::new(), 1, 0);
        for steps in reads {
            for payload in payloads.iter().skip(written).take(steps) {
                log.append(payload.as_bytes());
                written += 1;
            }
            while let Read::Events(bytes, after) = log.read(next) {
                seen.push_str(&String::from_utf8_lossy(&bytes));
                next = after;
            }
        }
        let expected: String =
            payloads.iter().take(written).enumerate().map(|(n, p)| format!("id: {}\ndata: {p}\n\n", n + 1)).collect();
        prop_assert_eq!(seen, expected);
    }
}
