use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use chrono::DateTime;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

use super::*;
use crate::models::ids::UserId;
use crate::services::auth::DevelopmentToken;
use crate::testing;

const SECRET: &[u8] = b"a secret of more than thirty-two bytes";
const USER: &str = "0b0e8f4e-9d5b-4a8c-8a3f-1f2e3d4c5b6a";
const NOW: i64 = 1_800_000_000;

/// An authenticator whose clock the test moves.
struct Bench {
    now: Arc<AtomicI64>,
    authenticator: Authenticator,
}

impl Bench {
    fn new() -> Self {
        Self::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut SecuritySettings)) -> Self {
        let mut settings = testing::settings().security;
        change(&mut settings);
        let now = Arc::new(AtomicI64::new(NOW));
        let told = Arc::clone(&now);
        let clock = Clock::from_fn(move || {
            DateTime::from_timestamp(told.load(Ordering::Relaxed), 0).expect("a time")
        });
        let metrics = Metrics::new(0).expect("families");
        let authenticator = Authenticator::new(&settings, 100, &SECRET.to_vec().into(), &metrics, clock);
        Self { now, authenticator }
    }

    fn refusal(&self, token: &str) -> AuthError {
        self.authenticator
            .authenticate(token)
            .expect_err("the token is refused")
    }

    fn claims_are_refused(&self, claims: &Value) {
        let refusal = self.refusal(&signed(claims));
        assert!(
            matches!(refusal, AuthError::InvalidClaims(_)),
            "{claims}: {refusal}"
        );
    }
}

fn claims() -> Value {
    json!({
        "sub": USER, "aud": "authenticated", "exp": NOW + 3600, "iat": NOW,
        "role": "authenticated", "email": "ada@example.com",
    })
}

fn claims_with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[name] = value;
    claims
}

fn claims_without(name: &str) -> Value {
    let mut claims = claims();
    claims.as_object_mut().expect("an object").remove(name);
    claims
}

fn signed_by(algorithm: Algorithm, secret: &[u8], claims: &Value) -> String {
    encode(&Header::new(algorithm), claims, &EncodingKey::from_secret(secret)).expect("a token")
}

fn signed(claims: &Value) -> String {
    signed_by(Algorithm::HS256, SECRET, claims)
}

#[test]
fn knows_a_user_by_the_token() {
    let caller = Bench::new()
        .authenticator
        .authenticate(&signed(&claims()))
        .expect("a caller");
    assert_eq!(caller.user_id, UserId(USER.parse().expect("a uuid")));
    assert_eq!(caller.email.as_deref(), Some("ada@example.com"));
}

#[test]
fn takes_every_configured_algorithm_and_no_other() {
    let bench = Bench::new();
    for other in [Algorithm::HS384, Algorithm::HS512] {
        assert_eq!(
            bench.refusal(&signed_by(other, SECRET, &claims())),
            AuthError::InvalidToken
        );
    }
    let all = Bench::with(|settings| {
        settings.jwt_algorithms = vec![Algorithm::HS256, Algorithm::HS384, Algorithm::HS512];
    });
    for algorithm in [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512] {
        let token = signed_by(algorithm, SECRET, &claims());
        assert!(all.authenticator.authenticate(&token).is_ok(), "{algorithm:?}");
    }
}

