//! What a developer is told when the service starts for the first time.

use std::net::SocketAddr;

use crate::config::Settings;

/// The lines: where to go, what is in use, and a chat to copy. They hold a token and are never logged.
pub(super) fn first_start(settings: &Settings, addr: SocketAddr, token: &str) -> String {
    let base = base_url(addr);
    let models = match settings.models.backend() {
        "demo" => "demo/echo, built in: it repeats what you say (set LITELLM_URL for real models)",
        "litellm" => "the model server at LITELLM_URL",
        _ => "the providers whose keys are set",
    };
    let docs = if settings.features.docs {
        format!("\n  Documentation  {base}/docs")
    } else {
        String::new()
    };
    format!(
        r#"
{name} is ready.

  Address        {base}{docs}
  Data           SQLite in {data}
  Cache          in this process
  Models         {models}
  Token          {token}

This token is shown once; for another: {program} token. Chat now:

  curl -N {base}/v1/chat/completions \
    -H 'Authorization: Bearer {token}' \
    -H 'Content-Type: application/json' \
    -d '{{"message": "Hello, who are you?"}}'
"#,
        name = settings.app.name,
        program = std::env::args()
            .next()
            .unwrap_or_else(|| "ai-chat-orchestrator".to_owned()),
        data = settings.app.data_dir.display(),
    )
}

/// Where a client on this machine reaches the server.
pub(super) fn base_url(addr: SocketAddr) -> String {
    if addr.ip().is_unspecified() {
        format!("http://localhost:{}", addr.port())
    } else {
        format!("http://{addr}")
    }
}
