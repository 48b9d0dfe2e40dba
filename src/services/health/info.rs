//! What is running here, from the settings alone.

use crate::config::{DatabaseSettings, DatabaseUrl, Environment, Settings};
use crate::models::health::{Backends, Info, Limits};

/// The commit that this binary was built from, or `unknown`.
pub const COMMIT: &str = env!("BUILD_COMMIT");

/// The answer of `/info`.
#[must_use]
pub fn info(settings: &Settings) -> Info {
    Info {
        service: settings.app.name.clone(),
        version: settings.app.version.clone(),
        commit: COMMIT.to_owned(),
        environment: environment(settings.app.environment).to_owned(),
        features: features(settings),
        limits: Limits {
            max_body_bytes: settings.security.max_body_bytes,
            max_import_bytes: settings.security.max_import_bytes,
            max_message_length: settings.business.max_message_length,
            max_context_messages: settings.business.max_context_messages,
            max_conversations_per_user: settings.business.max_conversations_per_user,
            max_branches_per_conversation: settings.business.max_branches_per_conversation,
            max_messages_per_conversation: settings.business.max_messages_per_conversation,
            max_batch_operation_size: settings.business.max_batch_operation_size,
            max_output_tokens: settings.models.max_output_tokens,
            max_page_size: settings.business.max_page_size,
            max_concurrent_streams_per_user: settings.load.max_streams_per_user,
        },
        backends: Backends {
            store: store(&settings.database),
            models: settings.models.backend(),
        },
    }
}

const fn environment(environment: Environment) -> &'static str {
    match environment {
        Environment::Development => "development",
        Environment::Staging => "staging",
        Environment::Production => "production",
    }
}

/// The switches that are on. A switch is listed from the day on which there is something behind it.
fn features(settings: &Settings) -> Vec<String> {
    let features = &settings.features;
    [
        ("branch_merging", features.branch_merging),
        ("message_editing", features.message_editing),
        ("conversation_export", features.conversation_export),
        ("user_analytics", features.user_analytics),
        ("user_api_keys", features.user_api_keys),
        ("batch_operations", features.batch_operations),
        ("docs", features.docs),
        ("metrics", settings.monitoring.metrics),
    ]
    .into_iter()
    .filter(|(_, on)| *on)
    .map(|(name, _)| name.to_owned())
    .collect()
}

const fn store(settings: &DatabaseSettings) -> &'static str {
    match settings.url {
        DatabaseUrl::Sqlite(_) => "sqlite",
        DatabaseUrl::Postgres(_) => "postgresql",
    }
}
