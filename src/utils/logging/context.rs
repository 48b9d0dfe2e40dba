//! What the spans around an event say about it.

use std::fmt::{self, Write as _};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer};
use tracing_subscriber::registry::LookupSpan;

use super::bounded::Bounded;

/// The fields of spans that each line inside them repeats. Inner spans win over outer ones.
pub const CONTEXT_FIELDS: [&str; 5] = ["request_id", "trace_id", "method", "route", "user_id"];

/// The place of a field in [`CONTEXT_FIELDS`].
pub fn context_index(name: &str) -> Option<usize> {
    CONTEXT_FIELDS.iter().position(|known| *known == name)
}

/// The context fields that one span has, by their place in [`CONTEXT_FIELDS`].
#[derive(Debug, Default)]
struct SpanContext([Option<Box<str>>; CONTEXT_FIELDS.len()]);

impl Visit for SpanContext {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if let Some(index) = context_index(field.name()) {
            let mut text = String::new();
            if write!(Bounded::new(&mut text), "{value:?}").is_ok() {
                self.0[index] = Some(text.into_boxed_str());
            }
        }
    }
}

/// Keeps the context fields of each span beside it, so that writing a line formats nothing twice.
pub struct ContextLayer;

impl<S> Layer<S> for ContextLayer
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let mut fields = SpanContext::default();
        attributes.record(&mut fields);
        span.extensions_mut().replace(fields);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        if let Some(fields) = span.extensions_mut().get_mut::<SpanContext>() {
            values.record(fields);
        }
    }
}

/// Shows each context field of an event's spans once, the innermost value of each, without those in `seen`.
pub fn visit_context<S>(
    event: &Event<'_>,
    context: &Context<'_, S>,
    mut seen: [bool; CONTEXT_FIELDS.len()],
    mut show: impl FnMut(&'static str, &str),
) where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    for span in context.event_scope(event).into_iter().flatten() {
        let extensions = span.extensions();
        let Some(SpanContext(values)) = extensions.get() else {
            continue;
        };
        for ((name, value), seen) in CONTEXT_FIELDS.iter().zip(values).zip(&mut seen) {
            if let (Some(value), false) = (value, *seen) {
                *seen = true;
                show(name, value);
            }
        }
    }
}
