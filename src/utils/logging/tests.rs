//! JSON lines as they are written.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use tracing::field::Empty;
use tracing::{info, info_span, warn};
use tracing_subscriber::fmt::MakeWriter;

use super::*;

/// A writer that keeps what it gets.
#[derive(Clone, Default)]
struct Captured(Arc<Mutex<Vec<u8>>>);

impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Captured {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl Captured {
    fn text(&self) -> String {
        let bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        String::from_utf8(bytes).expect("UTF-8")
    }

    fn lines(&self) -> Vec<Value> {
        self.text()
            .lines()
            .map(|line| serde_json::from_str(line).expect("a line of JSON"))
            .collect()
    }
}

/// What is logged at a level while the function runs.
fn captured(log_level: &str, log: impl FnOnce()) -> Captured {
    let output = Captured::default();
    let noon: DateTime<Utc> = "2026-01-02T12:00:00.5Z".parse().expect("a time");
    let subscriber =
        json_subscriber(log_level, output.clone(), Clock::from_fn(move || noon)).expect("a filter");
    tracing::subscriber::with_default(subscriber, log);
    output
}

#[test]
fn a_line_is_flat() {
    let output = captured("info", || {
        info!(target: "business_event", event = "chat_completed", tokens = 12_u64, cost_usd = 0.5, cached = false, "done {}", 1);
    });
    assert_eq!(
        output.text(),
        "{\"timestamp\":\"2026-01-02T12:00:00.500Z\",\"level\":\"INFO\",\"target\":\"business_event\",\
         \"message\":\"done 1\",\"event\":\"chat_completed\",\"tokens\":12,\"cost_usd\":0.5,\"cached\":false}\n"
    );
}

#[test]
fn spans_give_context_even_when_recorded_later() {
    let output = captured("info", || {
        let request = info_span!("request", request_id = "r1", method = %"GET", route = "/v1/x", user_id = Empty, other = 1);
        let _in_request = request.enter();
        info!("before");
        request.record("user_id", "u1");
        let inner = info_span!("inner", route = "/inner").entered();
        info!("inside");
        drop(inner);
        info!(user_id = "u2", "own");
    });
    let [before, inside, own] = &output.lines()[..] else {
        panic!("three lines")
    };
    assert_eq!(before["request_id"], "r1");
    assert_eq!(before["method"], "GET");
    assert_eq!(before.get("user_id"), None);
    assert_eq!(before.get("other"), None);
    assert_eq!(inside["user_id"], "u1");
    assert_eq!(inside["route"], "/inner");
    assert_eq!(own["user_id"], "u2");
    assert_eq!(
        output.text().matches("user_id").count(),
        2,
        "no name twice in a line"
    );
}

#[test]
fn nothing_breaks_a_line() {
    let nasty = "a\nb\r\t\"\\\u{0}\u{1b}[31m\u{85}\u{2028}é🦀";
    let output = captured("info", || {
        let _span = info_span!("request", request_id = nasty).entered();
        warn!(value = nasty, shown = %nasty, "{nasty}");
    });
    let text = output.text();
    assert_eq!(text.matches('\n').count(), 1);
    assert!(!text.trim_end().contains(char::is_control));
    let line = &output.lines()[0];
    for name in ["message", "value", "shown", "request_id"] {
        assert_eq!(line[name], nasty, "{name}");
    }
}

#[test]
fn values_are_bounded() {
    let long = "é".repeat(MAX_VALUE_BYTES);
    let output = captured("info", || {
        let _span = info_span!("request", request_id = %long).entered();
        info!(value = long, many = ?vec![7; 100_000], "{long}");
    });
    let line = &output.lines()[0];
    for name in ["message", "value", "many", "request_id"] {
        let value = line[name].as_str().expect("a text");
        assert!(value.len() <= MAX_VALUE_BYTES + '…'.len_utf8(), "{name}");
        assert!(value.ends_with('…'), "{name}");
    }
}

#[test]
fn odd_values_are_still_json() {
    let error = io::Error::other(std::fmt::Error);
    let output = captured("info", || {
        info!(
            level = "mine",
            r#type = "t",
            ratio = f64::NAN,
            big = u128::MAX,
            minus = -1_i64,
            error = &error as &dyn std::error::Error,
            "odd"
        );
    });
    let line = &output.lines()[0];
    assert_eq!(line["level"], "INFO");
    assert_eq!(line["_level"], "mine");
    assert_eq!(line["type"], "t");
    assert_eq!(line["ratio"], "NaN");
    assert_eq!(line["big"], u128::MAX.to_string());
    assert_eq!(line["minus"], json!(-1));
    assert_eq!(line["error"], error.to_string());
}

#[test]
fn levels_and_filters() {
    let log = || {
        tracing::debug!("own");
        tracing::debug!(target: "hyper", "foreign");
        info!(target: "hyper", "foreign");
    };
    assert_eq!(captured("INFO", log).lines().len(), 1);
    assert_eq!(captured("DEBUG", log).lines().len(), 2);
    assert_eq!(captured("warn", log).lines().len(), 0);
    assert_eq!(captured("hyper=debug", log).lines().len(), 2);
}

#[test]
fn readable_lines_are_bounded_too() {
    let output = Captured::default();
    let subscriber = tracing_subscriber::registry().with(readable::layer(output.clone(), false));
    tracing::subscriber::with_default(subscriber, || {
        info!(value = "x".repeat(100_000), count = 3, "hello");
    });
    let text = output.text();
    assert!(text.contains("hello") && text.contains("count=3"), "{text}");
    assert!(text.len() < MAX_VALUE_BYTES + 200);
}

#[test]
fn the_log_file_has_a_stable_name_from_wherever_it_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("logs/app.log");
    // The same place, seen from the working folder.
    let here = std::env::current_dir().expect("a working folder");
    let up: PathBuf = here.iter().skip(1).map(|_| "..").collect();
    let relative = up.join(path.strip_prefix("/").expect("an absolute path"));
    for (path, text) in [(&path, "first\n"), (&relative, "second\n")] {
        let mut file = daily_file(path).expect("a file");
        file.write_all(text.as_bytes()).expect("written");
    }
    assert_eq!(fs::read_to_string(&path).expect("the link"), "first\nsecond\n");
}

#[test]
fn an_ordinary_file_is_not_replaced() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("app.log");
    fs::write(&path, "mine").expect("a file");
    assert!(matches!(daily_file(&path), Err(LoggingError::File { .. })));
    assert_eq!(fs::read_to_string(&path).expect("the file"), "mine");
}
