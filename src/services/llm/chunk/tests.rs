use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::models::money::Money;

fn parse(json: &str) -> Chunk<'_> {
    Chunk::parse(json.as_bytes()).expect("a chunk")
}

fn usage(fields: &str) -> Usage {
    let json = format!(r#"{{"choices":[],"usage":{{{fields}}}}}"#);
    parse(&json).usage.expect("usage")
}

#[test]
fn reads_what_litellm_sends() {
    let chunk = parse(
        r#"{"id":"chatcmpl-5707","object":"chat.completion.chunk","created":1795404924,"model":"gpt-4o-mini","choices":[{"index":0,"delta":{"role":"assistant","content":"Hel"}}]}"#,
    );
    assert_eq!(chunk.id.as_deref(), Some("chatcmpl-5707"));
    let choice = &chunk.choices[0];
    assert_eq!(choice.delta.role.as_deref(), Some("assistant"));
    assert_eq!(choice.delta.content.as_deref(), Some("Hel"));
    assert!(choice.finish_reason.is_none() && chunk.usage.is_none() && chunk.error.is_none());

    let chunk = parse(
        r#"{"id":"c","created":1,"choices":[{"index":0,"delta":{}}],"usage":{"completion_tokens":27,"prompt_tokens":8,"total_tokens":35,"completion_tokens_details":{"reasoning_tokens":0},"cost":0.0000174}}"#,
    );
    assert!(is_usage_only(&chunk));
    assert_eq!(
        chunk.usage,
        Some(Usage {
            prompt_tokens: Some(8),
            completion_tokens: Some(27),
            total_tokens: Some(35),
            cached_tokens: None,
            reasoning_tokens: Some(0),
            cost: Some(Money::from_nano(17_400)),
        })
    );
}

#[test]
fn reads_what_llama_cpp_sends() {
    let chunk = parse(
        r#"{"choices":[{"finish_reason":null,"index":0,"delta":{"role":"assistant","content":null}}],"created":1795406088}"#,
    );
    assert_eq!(chunk.choices[0].delta.content, None);
    let chunk = parse(
        r#"{"choices":[],"usage":{"completion_tokens":12,"prompt_tokens":28,"total_tokens":40,"prompt_tokens_details":{"cached_tokens":1}},"timings":{"prompt_ms":189.134}}"#,
    );
    assert!(is_usage_only(&chunk));
    assert_eq!(chunk.usage.and_then(|usage| usage.cached_tokens), Some(1));
}

#[test]
fn borrows_unless_there_are_escapes() {
    let chunk =
        parse(r#"{"id":"a","choices":[{"delta":{"content":"ü🙂","role":"a\nb"},"finish_reason":"stop"}]}"#);
    let choice = &chunk.choices[0];
    assert!(matches!(chunk.id, Some(Cow::Borrowed("a"))));
    assert!(matches!(choice.delta.content, Some(Cow::Borrowed("ü🙂"))));
    assert!(matches!(choice.finish_reason, Some(Cow::Borrowed("stop"))));
    assert_eq!(choice.delta.role.as_deref(), Some("a\nb"));
}

#[test]
fn nothing_but_broken_json_fails() {
    for json in [
        "{}",
        r#"{"id":null,"choices":null,"usage":null,"error":null}"#,
        r#"{"id":7,"choices":{"a":[1]},"usage":[1,{}],"x":1}"#,
        r#"{"choices":[null,3,"x",[],{}]}"#,
        r#"{"choices":[{"index":"x","delta":null,"finish_reason":5}]}"#,
        r#"{"choices":[{"index":-1,"delta":{"role":{},"content":[{"type":"text"}],"refusal":true}}]}"#,
        r#"{"id":"a","id":"b","choices":[{"delta":{},"delta":{"content":"x","content":"y"}}]}"#,
        r#"{"other":1e999}"#,
    ] {
        assert!(Chunk::parse(json.as_bytes()).is_ok(), "{json}");
    }
    for json in [
        "",
        "null",
        "3",
        "[]",
        "\"x\"",
        "{",
        "{}x",
        "{} {}",
        r#"{"a":NaN}"#,
        "<html>",
    ] {
        assert!(Chunk::parse(json.as_bytes()).is_err(), "{json}");
    }
}

#[test]
fn nonsense_numbers_are_none() {
    for nonsense in [
        "-1",
        "1.5",
        "1e999",
        "1e3",
        "\"NaN\"",
        "\"many\"",
        "99999999999999999999999",
        "2000000000",
    ] {
        let fields = format!(r#""prompt_tokens":{nonsense},"completion_tokens":3"#);
        let usage = usage(&fields);
        assert_eq!(
            (usage.prompt_tokens, usage.completion_tokens),
            (None, Some(3)),
            "{nonsense}"
        );
    }
    for other in ["null", "true", "[1]", "{\"a\":1}", "\"\""] {
        assert_eq!(
            usage(&format!(r#""total_tokens":{other}"#)),
            Usage::default(),
            "{other}"
        );
    }
    assert_eq!(usage(r#""prompt_tokens":3.0"#).prompt_tokens, Some(3));
    assert_eq!(usage(r#""prompt_tokens":"3""#).prompt_tokens, Some(3));
}

#[test]
fn reads_every_shape_of_cost() {
    for (cost, expected) in [
        ("1.5e-06", Some(1_500)),
        ("0", Some(0)),
        ("\"0.25\"", Some(250_000_000)),
        (r#"{"input_cost":1,"total_cost":0.25}"#, Some(250_000_000)),
        (r#"{"input_cost":1}"#, None),
        (r#"{"total_cost":{}}"#, None),
        ("-1", None),
        ("1e999", None),
        ("null", None),
        ("[]", None),
    ] {
        let cost_read = usage(&format!(r#""cost":{cost}"#)).cost;
        assert_eq!(cost_read.map(Money::nano), expected, "{cost}");
    }
}

#[test]
fn either_name_of_reasoning_will_do() {
    for (delta, expected) in [
        (r#""reasoning_content":"a""#, "a"),
        (r#""reasoning":"b""#, "b"),
        (r#""reasoning":"b","reasoning_content":"a""#, "a"),
        (r#""reasoning_content":"a","reasoning":"b""#, "a"),
        (r#""reasoning_content":null,"reasoning":"b""#, "b"),
        (r#""reasoning":"b","reasoning_content":null"#, "b"),
    ] {
        let json = format!(r#"{{"choices":[{{"delta":{{{delta}}}}}]}}"#);
        assert_eq!(
            parse(&json).choices[0].delta.reasoning_content.as_deref(),
            Some(expected),
            "{delta}"
        );
    }
}

#[test]
fn a_chunk_that_brings_more_than_usage_is_told_apart() {
    for (rest, expected) in [
        (r#""choices":[]"#, true),
        (r#""choices":null"#, true),
        (
            r#""choices":[{"index":0,"delta":{"content":"","tool_calls":[],"images":null}}]"#,
            true,
        ),
        (r#""choices":[{"index":0,"delta":{"content":"x"}}]"#, false),
        (r#""choices":[{"index":0,"delta":{"role":"assistant"}}]"#, false),
        (r#""choices":[{"index":0,"delta":{"tool_calls":[{}]}}]"#, false),
        (r#""choices":[{"index":0,"delta":{"images":[{}]}}]"#, false),
        (
            r#""choices":[{"index":0,"delta":{},"finish_reason":"stop"}]"#,
            false,
        ),
        (
            r#""choices":[{"index":0,"delta":{}},{"index":1,"delta":{}}]"#,
            false,
        ),
    ] {
        let json = format!(r#"{{{rest},"usage":{{"total_tokens":1}}}}"#);
        assert_eq!(is_usage_only(&parse(&json)), expected, "{rest}");
    }
    assert!(!is_usage_only(&parse(r#"{"choices":[]}"#)));
}

#[test]
fn cleans_only_what_must_be() {
    let json = Bytes::from_static(br#"{"a":"\ud83d\ude00 \\u0000"}"#);
    assert_eq!(clean(json.clone()).as_ptr(), json.as_ptr());
    assert_eq!(
        clean(Bytes::from_static(br#"{"a":"\u0000\ud83d"}"#)),
        r#"{"a":"\ufffd\ufffd"}"#
    );
    assert_eq!(
        clean(Bytes::from_static(b"{\"a\":\"\xff\"}")),
        "{\"a\":\"\u{fffd}\"}"
    );
}

fn any_json() -> impl Strategy<Value = Value> {
    let name = prop::sample::select(vec![
        "id",
        "choices",
        "usage",
        "index",
        "delta",
        "role",
        "content",
        "tool_calls",
        "finish_reason",
        "cost",
        "prompt_tokens",
        "prompt_tokens_details",
        "cached_tokens",
        "total_cost",
        "x",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,6}".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 40, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((name.clone(), inner), 0..4).prop_map(|fields| fields
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect()),
        ]
    })
}

proptest! {
    #[test]
    fn any_value_in_any_field_is_read(choices in any_json(), usage in any_json(), other in any_json()) {
        let json = json!({"id": other, "choices": choices, "usage": usage}).to_string();
        prop_assert!(Chunk::parse(json.as_bytes()).is_ok(), "{}", json);
    }
}
