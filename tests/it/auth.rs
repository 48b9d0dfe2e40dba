//! Who gets in, and every way of being refused.

use jsonwebtoken::Algorithm;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::token::{self, SECRET};
use crate::support::{Answer, TestServer, eventually};

const ROUTE: &str = "/v1/conversations";

/// The answer to a request with this `Authorization` header, or with none.
async fn knock(server: &TestServer, authorization: Option<&str>) -> Answer {
    let mut request = server.anonymous().request(reqwest::Method::GET, ROUTE);
    if let Some(value) = authorization {
        request = request.header("authorization", value);
    }
    Answer::to(request).await
}

async fn knock_with(server: &TestServer, token: &str) -> Answer {
    knock(server, Some(&format!("Bearer {token}"))).await
}

#[track_caller]
fn assert_refused(answer: &Answer, code: &str) {
    let error = answer.error(401, code);
    assert_eq!(error["type"], "authentication_error");
    assert_eq!(answer.header("www-authenticate"), "Bearer");
}

/// Ordinary claims with one of them changed, or taken out by null.
fn claims_with(name: &str, value: Value) -> Value {
    let mut claims = token::claims(token::new_uuid());
    if value.is_null() {
        claims.as_object_mut().expect("claims").remove(name);
    } else {
        claims[name] = value;
    }
    claims
}

