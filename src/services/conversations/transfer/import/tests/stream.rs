//! The file as a whole: formats told apart, problems of one conversation, memory.

use std::cell::Cell;
use std::io::{self, Read};
use std::ops::ControlFlow;

use super::super::{ImportError, ImportProblem, ImportSummary, check_syntax, read};

type Found = Vec<Result<String, ImportProblem>>;

/// The sources of the conversations of a file.
fn sources(file: &str) -> Result<(Found, ImportSummary), ImportError> {
    let mut found = Vec::new();
    let summary = read(file.as_bytes(), |result| {
        found.push(result.map(|conversation| conversation.source));
        ControlFlow::Continue(())
    })?;
    Ok((found, summary))
}

const CHATGPT: &str = r#"{"id":"c-1","mapping":{}}"#;

const OWN: &str = r#"{"format":"ai-chat-orchestrator","version":1,
    "conversation":{"id":"00000000-0000-0000-0000-000000000010"},"messages":[],
    "branches":[{"id":"00000000-0000-0000-0000-000000000020","name":"Main","is_main":true}]}"#;

#[test]
fn tells_formats_apart() {
    let ours = "export:00000000-0000-0000-0000-000000000010";
    for (file, expected) in [
        (CHATGPT.to_owned(), vec!["chatgpt:c-1"]),
        (OWN.to_owned(), vec![ours]),
        (
            format!("[{CHATGPT},{OWN},{CHATGPT}]"),
            vec!["chatgpt:c-1", ours, "chatgpt:c-1"],
        ),
        ("[]".to_owned(), vec![]),
    ] {
        check_syntax(file.as_bytes()).expect("valid");
        let (found, summary) = sources(&file).expect("readable");
        let found: Vec<_> = found
            .into_iter()
            .map(|result| result.expect("a conversation"))
            .collect();
        assert_eq!(found, expected);
        assert_eq!((summary.conversations, summary.problems), (expected.len(), 0));
    }
}

#[test]
fn a_problem_of_one_leaves_the_others_alone() {
    let nameless = r#"{"mapping":{}}"#;
    let misshapen = r#"{"id":"c-2","mapping":{"a":{"message":"no object"}}}"#;
    let file = format!("[17, {{}}, {nameless}, {misshapen}, {CHATGPT}]");
    check_syntax(file.as_bytes()).expect("valid");
    let (found, summary) = sources(&file).expect("readable");
    assert_eq!((summary.conversations, summary.problems), (1, 4));
    let problem = |index: usize| found[index].as_ref().expect_err("a problem");
    assert_eq!(problem(0).message, "it is not an object");
    assert!(
        problem(1).message.contains("neither an export"),
        "{:?}",
        problem(1)
    );
    assert!(
        problem(2).message.contains("`conversation_id`"),
        "{:?}",
        problem(2)
    );
    assert_eq!(
        (problem(3).index, problem(3).source.as_deref()),
        (3, Some("chatgpt:c-2"))
    );
    assert!(
        problem(3).message.contains("`mapping.a.message`"),
        "{:?}",
        problem(3)
    );
}

#[test]
fn tells_where_a_file_is_malformed() {
    let error = check_syntax("[{\"a\":1},\n {\"b\" 2}]".as_bytes()).expect_err("malformed");
    let ImportError::Syntax { line, column, .. } = &error else {
        panic!("{error}");
    };
    assert_eq!((*line, *column), (2, 7));
    assert!(matches!(
        check_syntax("[{}".as_bytes()),
        Err(ImportError::Syntax { .. })
    ));
    assert!(check_syntax("{} {}".as_bytes()).is_err(), "one value only");
    assert!(check_syntax("".as_bytes()).is_err());
    check_syntax("\u{FEFF}{}".as_bytes()).expect("a byte order mark is no error");
    assert!(matches!(sources("3"), Err(ImportError::NotConversations)));
}

#[test]
fn bears_any_nesting() {
    let nested = |depth: usize| {
        format!(
            r#"{{"id":"c","x":{}{},"mapping":{{}}}}"#,
            "[".repeat(depth),
            "]".repeat(depth)
        )
    };
    check_syntax(nested(5_000).as_bytes()).expect("valid");
    assert!(sources(&nested(5_000)).expect("readable").0[0].is_ok());
    assert!(matches!(
        check_syntax("[".repeat(1_000_000).as_bytes()),
        Err(ImportError::Read(_))
    ));
}

#[test]
fn replaces_what_cannot_be_stored() {
    let file = r#"{"id":"c","mapping":{},"title":"a\u0000b\ud800c\ud83d\ude00"}"#;
    check_syntax(file.as_bytes()).expect("valid");
    let mut title = None;
    read(file.as_bytes(), |result| {
        title = result.expect("a conversation").title;
        ControlFlow::Continue(())
    })
    .expect("readable");
    assert_eq!(title.as_deref(), Some("a\u{FFFD}b\u{FFFD}c\u{1F600}"));
}

#[test]
fn says_what_is_not_utf8() {
    let mut problem = None;
    read(&b"[{\"title\":\"\xFF\"}]"[..], |result| {
        problem = result.err();
        ControlFlow::Continue(())
    })
    .expect("readable");
    assert_eq!(problem.expect("a problem").message, "it is not UTF-8");
}

#[test]
fn stops_when_told() {
    let mut count = 0;
    let summary = read(format!("[{CHATGPT},{CHATGPT}]").as_bytes(), |_| {
        count += 1;
        ControlFlow::Break(())
    });
    assert_eq!((count, summary.expect("readable").conversations), (1, 1));
}

/// An endless supply of the same conversation, up to a size, that counts what was taken of it.
struct Generated<'a> {
    element: String,
    rest: usize,
    taken: &'a Cell<usize>,
    place: usize,
}

impl Read for Generated<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.place == self.element.len() {
            if self.rest == 0 {
                return Ok(0);
            }
            self.rest -= 1;
            self.place = 0;
            if self.rest == 0 {
                self.element = "0]".to_owned();
            }
        }
        let text = &self.element.as_bytes()[self.place..];
        let length = text.len().min(buffer.len());
        buffer[..length].copy_from_slice(&text[..length]);
        self.place += length;
        self.taken.set(self.taken.get() + length);
        Ok(length)
    }
}

#[test]
fn hands_out_conversations_while_it_reads() {
    let text = "x".repeat(100_000);
    let element = format!(
        r#"{{"id":"c","mapping":{{"a":{{"message":{{"author":{{"role":"user"}},"content":{{"parts":["{text}"]}}}}}}}}}},"#
    );
    let size = element.len();
    let taken = Cell::new(0);
    let generated = Generated {
        element,
        rest: 500,
        taken: &taken,
        place: 0,
    };
    let file = (&b"["[..]).chain(generated);
    let mut seen = 0;
    let summary = read(file, |result| {
        if result.is_ok() {
            seen += 1;
            let ahead = taken.get() - seen * size;
            assert!(ahead <= 2 * 64 * 1024, "{ahead} bytes were read ahead");
        }
        ControlFlow::Continue(())
    });
    assert!(taken.get() > 49_000_000);
    assert_eq!(summary.expect("readable").conversations, 500);
}
