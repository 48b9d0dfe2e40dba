use axum::response::IntoResponse as _;
use http::header::RETRY_AFTER;
use serde_json::value::RawValue;

use super::*;

fn answered(status: u16, body: &str) -> ModelError {
    ModelError::from_answer(status, body.as_bytes(), None, "gpt-4o", TimeoutStage::FirstToken)
}

fn kind(status: u16, body: &str) -> ModelErrorKind {
    answered(status, body).kind()
}

fn error(message: &str, kind: &str, code: &str) -> String {
    serde_json::json!({"error": {"message": message, "type": kind, "param": null, "code": code}}).to_string()
}

#[test]
fn maps_every_row_of_the_table() {
    use ModelErrorKind as Kind;
    let context = "litellm.ContextWindowExceededError: litellm.BadRequestError: this is a mock";
    let no_model = "/chat/completions: Invalid model name passed in model=nope. Call `/v1/models`";
    for (status, body, expected) in [
        (
            400,
            error("Budget has been exceeded!", "budget_exceeded", "400"),
            Kind::BudgetExceeded,
        ),
        (
            422,
            error("Budget has been exceeded!", "budget_exceeded", "422"),
            Kind::BudgetExceeded,
        ),
        (
            429,
            error("Budget has been exceeded!", "budget_exceeded", "429"),
            Kind::BudgetExceeded,
        ),
        (
            401,
            error("Invalid proxy server token", "token_not_found_in_db", "401"),
            Kind::AuthFailed,
        ),
        (401, error("Expired Key", "expired_key", "401"), Kind::AuthFailed),
        (400, error("Expired Key", "expired_key", "400"), Kind::AuthFailed),
        (
            400,
            error("No connected db.", "no_db_connection", "400"),
            Kind::AuthFailed,
        ),
        (
            401,
            error("no deployments for the tags", "None", "401"),
            Kind::AuthFailed,
        ),
        (403, error("not allowed", "auth_error", "403"), Kind::AuthFailed),
        (
            403,
            error("key not allowed", "key_model_access_denied", "403"),
            Kind::AccessDenied,
        ),
        (
            401,
            error("key not allowed", "key_model_access_denied", "401"),
            Kind::AccessDenied,
        ),
        (
            404,
            error("The model `gpt-4o` does not exist", "None", "404"),
            Kind::ModelNotFound,
        ),
        (
            404,
            error("gone", "invalid_request_error", "model_not_found"),
            Kind::ModelNotFound,
        ),
        (
            404,
            r#"{"error":"model \"GPT-4o\" not found"}"#.to_owned(),
            Kind::ModelNotFound,
        ),
        (
            400,
            error(no_model, "invalid_request_error", "400"),
            Kind::ModelNotFound,
        ),
        (404, r#"{"detail":"Not Found"}"#.to_owned(), Kind::WrongAddress),
        (
            404,
            "<html>no gpt-4o model not found</html>".to_owned(),
            Kind::WrongAddress,
        ),
        (404, "404 model page not found".to_owned(), Kind::WrongAddress),
        (404, String::new(), Kind::WrongAddress),
        (302, String::new(), Kind::WrongAddress),
        (
            400,
            error(context, "invalid_request_error", "400"),
            Kind::ContextLength,
        ),
        (
            400,
            error("too long", "invalid_request_error", "context_length_exceeded"),
            Kind::ContextLength,
        ),
        (
            400,
            error("needs 9000", "exceed_context_size_error", "400"),
            Kind::ContextLength,
        ),
        (
            400,
            error("Missing required parameter", "invalid_request_error", "400"),
            Kind::Rejected,
        ),
        (
            422,
            r#"{"detail":[{"msg":"field required"}]}"#.to_owned(),
            Kind::Rejected,
        ),
        (
            429,
            error("Rate limit exceeded", "throttling_error", "429"),
            Kind::RateLimited,
        ),
        (429, String::new(), Kind::RateLimited),
        (
            500,
            error("mock internal server error", "internal_server_error", "500"),
            Kind::Failed,
        ),
        (
            500,
            r#"{"error":{"message":"Internal server error"}}"#.to_owned(),
            Kind::Failed,
        ),
        (502, "<html>bad gateway</html>".to_owned(), Kind::Failed),
        (
            429,
            error("No deployments available for selected model", "None", "429"),
            Kind::Unavailable,
        ),
        (503, String::new(), Kind::Unavailable),
        (
            408,
            error("litellm.Timeout", "invalid_request_error", "408"),
            Kind::Timeout(TimeoutStage::FirstToken),
        ),
        (504, String::new(), Kind::Timeout(TimeoutStage::FirstToken)),
    ] {
        assert_eq!(kind(status, &body), expected, "{status} {body}");
    }
}

#[test]
fn an_error_in_a_stream_goes_through_the_same_table() {
    use ModelErrorKind as Kind;
    for (error, expected) in [
        (
            r#"{"message":"upstream blew up","type":null,"param":null,"code":"500"}"#,
            Kind::Failed,
        ),
        (r#"{"message":"slow down","code":429}"#, Kind::RateLimited),
        (
            r#"{"message":"slow down","type":"rate_limit_error"}"#,
            Kind::RateLimited,
        ),
        (r#"{"message":"x","type":"overloaded_error"}"#, Kind::Unavailable),
        (
            r#"{"message":"x","type":"budget_exceeded"}"#,
            Kind::BudgetExceeded,
        ),
        (
            r#"{"message":"x","code":"context_length_exceeded"}"#,
            Kind::ContextLength,
        ),
        (
            r#"{"message":"x","code":"408"}"#,
            Kind::Timeout(TimeoutStage::Idle),
        ),
        (r#""boom""#, Kind::Failed),
        ("{}", Kind::Failed),
        ("true", Kind::Failed),
    ] {
        let raw: &RawValue = serde_json::from_str(error).expect("json");
        let read = ModelError::from_error_value(raw, "m", TimeoutStage::Idle);
        assert_eq!(read.kind(), expected, "{error}");
    }
}

#[test]
fn tells_what_may_be_repeated_and_what_opens_the_breaker() {
    for (error, retryable, counts) in [
        (answered(500, ""), true, true),
        (answered(502, ""), true, true),
        (answered(503, ""), true, true),
        (answered(504, ""), true, true),
        (answered(408, ""), true, true),
        (answered(429, ""), true, false),
        (
            answered(429, r#"{"error":"No deployments available"}"#),
            true,
            false,
        ),
        (answered(400, ""), false, false),
        (answered(401, ""), false, false),
        (answered(404, ""), false, false),
        (ModelError::timeout(TimeoutStage::Connect), true, true),
        (
            ModelError::new(ModelErrorKind::Unavailable, "connection refused"),
            true,
            true,
        ),
        (
            ModelError::new(ModelErrorKind::Failed, "empty answer").with_status(200),
            true,
            false,
        ),
        (ModelError::new(ModelErrorKind::Garbled, ""), true, false),
        (ModelError::new(ModelErrorKind::TooLarge, ""), false, false),
    ] {
        assert_eq!(error.retryable_before_first_byte(), retryable, "{error}");
        assert_eq!(error.counts_against_breaker(), counts, "{error}");
    }
}

#[test]
fn users_see_a_code_and_nothing_from_inside() {
    let inside = "OpenAIException - http://10.0.0.1:80 said no to sk-abc. Traceback (most recent call last)";
    for (status, code) in [
        (401, "UPSTREAM_AUTH_FAILED"),
        (500, "UPSTREAM_ERROR"),
        (503, "UPSTREAM_UNAVAILABLE"),
        (429, "UPSTREAM_RATE_LIMITED"),
    ] {
        let object = ApiError::from(answered(status, &error(inside, "None", "None"))).object("r");
        assert_eq!(object.code, code);
        for secret in ["10.0.0.1", "sk-abc", "OpenAI", "Traceback"] {
            assert!(!object.message.contains(secret), "{}", object.message);
        }
    }
}

#[test]
fn a_refusal_carries_the_models_message_but_is_not_logged() {
    let refused = answered(
        400,
        &error("unsupported value 'x' (see https://a.b/c)", "None", "400"),
    );
    assert_eq!(refused.to_string(), "rejected, status 400");
    let object = ApiError::from(refused).object("r");
    assert_eq!(object.code, "UPSTREAM_REJECTED");
    assert_eq!(
        object.message,
        "The model refused the request: unsupported value 'x' (see [address]"
    );
}

#[test]
fn timeouts_name_their_stage_and_retry_after_is_passed_on() {
    let api = ApiError::from(ModelError::timeout(TimeoutStage::Idle));
    assert_eq!(
        (api.status().as_u16(), &api.object("r").details["stage"]),
        (504, &"idle".into())
    );

    let limited = answered(429, "").with_retry_after(Some(Duration::from_millis(59_200)));
    let response = ApiError::from(limited).into_response();
    assert_eq!(response.status(), 429);
    assert_eq!(response.headers()[RETRY_AFTER], "60");
    let response = ApiError::from(answered(503, "")).into_response();
    assert_eq!(response.headers()[RETRY_AFTER], "1");
}