#[test]
fn the_token_does_not_choose_how_it_is_checked() {
    let bench = Bench::new();
    let genuine = signed(&claims());
    let (_, rest) = genuine.split_once('.').expect("three parts");
    let (payload, signature) = rest.split_once('.').expect("three parts");
    let header = |text: &str| BASE64_URL_SAFE_NO_PAD.encode(text);
    for forged in [
        format!("{}.{payload}.", header(r#"{"alg":"none","typ":"JWT"}"#)),
        format!(
            "{}.{payload}.{signature}",
            header(r#"{"alg":"None","typ":"JWT"}"#)
        ),
        format!(
            "{}.{payload}.{signature}",
            header(r#"{"alg":"RS256","typ":"JWT"}"#)
        ),
        format!(
            "{}.{payload}.{signature}",
            header(r#"{"alg":"HS512","typ":"JWT"}"#)
        ),
        format!("{}.{payload}.{signature}", header(r#"{"typ":"JWT"}"#)),
    ] {
        assert_eq!(bench.refusal(&forged), AuthError::InvalidToken, "{forged}");
    }
}

#[test]
fn refuses_what_is_no_token_of_ours() {
    let bench = Bench::new();
    let genuine = signed(&claims());
    let mut flipped = genuine.clone().into_bytes();
    let middle = genuine.find('.').expect("parts") + 10;
    flipped[middle] = if flipped[middle] == b'A' { b'B' } else { b'A' };
    let mut critical = Header::new(Algorithm::HS256);
    critical.crit = Some(vec!["x".to_owned()]);
    for token in [
        String::new(),
        "a.b.c".to_owned(),
        "not a token".to_owned(),
        format!("{genuine}x"),
        genuine.trim_end_matches(|c| c != '.').to_owned(),
        String::from_utf8(flipped).expect("ascii"),
        signed_by(Algorithm::HS256, b"another secret of the same sort", &claims()),
        signed(&json!("not an object")),
        encode(&critical, &claims(), &EncodingKey::from_secret(SECRET)).expect("a token"),
    ] {
        assert_eq!(bench.refusal(&token), AuthError::InvalidToken, "{token}");
    }
}

#[test]
fn refuses_a_huge_token_unseen() {
    let huge = signed(&claims_with("padding", json!("x".repeat(MAX_TOKEN_BYTES))));
    assert_eq!(Bench::new().refusal(&huge), AuthError::InvalidToken);
}

#[test]
fn checks_each_claim() {
    let bench = Bench::new();
    for name in ["sub", "exp", "aud"] {
        bench.claims_are_refused(&claims_without(name));
    }
    for (name, value) in [
        ("sub", json!("ada")),
        ("sub", json!(7)),
        ("exp", json!("tomorrow")),
        ("aud", json!("someone else")),
        ("aud", json!(["a", "b"])),
        ("nbf", json!(NOW + 31)),
        ("role", json!("anon")),
        ("role", json!("service_role")),
    ] {
        bench.claims_are_refused(&claims_with(name, value));
    }
    for (name, value) in [
        ("aud", json!(["a", "authenticated"])),
        ("nbf", json!(NOW + 29)),
        ("exp", json!(NOW as f64 + 0.5)),
        ("iss", json!("anyone")),
    ] {
        let token = signed(&claims_with(name, value));
        assert!(bench.authenticator.authenticate(&token).is_ok(), "{name}");
    }
}

#[test]
fn checks_the_issuer_where_one_is_set() {
    let bench = Bench::with(|settings| settings.jwt_issuer = Some("https://auth.example".to_owned()));
    bench.claims_are_refused(&claims());
    bench.claims_are_refused(&claims_with("iss", json!("https://evil.example")));
    let token = signed(&claims_with("iss", json!("https://auth.example")));
    assert!(bench.authenticator.authenticate(&token).is_ok());
}

#[test]
fn a_token_ends_with_its_leeway_remembered_or_not() {
    for remembered in [true, false] {
        let bench = Bench::new();
        let token = signed(&claims_with("exp", json!(NOW + 60)));
        if remembered {
            bench.authenticator.authenticate(&token).expect("a caller");
            bench.now.store(NOW + 89, Ordering::Relaxed);
            bench
                .authenticator
                .authenticate(&token)
                .expect("a caller within the leeway");
            assert_eq!(bench.authenticator.hits.get(), 1);
        }
        bench.now.store(NOW + 90, Ordering::Relaxed);
        assert_eq!(bench.refusal(&token), AuthError::Expired);
        assert_eq!(bench.refusal(&token), AuthError::Expired);
    }
}

#[test]
fn refusals_are_not_remembered() {
    let bench = Bench::new();
    let token = signed(&claims_with("nbf", json!(NOW + 60)));
    assert!(matches!(bench.refusal(&token), AuthError::InvalidClaims(_)));
    bench.now.store(NOW + 60, Ordering::Relaxed);
    assert!(bench.authenticator.authenticate(&token).is_ok());
}

#[test]
fn takes_the_tokens_it_issues() {
    let bench = Bench::with(|settings| settings.jwt_issuer = Some("https://auth.example".to_owned()));
    let user = UserId(USER.parse().expect("a uuid"));
    let token = DevelopmentToken {
        user,
        email: Some("ada@example.com"),
        ttl: Duration::from_secs(60),
        audience: "authenticated",
        issuer: Some("https://auth.example"),
    };
    let token = token
        .sign(
            &SECRET.to_vec().into(),
            Algorithm::HS256,
            &bench.authenticator.clock,
        )
        .expect("a token");
    assert_eq!(
        bench
            .authenticator
            .authenticate(&token)
            .expect("a caller")
            .user_id,
        user
    );
}