#[tokio::test(flavor = "multi_thread")]
async fn a_valid_token_gets_in() {
    let server = TestServer::start().await;
    assert_eq!(server.user().get(ROUTE).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_header_must_be_a_bearer_token() {
    let server = TestServer::start().await;
    assert_refused(&knock(&server, None).await, "MISSING_AUTH_HEADER");
    for malformed in ["Basic dXNlcjpwYXNz", "Bearer", "Bearer a b", "token"] {
        assert_refused(&knock(&server, Some(malformed)).await, "INVALID_AUTH_FORMAT");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_scheme_is_case_insensitive() {
    let server = TestServer::start().await;
    let token = token::for_user(token::new_uuid());
    assert_eq!(knock(&server, Some(&format!("bearer {token}"))).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_our_signature_counts() {
    let server = TestServer::start().await;
    let claims = token::claims(token::new_uuid());
    let genuine = token::sign(&claims);
    let (head_and_claims, _) = genuine.rsplit_once('.').expect("three parts");
    let unsigned_header = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0";
    let (_, rest) = head_and_claims.split_once('.').expect("two parts");
    for (what, forged) in [
        ("no JWT", "not.a.token".to_owned()),
        (
            "another secret",
            token::sign_with(&claims, Algorithm::HS256, b"another secret of enough length!!"),
        ),
        (
            "an algorithm that is not configured",
            token::sign_with(&claims, Algorithm::HS512, SECRET.as_bytes()),
        ),
        ("no signature", format!("{head_and_claims}.")),
        ("alg none", format!("{unsigned_header}.{rest}.")),
    ] {
        let answer = knock_with(&server, &forged).await;
        assert_eq!(answer.status, 401, "{what}");
        assert_refused(&answer, "INVALID_TOKEN");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn claims_must_be_those_of_a_user() {
    let server = TestServer::start().await;
    for claims in [
        claims_with("aud", json!("another-service")),
        claims_with("aud", Value::Null),
        claims_with("sub", json!("not-a-uuid")),
        claims_with("sub", Value::Null),
        claims_with("exp", Value::Null),
        claims_with("role", json!("anon")),
        claims_with("role", json!("service_role")),
    ] {
        let answer = knock_with(&server, &token::sign(&claims)).await;
        assert_eq!(answer.status, 401, "{claims}");
        assert_refused(&answer, "INVALID_CLAIMS");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_audience_may_be_a_list() {
    let server = TestServer::start().await;
    let claims = claims_with("aud", json!(["other", "authenticated"]));
    assert_eq!(knock_with(&server, &token::sign(&claims)).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn expiry_has_a_leeway_of_thirty_seconds() {
    let server = TestServer::start().await;
    let expired = claims_with("exp", json!(token::now() - 60));
    assert_refused(
        &knock_with(&server, &token::sign(&expired)).await,
        "TOKEN_EXPIRED",
    );
    let within_leeway = claims_with("exp", json!(token::now() - 10));
    assert_eq!(
        knock_with(&server, &token::sign(&within_leeway)).await.status,
        200
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_not_valid_before_its_time() {
    let server = TestServer::start().await;
    let early = claims_with("nbf", json!(token::now() + 120));
    assert_refused(&knock_with(&server, &token::sign(&early)).await, "INVALID_CLAIMS");
    let within_leeway = claims_with("nbf", json!(token::now() + 10));
    assert_eq!(
        knock_with(&server, &token::sign(&within_leeway)).await.status,
        200
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn cached_claims_do_not_outlive_the_token() {
    let server = TestServer::start().await;
    let almost_over = claims_with("exp", json!(token::now() - 27));
    let token = token::sign(&almost_over);
    assert_eq!(knock_with(&server, &token).await.status, 200);
    let refused = eventually("the token to expire", async || {
        let answer = knock_with(&server, &token).await;
        (answer.status != 200).then_some(answer)
    })
    .await;
    assert_refused(&refused, "TOKEN_EXPIRED");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_issuer_counts_where_it_is_set() {
    let server = TestServer::with([("JWT_ISSUER", "https://x.supabase.co/auth/v1")]).await;
    let right = claims_with("iss", json!("https://x.supabase.co/auth/v1"));
    assert_eq!(knock_with(&server, &token::sign(&right)).await.status, 200);
    let wrong = claims_with("iss", json!("https://y.supabase.co/auth/v1"));
    assert_refused(&knock_with(&server, &token::sign(&wrong)).await, "INVALID_CLAIMS");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_configured_algorithm_is_accepted() {
    let server = TestServer::with([("JWT_ALGORITHM", "HS384,HS512")]).await;
    let claims = token::claims(token::new_uuid());
    for algorithm in [Algorithm::HS384, Algorithm::HS512] {
        let token = token::sign_with(&claims, algorithm, SECRET.as_bytes());
        assert_eq!(knock_with(&server, &token).await.status, 200, "{algorithm:?}");
    }
    assert_refused(&knock_with(&server, &token::sign(&claims)).await, "INVALID_TOKEN");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_secret_may_be_given_in_base64() {
    // The bytes 0, 1, … 31: they could not be given as text.
    let encoded = "base64:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    let server = TestServer::with([("JWT_SECRET_KEY", encoded)]).await;
    let bytes: Vec<u8> = (0..32).collect();
    let token = token::sign_with(&token::claims(Uuid::from_u128(7)), Algorithm::HS256, &bytes);
    assert_eq!(knock_with(&server, &token).await.status, 200);
}

/// A wrong guess that says it comes from elsewhere.
async fn guess(server: &TestServer, attempt: u32) -> Answer {
    let guesser = server.anonymous().with_token("not.a.token");
    let request = guesser.request(reqwest::Method::GET, ROUTE);
    Answer::to(request.header("x-forwarded-for", format!("192.0.2.{attempt}"))).await
}

#[tokio::test(flavor = "multi_thread")]
async fn guessing_is_limited_per_address_whatever_a_guesser_says_of_it() {
    let server = TestServer::start().await;
    for attempt in 0..30 {
        assert_eq!(guess(&server, attempt).await.status, 401, "attempt {attempt}");
    }
    // One more is allowed every two seconds, which a slow machine may have needed for the first thirty.
    let answer = eventually("a refusal", async || {
        let answer = guess(&server, 30).await;
        (answer.status != 401).then_some(answer)
    })
    .await;
    answer.error(429, "RATE_LIMIT_EXCEEDED");
    let wait = answer.header("retry-after");
    assert!(["1", "2"].contains(&wait), "{wait}");
    assert_eq!(
        server.user().get(ROUTE).await.status,
        200,
        "a right token is let in"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn forwarded_addresses_of_trusted_proxies_count() {
    let server = TestServer::with([("TRUSTED_PROXIES", "127.0.0.0/8")]).await;
    for attempt in 0..40 {
        assert_eq!(guess(&server, attempt).await.status, 401, "attempt {attempt}");
    }
}
