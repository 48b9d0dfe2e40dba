//! What is sent: addresses, headers and body.

use http::header::{ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue};
use reqwest::Url;

use super::dialect::Dialect;
use super::servers::Server;
use crate::services::llm::ModelCall;
use crate::utils::json::RawObject;

const CALL_ID: HeaderName = HeaderName::from_static("x-litellm-call-id");
const NUM_RETRIES: HeaderName = HeaderName::from_static("x-litellm-num-retries");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// What is asked of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ask {
    /// An answer, chunk by chunk.
    Stream,
    /// An answer, whole.
    Whole,
    /// Embeddings.
    Embeddings,
}

impl Ask {
    /// The label `operation` of metrics.
    pub(super) const fn operation(self) -> &'static str {
        match self {
            Self::Stream | Self::Whole => "chat",
            Self::Embeddings => "embeddings",
        }
    }
}

/// The addresses of a model server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Endpoints {
    /// `POST`: an answer.
    pub(super) chat: Url,
    /// `POST`: embeddings.
    pub(super) embeddings: Url,
    /// `GET`: the models that there are.
    pub(super) models: Url,
    /// `GET`, LiteLLM only: what it knows of the names that it takes.
    pub(super) model_groups: Url,
    /// `GET`, LiteLLM only: what it knows of the deployments behind these names.
    pub(super) deployments: Url,
    /// `GET`, LiteLLM only, in the order in which they are asked: whether it lives, and whether it is ready.
    pub(super) health: [Url; 2],
}

impl Endpoints {
    /// From a base URL with or without `/v1`. A base whose path names a version anywhere (`/v1`, `/openai/v1`,
    /// `/v1beta/openai`) is taken as it stands; to any other `/v1` is added, which LiteLLM does not need but
    /// most other servers do. `None` unless it is an `http` or `https` URL.
    pub(super) fn parse(base: &str) -> Option<Self> {
        let base = Url::parse(base)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https"))?;
        let path = base.path().trim_end_matches('/');
        let at = |path: String| {
            let mut url = base.clone();
            url.set_path(&path);
            url.set_query(None);
            url.set_fragment(None);
            url
        };
        let api = if path.split('/').any(is_version) {
            path.to_owned()
        } else {
            format!("{path}/v1")
        };
        let root = api.strip_suffix("/v1").unwrap_or(&api);
        Some(Self {
            chat: at(format!("{api}/chat/completions")),
            embeddings: at(format!("{api}/embeddings")),
            models: at(format!("{api}/models")),
            model_groups: at(format!("{root}/model_group/info")),
            deployments: at(format!("{root}/model/info")),
            health: [
                at(format!("{root}/health/liveliness")),
                at(format!("{root}/health/readiness")),
            ],
        })
    }
}

fn is_version(segment: &str) -> bool {
    segment
        .strip_prefix('v')
        .is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_digit()))
}

/// The headers of a call. LiteLLM is told not to repeat it, because this client does.
pub(super) fn headers(call: &ModelCall, server: &Server, ask: Ask) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(8);
    let accept = if ask == Ask::Stream {
        "text/event-stream"
    } else {
        "application/json"
    };
    headers.insert(ACCEPT, HeaderValue::from_static(accept));
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if !server.is_direct {
        headers.insert(NUM_RETRIES, HeaderValue::from_static("0"));
        if let Ok(id) = HeaderValue::from_str(&call.request_id) {
            headers.insert(CALL_ID, id);
        }
    }
    if let Some(traceparent) = &call.traceparent {
        headers.insert(TRACEPARENT, traceparent.clone());
    }
    if let Some(authorization) = &server.authorization {
        headers.insert(AUTHORIZATION, authorization.clone());
    }
    headers
}

