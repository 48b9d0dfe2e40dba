//! The command line, with the real binary.

use std::path::Path;

use serde_json::json;
use tempfile::TempDir;
use uuid::Uuid;

use crate::support::process::{Output, Process, run};
use crate::support::{Client, TestServer, eventually, token};

/// The exit status for settings that are not valid (`EX_CONFIG`).
const EX_CONFIG: i32 = 78;

fn data_dir() -> TempDir {
    TempDir::new().expect("a temporary folder")
}

fn utf8(path: &Path) -> &str {
    path.to_str().expect("a UTF-8 path")
}

/// The first JWT in a text.
fn first_token(text: &str) -> Option<String> {
    let is_token_part = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let mut words = text.split(|c| !is_token_part(c));
    words.find(|word| word.starts_with("eyJ")).map(str::to_owned)
}

#[track_caller]
fn assert_success(output: &Output) {
    assert_eq!(output.code, Some(0), "{output:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn token_prints_a_token_that_gets_in() {
    let server = TestServer::start().await;
    let dir = data_dir();
    let settings = [("DATA_DIR", utf8(dir.path())), ("JWT_SECRET_KEY", token::SECRET)];
    let id = Uuid::from_u128(0x42);
    let arguments = [
        "token",
        "--user",
        &id.to_string(),
        "--email",
        "a@example.com",
        "--ttl",
        "60",
    ];
    let output = run(&arguments, &settings).await;
    assert_success(&output);
    let user = server.anonymous().with_token(output.stdout.trim());
    let made = user.post("/v1/conversations", &json!({})).await.data(201);
    assert_eq!(made["user_id"], id.to_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn token_refuses_a_user_that_is_no_uuid() {
    let dir = data_dir();
    let output = run(&["token", "--user", "me"], &[("DATA_DIR", utf8(dir.path()))]).await;
    assert_eq!(output.code, Some(2), "{output:?}");
    assert!(output.stderr.contains("--user"), "{output:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_belongs_to_the_installation() {
    let (here, elsewhere) = (data_dir(), data_dir());
    let process = Process::serve(here.path(), &[]).await;
    for (dir, status) in [(&here, 200), (&elsewhere, 401)] {
        let output = run(&["token"], &[("DATA_DIR", utf8(dir.path()))]).await;
        assert_success(&output);
        let user = Client::anonymous(&process.base).with_token(output.stdout.trim());
        assert_eq!(user.get("/v1/conversations").await.status, status);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bare_start_shows_how_to_chat_and_chats() {
    let dir = data_dir();
    let process = Process::serve(dir.path(), &[]).await;
    let token = eventually("the first start's advice", async || {
        let shown = process.stdout();
        (shown.contains("/docs") && shown.contains("curl"))
            .then(|| first_token(&shown))
            .flatten()
    })
    .await;
    let user = Client::anonymous(&process.base).with_token(token);
    let transcript = user
        .chat_stream(&json!({"message": "Hello"}))
        .await
        .finish()
        .await;
    assert!(transcript.text().contains("Hello"), "{transcript:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_secret_and_the_token_stay_out_of_later_starts() {
    let dir = data_dir();
    drop(Process::serve(dir.path(), &[]).await);
    let process = Process::serve(dir.path(), &[]).await;
    let printed = process.stdout() + &process.stderr();
    assert_eq!(
        first_token(&printed),
        None,
        "a token is printed on the first start only: {printed}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn openapi_prints_what_the_server_serves() {
    let server = TestServer::start().await;
    let output = run(&["openapi"], &[]).await;
    assert_success(&output);
    let printed: serde_json::Value = serde_json::from_str(&output.stdout).expect("JSON");
    assert_eq!(printed, server.anonymous().get("/openapi.json").await.json());
}

#[tokio::test(flavor = "multi_thread")]
async fn healthcheck_tells_a_running_server_from_none() {
    let dir = data_dir();
    let mut process = Process::serve(dir.path(), &[]).await;
    let port = process.base.rsplit_once(':').expect("a port").1.to_owned();
    assert_success(&run(&["healthcheck"], &[("PORT", &port)]).await);
    process.kill();
    let output = run(&["healthcheck"], &[("PORT", &port)]).await;
    assert_eq!(output.code, Some(1), "{output:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn migrate_makes_the_database_and_may_be_repeated() {
    let dir = data_dir();
    let settings = [("DATA_DIR", utf8(dir.path()))];
    for _ in 0..2 {
        assert_success(&run(&["migrate"], &settings).await);
    }
    assert!(dir.path().join("orchestrator.db").is_file());
}

#[tokio::test(flavor = "multi_thread")]
async fn all_problems_with_the_settings_are_printed_at_once() {
    let dir = data_dir();
    let settings = [
        ("DATA_DIR", utf8(dir.path())),
        ("PORT", "seventy"),
        ("ENVIRONMENT", "moon"),
        ("MAX_TEMPERATURE", "hot"),
        ("LITELLM_URL", "not a url"),
        ("LITELLM_MASTER_KEY", "sk-very-secret"),
    ];
    let output = run(&["serve"], &settings).await;
    assert_eq!(output.code, Some(EX_CONFIG), "{output:?}");
    for expected in [
        "PORT",
        "seventy",
        "ENVIRONMENT",
        "moon",
        "production",
        "MAX_TEMPERATURE",
        "hot",
        "LITELLM_URL",
    ] {
        assert!(
            output.stderr.contains(expected),
            "no {expected} in {}",
            output.stderr
        );
    }
    assert!(!output.stderr.contains("sk-very-secret"), "{}", output.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn production_refuses_development_defaults() {
    let dir = data_dir();
    let settings = [("DATA_DIR", utf8(dir.path())), ("ENVIRONMENT", "production")];
    let output = run(&["serve"], &settings).await;
    assert_eq!(output.code, Some(EX_CONFIG), "{output:?}");
    for setting in ["JWT_SECRET_KEY", "LITELLM_URL"] {
        assert!(
            output.stderr.contains(setting),
            "no {setting} in {}",
            output.stderr
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_servers_do_not_share_a_data_folder() {
    let dir = data_dir();
    let _first = Process::serve(dir.path(), &[]).await;
    let settings = [
        ("DATA_DIR", utf8(dir.path())),
        ("PORT", "0"),
        ("SHUTDOWN_TIMEOUT", "1"),
    ];
    let output = run(&["serve"], &settings).await;
    assert_ne!(output.code, Some(0), "{output:?}");
    let said = output.stdout + &output.stderr;
    assert!(
        said.contains(utf8(dir.path())),
        "the reason names the folder: {said}"
    );
}
