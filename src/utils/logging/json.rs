//! One event as one line of flat JSON, written by hand into a buffer that is used again.

use std::cell::RefCell;
use std::error::Error;
use std::fmt::{self, Write as _};
use std::io::Write as _;

use chrono::SecondsFormat;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::{Context, Layer};
use tracing_subscriber::registry::LookupSpan;

use super::bounded::Bounded;
use super::context::{CONTEXT_FIELDS, context_index, visit_context};
use super::error_chain;
use crate::utils::clock::Clock;

/// A buffer that grew past this is given back after its line.
const MAX_KEPT_BYTES: usize = 16 * 1024;

/// Names that belong to the line itself. A field of the same name gets an underscore in front.
const LINE_FIELDS: [&str; 3] = ["timestamp", "level", "target"];

thread_local! {
    static BUFFER: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Writes each event to a writer.
pub struct JsonLayer<W> {
    writer: W,
    clock: Clock,
}

impl<W> JsonLayer<W> {
    pub const fn new(writer: W, clock: Clock) -> Self {
        Self { writer, clock }
    }
}

impl<S, W> Layer<S> for JsonLayer<W>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'a> MakeWriter<'a> + 'static,
{
    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        BUFFER.with(|buffer| {
            // A value whose `Debug` logs comes back here while the buffer is in use.
            let mut own = String::new();
            let mut kept = buffer.try_borrow_mut();
            let line = kept.as_deref_mut().unwrap_or(&mut own);
            line.clear();
            self.write_line(line, event, &context);
            // There is nobody left to tell that a log line could not be written.
            let _ = self
                .writer
                .make_writer_for(event.metadata())
                .write_all(line.as_bytes());
            if line.capacity() > MAX_KEPT_BYTES {
                *line = String::new();
            }
        });
    }
}

impl<W> JsonLayer<W> {
    fn write_line<S>(&self, line: &mut String, event: &Event<'_>, context: &Context<'_, S>)
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let metadata = event.metadata();
        let now = self.clock.now().to_rfc3339_opts(SecondsFormat::Millis, true);
        line.push_str("{\"timestamp\":\"");
        line.push_str(&now);
        line.push_str("\",\"level\":\"");
        line.push_str(metadata.level().as_str());
        line.push('"');
        push_pair(line, "target", metadata.target());
        let mut fields = EventFields {
            line,
            seen: [false; CONTEXT_FIELDS.len()],
        };
        event.record(&mut fields);
        let EventFields { line, seen } = fields;
        visit_context(event, context, seen, |name, value| push_pair(line, name, value));
        line.push_str("}\n");
    }
}

/// Appends the fields of an event to its line.
struct EventFields<'a> {
    line: &'a mut String,
    seen: [bool; CONTEXT_FIELDS.len()],
}

impl EventFields<'_> {
    /// Numbers and booleans are JSON as they are.
    fn push_bare(&mut self, field: &Field, value: impl fmt::Display) {
        self.push_name(field);
        self.push_text_of(value);
    }

    fn push_name(&mut self, field: &Field) {
        let name = field.name();
        if let Some(index) = context_index(name) {
            self.seen[index] = true;
        }
        let mark = if LINE_FIELDS.contains(&name) { "_" } else { "" };
        self.line.push_str(",\"");
        self.line.push_str(mark);
        push_escaped(self.line, name.strip_prefix("r#").unwrap_or(name));
        self.line.push_str("\":");
    }

    fn push_text_of(&mut self, value: impl fmt::Display) {
        // Writing to a `String` cannot fail; a failing `Display` leaves what it has written.
        let _ = write!(self.line, "{value}");
    }

    fn push_string(&mut self, field: &Field, value: fmt::Arguments<'_>) {
        self.push_name(field);
        self.line.push('"');
        let _ = Bounded::new(Escaped(self.line)).write_fmt(value);
        self.line.push('"');
    }
}

impl Visit for EventFields<'_> {
    fn record_f64(&mut self, field: &Field, value: f64) {
        if value.is_finite() {
            self.push_bare(field, value);
        } else {
            self.push_string(field, format_args!("{value}"));
        }
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.push_bare(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.push_bare(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.push_bare(field, value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.push_string(field, format_args!("{value}"));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.push_string(field, format_args!("{}", error_chain(value)));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.push_string(field, format_args!("{value:?}"));
    }
}

fn push_pair(line: &mut String, name: &str, value: &str) {
    line.push_str(",\"");
    line.push_str(name);
    line.push_str("\":\"");
    push_escaped(line, value);
    line.push('"');
}

/// Escapes on the way what a JSON string cannot hold, and what a terminal might obey.
struct Escaped<'a>(&'a mut String);

impl fmt::Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        push_escaped(self.0, text);
        Ok(())
    }
}

fn push_escaped(line: &mut String, text: &str) {
    for character in text.chars() {
        match character {
            '"' => line.push_str("\\\""),
            '\\' => line.push_str("\\\\"),
            '\n' => line.push_str("\\n"),
            '\r' => line.push_str("\\r"),
            '\t' => line.push_str("\\t"),
            // Also the line separators of Unicode, at which some readers of logs end a line.
            other if other.is_control() || matches!(other, '\u{2028}' | '\u{2029}') => {
                let _ = write!(line, "\\u{:04x}", u32::from(other));
            }
            other => line.push(other),
        }
    }
}