/// The body of a call: the request with `model`, `user` and, for chats, `stream` and (streamed)
/// `stream_options.include_usage` set, and everything else byte for byte as it was, but for what the server wants otherwise.
///
/// # Errors
/// If it cannot be written as JSON, which no request that was read from JSON causes.
pub(super) fn body(
    call: &ModelCall,
    model: &str,
    ask: Ask,
    dialect: &Dialect,
) -> Result<Vec<u8>, serde_json::Error> {
    let mut body = call.body.clone();
    body.set_value("model", model)?;
    body.set_value("user", &call.user.to_string())?;
    if ask != Ask::Embeddings {
        body.set_value("stream", &(ask == Ask::Stream))?;
    }
    if ask == Ask::Stream {
        let given = body
            .get("stream_options")
            .map(|options| serde_json::from_str(options.get()));
        let mut options: RawObject = given.and_then(Result::ok).unwrap_or_default();
        options.set_value("include_usage", &true)?;
        body.set_value("stream_options", &options)?;
    }
    dialect.adapt(&mut body, model);
    serde_json::to_vec(&body)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::ids::UserId;
    use uuid::Uuid;

    #[test]
    fn finds_the_addresses_with_and_without_a_version() {
        for (base, chat, live) in [
            (
                "http://l:4000",
                "http://l:4000/v1/chat/completions",
                "http://l:4000/health/liveliness",
            ),
            (
                "http://l:4000/",
                "http://l:4000/v1/chat/completions",
                "http://l:4000/health/liveliness",
            ),
            (
                "http://l:4000/v1/",
                "http://l:4000/v1/chat/completions",
                "http://l:4000/health/liveliness",
            ),
            (
                "https://h/lite/v1",
                "https://h/lite/v1/chat/completions",
                "https://h/lite/health/liveliness",
            ),
            (
                "https://g/v1beta/openai",
                "https://g/v1beta/openai/chat/completions",
                "https://g/v1beta/openai/health/liveliness",
            ),
        ] {
            let endpoints = Endpoints::parse(base).expect("a URL");
            assert_eq!(
                endpoints.embeddings.as_str(),
                chat.replace("chat/completions", "embeddings")
            );
            assert_eq!(
                (endpoints.chat.as_str(), endpoints.health[0].as_str()),
                (chat, live)
            );
        }
        for bad in ["", "litellm:4000", "ftp://x", "/v1"] {
            assert_eq!(Endpoints::parse(bad), None, "{bad}");
        }
    }

    fn call(body: &str) -> ModelCall {
        ModelCall {
            request_id: "req-1".into(),
            user: UserId(Uuid::nil()),
            model: "gpt".into(),
            body: serde_json::from_str(body).expect("an object"),
            traceparent: Some(HeaderValue::from_static("00-1-2-01")),
            attempts: crate::services::llm::AttemptLog::default(),
        }
    }

    fn sent(given: &str, ask: Ask) -> String {
        String::from_utf8(body(&call(given), "other", ask, Dialect::of_proxy()).expect("json")).expect("text")
    }

    #[test]
    fn changes_four_fields_and_no_other_byte() {
        let user = Uuid::nil();
        assert_eq!(
            sent(
                r#"{"model":"gpt","temperature":1.50,"messages":[ {"role":"user"}],"x":{"b": 1e2}}"#,
                Ask::Whole
            ),
            format!(
                r#"{{"model":"other","temperature":1.50,"messages":[ {{"role":"user"}}],"x":{{"b": 1e2}},"user":"{user}","stream":false}}"#
            )
        );
        assert_eq!(
            sent(
                r#"{"input":["\u00e4"],"model":"gpt","dimensions":8}"#,
                Ask::Embeddings
            ),
            format!(r#"{{"input":["\u00e4"],"model":"other","dimensions":8,"user":"{user}"}}"#)
        );
        for (options, expected) in [
            (
                r#"{"include_usage":false,"include_obfuscation":true}"#,
                r#"{"include_usage":true,"include_obfuscation":true}"#,
            ),
            ("null", r#"{"include_usage":true}"#),
            ("7", r#"{"include_usage":true}"#),
        ] {
            let given = format!(r#"{{"user":"me","stream_options":{options}}}"#);
            let expected =
                format!(r#"{{"user":"{user}","stream_options":{expected},"model":"other","stream":true}}"#);
            assert_eq!(sent(&given, Ask::Stream), expected);
        }
    }

    #[test]
    fn sends_the_agreed_headers() {
        let mut server = Server {
            name: "litellm",
            is_direct: false,
            endpoints: Endpoints::parse("http://l:4000").expect("a URL"),
            authorization: Some(HeaderValue::from_static("Bearer sk-1")),
            list_headers: HeaderMap::new(),
            dialect: Dialect::of_proxy(),
        };
        let to_proxy = headers(&call("{}"), &server, Ask::Stream);
        for (name, value) in [
            ("x-litellm-call-id", "req-1"),
            ("x-litellm-num-retries", "0"),
            ("traceparent", "00-1-2-01"),
            ("authorization", "Bearer sk-1"),
            ("accept-encoding", "identity"),
            ("accept", "text/event-stream"),
            ("content-type", "application/json"),
        ] {
            assert_eq!(to_proxy[name], value);
        }
        assert_eq!(to_proxy.len(), 7);
        server.is_direct = true;
        let to_provider = headers(&call("{}"), &server, Ask::Whole);
        assert!(to_provider.keys().all(|name| !name.as_str().contains("litellm")));
        assert_eq!(to_provider["traceparent"], "00-1-2-01");
    }
}
