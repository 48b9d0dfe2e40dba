//! What the double was asked.

use std::collections::HashMap;

use serde_json::Value;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Request {
    /// The path, without its query.
    pub path: String,
    headers: HashMap<String, String>,
    /// The body in the caller's bytes.
    pub body: String,
}

impl Request {
    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("no JSON ({e}): {}", self.body))
    }

    /// The header's value, or an empty text.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    /// The model that is asked.
    pub fn model(&self) -> String {
        self.json()["model"].as_str().unwrap_or_default().to_owned()
    }

    /// The messages that the model is sent, as `(role, content)`.
    pub fn messages(&self) -> Vec<(String, String)> {
        let body = self.json();
        let messages = body["messages"].as_array().expect("messages");
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        messages
            .iter()
            .map(|message| (text(&message["role"]), text(&message["content"])))
            .collect()
    }

    /// Whether a model is asked for embeddings.
    pub(super) fn is_embeddings(&self) -> bool {
        self.path.ends_with("/embeddings")
    }

    /// Whether a model is asked for an answer.
    pub(super) fn is_chat(&self) -> bool {
        self.path.ends_with("/chat/completions")
    }
}

/// Reads one request; `None` if the caller went away before it was whole.
pub(super) async fn read(socket: &mut TcpStream) -> Option<Request> {
    let mut bytes = Vec::new();
    let head_end = loop {
        if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break at;
        }
        more(socket, &mut bytes).await?;
    };
    let head = String::from_utf8(bytes[..head_end].to_vec()).expect("a head in ASCII");
    let mut lines = head.lines();
    let target = lines.next()?.split(' ').nth(1)?;
    let headers: HashMap<_, _> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    assert!(
        !headers.contains_key("transfer-encoding"),
        "the double wants a content-length"
    );
    let length: usize = headers
        .get("content-length")
        .map_or(0, |value| value.parse().expect("a length"));
    let body_start = head_end + 4;
    while bytes.len() < body_start + length {
        more(socket, &mut bytes).await?;
    }
    Some(Request {
        path: target.split('?').next()?.to_owned(),
        body: String::from_utf8(bytes[body_start..].to_vec()).expect("a body in UTF-8"),
        headers,
    })
}

async fn more(socket: &mut TcpStream, bytes: &mut Vec<u8>) -> Option<()> {
    let count = socket.read_buf(bytes).await.ok()?;
    (count > 0).then_some(())
}
