//! A user of the server. Each request has a connection of its own, as from a browser or a frontend of its own.

use std::net::SocketAddr;

use ai_chat_orchestrator::utils::clock::Clock;
use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::json;
use tokio::net::TcpStream;
use tokio_util::task::TaskTracker;

use crate::Failure;
use crate::events::EventStream;
use crate::model::MODEL;
use crate::script::Script;

/// How long a token is valid: longer than anybody soaks.
const TOKEN_SECONDS: i64 = 30 * 24 * 60 * 60;

/// Somebody who may chat.
#[derive(Clone)]
pub struct Caller {
    address: SocketAddr,
    authorization: HeaderValue,
}

impl Caller {
    /// A user whom the server at this address has not seen before.
    pub fn new(address: SocketAddr, secret: &str) -> Result<Self, Failure> {
        let clock = Clock::system();
        let now = clock.now().timestamp();
        let claims = json!({
            "aud": "authenticated",
            "exp": now + TOKEN_SECONDS,
            "iat": now,
            "sub": clock.uuid(),
            "role": "authenticated",
        });
        let key = EncodingKey::from_secret(secret.as_bytes());
        let token = jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &key)?;
        Ok(Self {
            address,
            authorization: format!("Bearer {token}").parse()?,
        })
    }

    /// Sends a message into a new conversation.
    pub async fn chat(&self, script: &Script) -> Result<EventStream, Failure> {
        let body = json!({"model": MODEL, "message": script.to_string()}).to_string();
        let request = self.request(Method::POST, "/v1/chat/completions");
        let request = request.header(header::CONTENT_TYPE, "application/json");
        self.open(request.body(Full::from(body))?).await
    }

    /// Reads a stream after the event with this id; after 0, from its start.
    pub async fn resume(&self, stream: &str, after: u64) -> Result<EventStream, Failure> {
        let request = self.request(Method::GET, &format!("/v1/chat/streams/{stream}"));
        let request = request.header("last-event-id", after);
        self.open(request.body(Full::default())?).await
    }

    /// Stops an answer.
    pub async fn cancel(&self, stream: &str) -> Result<(), Failure> {
        let request = self.request(Method::POST, &format!("/v1/chat/streams/{stream}/cancel"));
        let response = self.send(request.body(Full::default())?).await?;
        successful(response).await.map(drop)
    }

    fn request(&self, method: Method, path: &str) -> http::request::Builder {
        Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, "127.0.0.1")
            .header(header::AUTHORIZATION, self.authorization.clone())
    }

    async fn open(&self, request: Request<Full<Bytes>>) -> Result<EventStream, Failure> {
        let response = successful(self.send(request).await?).await?;
        let id = response.headers().get("x-stream-id").ok_or("not a stream")?;
        Ok(EventStream::new(id.to_str()?.to_owned(), response.into_body()))
    }

    async fn send(&self, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, Failure> {
        let socket = TcpStream::connect(self.address).await?;
        socket.set_nodelay(true)?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(socket)).await?;
        // It ends with the body of the response, or when that is dropped.
        TaskTracker::new().spawn(connection);
        Ok(sender.send_request(request).await?)
    }
}

/// The response, or what is in it as an error.
async fn successful(response: Response<Incoming>) -> Result<Response<Incoming>, Failure> {
    if response.status() == StatusCode::OK {
        return Ok(response);
    }
    let status = response.status();
    let body = response.into_body().collect().await?.to_bytes();
    Err(format!("{status}: {}", String::from_utf8_lossy(&body)).into())
}
