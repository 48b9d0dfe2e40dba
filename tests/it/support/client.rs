//! One user of the API.

use std::time::Duration;

use bytes::Bytes;
use reqwest::header::HeaderMap;
use reqwest::{Method, RequestBuilder, Response};
use serde_json::Value;
use uuid::Uuid;

use super::sse::EventStream;
use super::{time, token};

/// A user with a token, or a stranger without one.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    base: String,
    /// The token, if it has one.
    pub token: Option<String>,
    /// Who it is.
    pub user: Uuid,
}

impl Client {
    /// A new user of the server at this address.
    pub fn new_user(base: &str) -> Self {
        let user = token::new_uuid();
        Self {
            token: Some(token::for_user(user)),
            user,
            ..Self::anonymous(base)
        }
    }

    /// Somebody without a token.
    pub fn anonymous(base: &str) -> Self {
        Self {
            http: reqwest::Client::builder()
                .connect_timeout(Duration::from_secs(5))
                .build()
                .expect("an HTTP client"),
            base: base.to_owned(),
            token: None,
            user: Uuid::nil(),
        }
    }

    /// The same user with another token.
    pub fn with_token(&self, token: impl Into<String>) -> Self {
        Self {
            token: Some(token.into()),
            ..self.clone()
        }
    }

    /// The same user at another server.
    pub fn at(&self, base: &str) -> Self {
        Self {
            base: base.to_owned(),
            ..self.clone()
        }
    }

    /// A request with the user's token, to be refined and sent.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.base));
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    /// `GET`, whole answer.
    pub async fn get(&self, path: &str) -> Answer {
        Answer::to(self.request(Method::GET, path)).await
    }

    /// `POST` of JSON, whole answer.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        Answer::to(self.request(Method::POST, path).json(body)).await
    }

    /// `PATCH` with JSON, whole answer.
    pub async fn patch(&self, path: &str, body: &Value) -> Answer {
        Answer::to(self.request(Method::PATCH, path).json(body)).await
    }

    /// `DELETE`, whole answer.
    pub async fn delete(&self, path: &str) -> Answer {
        Answer::to(self.request(Method::DELETE, path)).await
    }

    /// `POST` of a JSON text as it stands, whole answer.
    pub async fn post_raw(&self, path: &str, body: impl Into<String>) -> Answer {
        let request = self.request(Method::POST, path);
        Answer::to(
            request
                .header("content-type", "application/json")
                .body(body.into()),
        )
        .await
    }

    /// Chats and takes the answer whole: for refusals, and for `"stream": false`.
    pub async fn chat(&self, body: &Value) -> Answer {
        self.post("/v1/chat/completions", body).await
    }

    /// Chats and reads the stream.
    pub async fn chat_stream(&self, body: &Value) -> EventStream {
        EventStream::open(self.request(Method::POST, "/v1/chat/completions").json(body)).await
    }

    /// Opens a stream with `GET`.
    pub async fn stream(&self, path: &str) -> EventStream {
        EventStream::open(self.request(Method::GET, path)).await
    }

    /// Makes a conversation and tells its id.
    pub async fn new_conversation(&self, body: &Value) -> String {
        let answer = self.post("/v1/conversations", body).await;
        text(&answer.data(201)["id"])
    }

    /// The conversation with its branches and messages.
    pub async fn full(&self, conversation: &str) -> Value {
        let answer = self.get(&format!("/v1/conversations/{conversation}/full")).await;
        answer.data(200)
    }

    /// The messages of a conversation, oldest first.
    pub async fn messages(&self, conversation: &str) -> Vec<Value> {
        let full = self.full(conversation).await;
        full["messages"].as_array().expect("messages").clone()
    }
}

/// A response that was read to its end.
#[derive(Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Answer {
    /// Sends a request and reads the whole answer.
    pub async fn to(request: RequestBuilder) -> Self {
        time::within("an answer", async {
            let response = request.send().await.expect("a response");
            Self::read(response).await
        })
        .await
    }

    /// Reads the rest of a response.
    pub async fn read(response: Response) -> Self {
        Self {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            body: response.bytes().await.expect("a whole body"),
        }
    }

    /// The header's value, or an empty text.
    pub fn header(&self, name: &str) -> &str {
        header(&self.headers, name)
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("no JSON ({e}): {self:?}"))
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8(self.body.to_vec()).expect("UTF-8")
    }

    /// The `data` of a success with this status.
    pub fn data(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{self:?}");
        let mut body = self.json();
        assert_eq!(body["success"], true, "{body}");
        body["data"].take()
    }

    /// The error object of a refusal, after checking the whole envelope.
    #[track_caller]
    pub fn error(&self, status: u16, code: &str) -> Value {
        assert_eq!(self.status, status, "{self:?}");
        let mut body = self.json();
        assert_eq!(body["success"], false, "{body}");
        let error = body["error"].take();
        assert_eq!(error["code"], code, "{error}");
        for key in ["message", "type", "code", "param", "details", "request_id"] {
            assert!(error.get(key).is_some(), "no `{key}` in {error}");
        }
        assert!(error["details"].is_object(), "{error}");
        assert_eq!(error["request_id"], self.header("x-request-id"), "{error}");
        error
    }

    /// The names of the fields that a 422 complains about.
    #[track_caller]
    pub fn invalid_fields(&self) -> Vec<String> {
        let error = self.error(422, "VALIDATION_ERROR");
        field_errors(&error)
    }
}

/// The names in `details.field_errors`.
pub fn field_errors(error: &Value) -> Vec<String> {
    let list = error["details"]["field_errors"].as_array();
    let list = list.unwrap_or_else(|| panic!("no field_errors in {error}"));
    list.iter().map(|entry| text(&entry["field"])).collect()
}

/// A header's value, or an empty text.
pub fn header<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers
        .get(name)
        .map_or("", |value| value.to_str().expect("a visible header"))
}

/// The text that a JSON string holds.
#[track_caller]
pub fn text(value: &Value) -> String {
    value
        .as_str()
        .unwrap_or_else(|| panic!("not a string: {value}"))
        .to_owned()
}
