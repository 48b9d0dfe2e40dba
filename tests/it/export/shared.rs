//! What branches share is written once.

use serde_json::{Value, json};

use super::export;
use crate::support::client::text;
use crate::support::{Store, TestServer, Tree, on_each_store};

on_each_store!(
    a_branch_that_was_merged_by_moving_the_head_is_written_once,
    a_branch_without_messages_of_its_own_repeats_nothing,
    the_longest_of_several_branches_is_the_example,
    what_is_on_no_earlier_branch_is_written,
    long_paths_are_whole,
);

/// What the sections of the document say, and the lines that tell where branches begin and end.
async fn markdown(conversation: &Tree) -> Vec<String> {
    let file = export(conversation, "?format=markdown").await.text();
    let is_heading = |line: &&str| line.starts_with('#') || line.contains(" · message ");
    let lines = file.lines().skip(1).filter(|line| !is_heading(line));
    let said = lines.filter(|line| !line.is_empty() && !line.contains("Exported: "));
    said.map(str::to_owned).collect()
}

/// What the messages of each line say.
async fn examples(conversation: &Tree) -> Vec<Vec<String>> {
    let file = export(conversation, "?format=jsonl").await.text();
    let example = |line| {
        let line: Value = serde_json::from_str(line).expect("a line of JSON");
        let messages = line["messages"].as_array().expect("messages");
        messages.iter().map(|message| text(&message["content"])).collect()
    };
    file.lines().map(example).collect()
}

async fn a_branch_that_was_merged_by_moving_the_head_is_written_once(store: Store) {
    let server = TestServer::on(store).await;
    let conversation = Tree::new(&server).await;
    let [_, answer] = conversation
        .add([("user", "Rivers?"), ("assistant", "Many.")])
        .await;
    let lakes = conversation.fork(&answer).await;
    let [_, head] = conversation
        .add([("user", "Lakes?"), ("assistant", "Some.")])
        .await;
    let merged = conversation
        .post(&format!("/branches/{lakes}/merge"), &json!({}))
        .await;
    assert_eq!(merged.data(200)["fast_forward"], true);

    let all = ["Rivers?", "Many.", "Lakes?", "Some."];
    let end = format!("*Ends at message {head}, which is above.*");
    let document = markdown(&conversation).await;
    assert_eq!(document, [&all[..], &[end.as_str()]].concat());
    assert_eq!(examples(&conversation).await, [all]);

    // Later, each goes its own way.
    conversation
        .post(&format!("/branches/{lakes}/activate"), &json!({}))
        .await
        .data(200);
    conversation.add([("user", "Seas?"), ("assistant", "Few.")]).await;
    let fork = format!("*Forks after message {head}.*");
    let document = markdown(&conversation).await;
    assert_eq!(document, [&all[..], &[fork.as_str(), "Seas?", "Few."]].concat());
    assert_eq!(
        examples(&conversation).await,
        [[&all[..], &["Seas?", "Few."]].concat()],
        "the main branch is where this one begins"
    );
}

async fn a_branch_without_messages_of_its_own_repeats_nothing(store: Store) {
    let server = TestServer::on(store).await;
    let conversation = Tree::new(&server).await;
    let all = ["Rivers?", "Many.", "Lakes?", "Some."];
    let [_, answer, _, head] = conversation
        .add([
            ("user", all[0]),
            ("assistant", all[1]),
            ("user", all[2]),
            ("assistant", all[3]),
        ])
        .await;
    for fork in [&answer, &head] {
        conversation.fork(fork).await;
    }
    let ends = [&answer, &head].map(|id| format!("*Ends at message {id}, which is above.*"));
    let document = markdown(&conversation).await;
    assert_eq!(document, [&all[..], &[&ends[0], &ends[1]]].concat());
    assert_eq!(examples(&conversation).await, [all]);
}

async fn the_longest_of_several_branches_is_the_example(store: Store) {
    let server = TestServer::on(store).await;
    let conversation = Tree::new(&server).await;
    let [_, answer, _] = conversation
        .add([
            ("user", "Rivers?"),
            ("assistant", "Many."),
            ("user", "Unanswered?"),
        ])
        .await;
    conversation.add_after(&answer, "user", "Unanswered, too?").await;
    let shared = ["Rivers?", "Many."];
    assert_eq!(examples(&conversation).await, [shared], "all end at one answer");
    conversation.add_after(&answer, "user", "Lakes?").await;
    conversation.add([("assistant", "Some.")]).await;
    assert_eq!(
        examples(&conversation).await,
        [[&shared[..], &["Lakes?", "Some."]].concat()]
    );
}

async fn long_paths_are_whole(store: Store) {
    let server = TestServer::on(store).await;
    let conversation = Tree::new(&server).await;
    let mut main = Vec::new();
    let mut fork = String::new();
    for n in 0..45 {
        let [_, answer] = conversation
            .add([("user", &format!("{n}?")), ("assistant", &format!("{n}!"))])
            .await;
        main.extend([format!("{n}?"), format!("{n}!")]);
        if n == 18 {
            fork = answer;
        }
    }
    let branch = ["Rivers?", "Many."].map(str::to_owned);
    conversation.add_after(&fork, "user", &branch[0]).await;
    conversation.add([("assistant", &branch[1])]).await;
    let place = [format!("*Forks after message {fork}.*")];
    assert_eq!(
        markdown(&conversation).await,
        [&main[..], &place, &branch].concat()
    );
    let path = [&main[..38], &branch].concat();
    assert_eq!(examples(&conversation).await, [main, path]);
}

async fn what_is_on_no_earlier_branch_is_written(store: Store) {
    let server = TestServer::on(store).await;
    let conversation = Tree::new(&server).await;
    let [_, answer] = conversation
        .add([("user", "Rivers?"), ("assistant", "Many.")])
        .await;
    let middle = conversation.fork(&answer).await;
    let [question, ..] = conversation
        .add([("user", "Lakes?"), ("assistant", "Some.")])
        .await;
    conversation.add_after(&question, "assistant", "None.").await;
    let gone = conversation.delete(&format!("/branches/{middle}")).await;
    assert_eq!(gone.data(200)["deleted_message_count"], 1);
    let fork = format!("*Forks after message {answer}.*");
    assert_eq!(
        markdown(&conversation).await,
        ["Rivers?", "Many.", &fork, "Lakes?", "None."]
    );
}
