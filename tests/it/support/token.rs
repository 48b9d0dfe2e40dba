//! Tokens as Supabase issues them.

use ai_chat_orchestrator::utils::clock::Clock;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use uuid::Uuid;

/// `JWT_SECRET_KEY` of every server under test.
pub const SECRET: &str = "a-secret-for-tests-of-more-than-32-characters";

/// A token for a user, valid for an hour.
pub fn for_user(user: Uuid) -> String {
    sign(&claims(user))
}

/// The claims of an ordinary token, for tests to change.
pub fn claims(user: Uuid) -> Value {
    let now = now();
    json!({
        "aud": "authenticated",
        "exp": now + 3600,
        "iat": now,
        "sub": user,
        "role": "authenticated",
        "email": "user@example.com",
        "session_id": new_uuid(),
    })
}

/// Signs claims as the servers under test expect it.
pub fn sign(claims: &Value) -> String {
    sign_with(claims, Algorithm::HS256, SECRET.as_bytes())
}

/// Signs claims with any algorithm and secret.
pub fn sign_with(claims: &Value, algorithm: Algorithm, secret: &[u8]) -> String {
    jsonwebtoken::encode(&Header::new(algorithm), claims, &EncodingKey::from_secret(secret))
        .expect("claims can be signed")
}

/// The time in seconds, as claims tell it.
pub fn now() -> i64 {
    Clock::system().now().timestamp()
}

/// An id that nobody has yet.
pub fn new_uuid() -> Uuid {
    Clock::system().uuid()
}
