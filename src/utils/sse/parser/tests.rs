use bytes::BytesMut;
use eventsource_stream::Eventsource as _;
use futures_util::{StreamExt as _, stream};
use proptest::prelude::*;

use super::*;
use crate::utils::sse::write_frame;

/// All events of a stream that arrives in these pieces.
fn events<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<Vec<u8>> {
    let mut parser = SseParser::new();
    let mut events = Vec::new();
    for piece in pieces {
        parser.push(piece);
        while let Some(event) = parser.next_event().expect("no event is too large") {
            events.push(event.to_vec());
        }
    }
    events
}

fn texts(stream: &[u8]) -> Vec<String> {
    events([stream])
        .into_iter()
        .map(|event| String::from_utf8(event).expect("text"))
        .collect()
}

#[test]
fn reads_every_framing() {
    for (stream, expected) in [
        ("data: a\n\ndata: b\n\n", vec!["a", "b"]),
        ("data: a\r\n\r\ndata: b\r\n\r\n", vec!["a", "b"]),
        ("data: a\r\rdata: b\r\r", vec!["a", "b"]),
        ("data: a\r\n\ndata: b\n\r\n", vec!["a", "b"]),
        ("data:a\n\ndata:  b\n\n", vec!["a", " b"]),
        ("data: a\ndata: b\ndata:\ndata\n\n", vec!["a\nb\n\n"]),
        ("data: a\n: in between\ndata: b\n\n", vec!["a\nb"]),
        ("data\n\n", vec![""]),
        (": ping\n\n: ping\ndata: a\n\n", vec!["a"]),
        ("event: x\nid: 1\nretry: 5\ndata: a\n\n", vec!["a"]),
        ("event: x\n\ndata: a\n\n", vec!["a"]),
        ("datas: no\ndat: no\n data: no\nDATA: no\ndata: a\n\n", vec!["a"]),
        ("\u{feff}data: a\n\ndata: \u{feff}b\n\n", vec!["a", "\u{feff}b"]),
        ("\n\n\r\n\rdata: a\n\n", vec!["a"]),
        ("data: a\n\ndata: not ended\n", vec!["a"]),
        ("", vec![]),
    ] {
        assert_eq!(texts(stream.as_bytes()), expected, "{stream:?}");
    }
}

#[test]
fn an_event_is_given_at_once_even_if_its_carriage_return_may_get_a_line_feed() {
    let mut parser = SseParser::new();
    parser.push(b"data: a\r\n\r");
    assert_eq!(parser.next_event(), Ok(Some(Bytes::from_static(b"a"))));
    parser.push(b"\ndata: b\r\n\r\n");
    assert_eq!(parser.next_event(), Ok(Some(Bytes::from_static(b"b"))));
    assert_eq!(parser.next_event(), Ok(None));
}

#[test]
fn one_data_line_is_not_copied() {
    let mut parser = SseParser::new();
    parser.push(b"data: abc\n\n");
    let buffer = parser.buffer.as_ptr() as usize;
    let event = parser.next_event().expect("small").expect("an event");
    assert_eq!(event.as_ptr() as usize, buffer + "data: ".len());
}

#[test]
fn an_event_over_the_limit_is_an_error_for_good() {
    let mut largest = b"data: ".to_vec();
    largest.resize(MAX_EVENT_BYTES - 1, b'x');
    let mut parser = SseParser::new();
    parser.push(&largest);
    assert_eq!(parser.next_event(), Ok(None));
    parser.push(b"\n\n");
    let event = parser.next_event().expect("just fits").expect("an event");
    assert_eq!(event.len(), largest.len() - "data: ".len());

    parser.push(&largest);
    parser.push(b"xx");
    assert_eq!(parser.next_event(), Err(SseError::TooLarge));
    parser.push(b"\n\ndata: a\n\n");
    assert_eq!(parser.next_event(), Err(SseError::TooLarge));
}

#[test]
fn the_limit_holds_for_many_short_lines_and_not_for_comments() {
    let line = [b"data: ".as_slice(), &[b'x'; 1024 * 1024], b"\n"].concat();
    let mut parser = SseParser::new();
    for _ in 0..7 {
        parser.push(&line);
        assert_eq!(parser.next_event(), Ok(None));
    }
    parser.push(&line);
    assert_eq!(parser.next_event(), Err(SseError::TooLarge));

    let comment = [b": ".as_slice(), &[b'x'; 1024 * 1024], b"\n"].concat();
    let mut parser = SseParser::new();
    for _ in 0..20 {
        parser.push(&comment);
        assert_eq!(parser.next_event(), Ok(None));
    }
}

/// Lines as upstreams send them, and some that they should not.
fn line() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "data: ?[a-z{}\":ü🙂 ]{0,12}",
        1 => Just(String::new()),
        1 => ": ?[a-z]{0,5}",
        1 => "(event|id|retry|data|other)(: ?[a-z0-9]{0,3})?",
    ]
}

fn stream_of(line_end: impl Strategy<Value = &'static str>) -> impl Strategy<Value = String> {
    prop::collection::vec((line(), line_end), 0..24).prop_map(|lines| {
        lines
            .into_iter()
            .flat_map(|(line, end)| [line, end.to_owned()])
            .collect()
    })
}

proptest! {
    #[test]
    fn any_cut_gives_the_same_events(
        mark in prop::bool::ANY,
        text in stream_of(prop::sample::select(vec!["\n", "\r\n", "\r", "\n\n", "\r\n\r\n", "\r\r"])),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
    ) {
        let stream = [if mark { "\u{feff}" } else { "" }, &text].concat().into_bytes();
        let mut places: Vec<_> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
        places.extend([0, stream.len()]);
        places.sort_unstable();
        let pieces = places.windows(2).map(|pair| &stream[pair[0]..pair[1]]);
        let whole = events([stream.as_slice()]);
        prop_assert_eq!(&events(pieces), &whole);
        prop_assert_eq!(&events(stream.chunks(1)), &whole);
    }

    #[test]
    fn agrees_with_another_parser(
        text in stream_of(prop::sample::select(vec!["\n", "\r\n", "\n\n", "\r\n\r\n"])),
    ) {
        let source = stream::iter([Ok::<_, std::io::Error>(text.clone().into_bytes())]);
        let theirs: Vec<_> = futures_util::FutureExt::now_or_never(
            source.eventsource().map(|event| event.expect("an event").data).collect(),
        )
        .expect("nothing to wait for");
        prop_assert_eq!(texts(text.as_bytes()), theirs);
    }

    #[test]
    fn reads_back_what_is_written(payloads in prop::collection::vec("[a-zü \n]{0,20}", 0..6)) {
        let mut out = BytesMut::new();
        for (id, payload) in (0..).zip(&payloads) {
            write_frame(&mut out, id, payload.as_bytes());
        }
        prop_assert_eq!(texts(&out), payloads);
    }
}
