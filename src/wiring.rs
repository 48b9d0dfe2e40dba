//! The services, each made once and handed to those that use it.
//!
//! Nothing runs here: `serve` starts what is made, and unit tests serve from it without starting anything.

use std::sync::Arc;

use tokio_util::task::TaskTracker;

use crate::config::{SecretBytes, Settings};
use crate::models::money::Money;
use crate::services::analytics::{AnalyticsParts, AnalyticsService, FeatureUses};
use crate::services::api_keys::{ApiKeyParts, ApiKeyService};
use crate::services::auth::{Authenticator, FailedAttempts};
use crate::services::billing::{Billing, BillingParts, BillingSettings};
use crate::services::cache::{Cache, CacheParts};
use crate::services::catalog::{Catalog, CatalogParts};
use crate::services::chat::{ChatParts, ChatService, ChatSettings};
use crate::services::conversations::{
    CachedConversations, ConversationParts, ConversationService, ConversationSettings, ConversationStore,
    StoreLimits,
};
use crate::services::embeddings::{EmbeddingsParts, EmbeddingsService};
use crate::services::generation::{Engine, EngineParts, EngineSettings};
use crate::services::health::{CacheCheck, Check, ConversationsCheck, HealthService, ModelCheck};
use crate::services::lifecycle::Lifecycle;
use crate::services::llm::Model;
use crate::services::llm::demo::DEMO_MODEL;
use crate::services::outbox::{JournalError, Outbox};
use crate::services::privacy::{Erasure, ErasureParts, UserDataExport, UserDataExportParts};
use crate::services::rate_limit::RequestLimits;
use crate::services::redis::Redis;
use crate::services::sql::OpenDatabase;
use crate::services::users::{CachedProfiles, UserLimits, UserParts, UserService};
use crate::state::Services;
use crate::utils::clock::Clock;
use crate::utils::metrics::Metrics;

/// What the services are made of.
pub(crate) struct Wiring {
    pub(crate) settings: Arc<Settings>,
    pub(crate) secret: SecretBytes,
    pub(crate) database: OpenDatabase,
    pub(crate) redis: Option<Redis>,
    /// Where writes run that outlive their request.
    pub(crate) background: TaskTracker,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) model: Arc<dyn Model>,
    pub(crate) clock: Clock,
}

impl Wiring {
    /// The services, each made once. Nothing runs yet.
    pub(crate) fn services(&self, lifecycle: Lifecycle) -> Result<(Services, Outbox), JournalError> {
        let settings = &self.settings;
        let cache = self.cache();
        let store: Arc<dyn ConversationStore> = Arc::new(CachedConversations::new(
            self.database.conversations(limits(settings)),
            cache.clone(),
            settings.cache.ttl_conversations,
            self.background.clone(),
        ));
        let outbox = Outbox::open(
            &settings.app.data_dir,
            self.database.outbox(),
            store.clone(),
            self.database.ledger(limits(settings)),
            self.metrics.clone(),
            self.clock.clone(),
        )?;
        let catalog = Arc::new(Catalog::new(CatalogParts {
            server: self.model.clone(),
            ttl: settings.cache.ttl_models,
            metrics: self.metrics.clone(),
            clock: self.clock.clone(),
        }));
        let billing = Arc::new(Billing::new(BillingParts {
            records: self.database.accounts(limits(settings)),
            prices: catalog.clone(),
            model: self.model.clone(),
            metrics: self.metrics.clone(),
            clock: self.clock.clone(),
            settings: BillingSettings::new(&settings.business, &settings.models, settings.cache.max_entries),
        }));
        let engine = Engine::new(EngineParts {
            model: self.model.clone(),
            billing: billing.clone(),
            store: store.clone(),
            records: self.database.generations(),
            outbox: outbox.clone(),
            redis: self.redis.clone(),
            metrics: self.metrics.clone(),
            lifecycle: lifecycle.clone(),
            clock: self.clock.clone(),
            settings: engine_settings(settings),
        });
        let users = Arc::new(self.users(&cache, &billing));
        let feature_uses = FeatureUses::new(
            self.database.usage_sums(),
            self.metrics.clone(),
            self.clock.clone(),
        );
        let chat = ChatService::new(ChatParts {
            users: users.clone(),
            feature_uses: feature_uses.clone(),
            engine: engine.clone(),
            store: store.clone(),
            billing: billing.clone(),
            outbox: outbox.clone(),
            metrics: self.metrics.clone(),
            lifecycle: lifecycle.clone(),
            clock: self.clock.clone(),
            settings: self.chat_settings(),
        });
        let embeddings = EmbeddingsService::new(EmbeddingsParts {
            model: self.model.clone(),
            engine: engine.clone(),
            billing: billing.clone(),
            outbox: outbox.clone(),
            metrics: self.metrics.clone(),
            lifecycle: lifecycle.clone(),
            clock: self.clock.clone(),
            limit: settings.load.stream_timeout,
        });
        let conversations = Arc::new(ConversationService::new(ConversationParts {
            store: store.clone(),
            answers: Arc::new(engine.clone()),
            feature_uses: feature_uses.clone(),
            metrics: self.metrics.clone(),
            clock: self.clock.clone(),
            settings: ConversationSettings::new(&settings.app, &settings.business, &settings.features),
        }));
        let user_data = self.database.user_data(limits(settings));
        let erasure = Erasure::new(ErasureParts {
            data: user_data.clone(),
            answers: Arc::new(engine.clone()),
            outbox: Some(outbox.clone()),
            cache: Some(cache.clone()),
            redis: self.redis.clone(),
            tracker: self.background.clone(),
            metrics: self.metrics.clone(),
        });
        let user_data_export = UserDataExport::new(UserDataExportParts {
            data: user_data,
            users: users.clone(),
            api_keys: self.database.api_keys(),
            billing: billing.clone(),
            conversations: conversations.clone(),
            metrics: self.metrics.clone(),
            clock: self.clock.clone(),
            enabled: settings.features.user_data_export,
        });
        let checks: Vec<Arc<dyn Check>> = vec![
            self.database.check(),
            Arc::new(ConversationsCheck::new(store)),
            Arc::new(CacheCheck::new(self.redis.clone())),
            Arc::new(ModelCheck::new(self.model.clone())),
            Arc::new(outbox.clone()),
        ];
        let authenticator = Authenticator::new(
            &settings.security,
            settings.cache.max_entries,
            &self.secret,
            &self.metrics,
            self.clock.clone(),
        );
        let services = Services {
            settings: settings.clone(),
            metrics: self.metrics.clone(),
            authenticator: Arc::new(authenticator),
            api_keys: Arc::new(self.api_keys()),
            users,
            analytics: Arc::new(self.analytics()),
            feature_uses,
            billing,
            cache,
            catalog,
            failed_attempts: Arc::new(FailedAttempts::new(self.redis.as_ref(), &self.metrics)),
            request_limits: RequestLimits::new(&settings.load, self.redis.as_ref(), &self.metrics)
                .map(Arc::new),
            lifecycle,
            health: Arc::new(HealthService::new(checks, settings, self.clock.clone())),
            chat: Arc::new(chat),
            embeddings: Arc::new(embeddings),
            conversations,
            erasure,
            user_data_export: Arc::new(user_data_export),
            engine,
            clock: self.clock.clone(),
        };
        Ok((services, outbox))
    }

    fn api_keys(&self) -> ApiKeyService {
        ApiKeyService::new(ApiKeyParts {
            records: self.database.api_keys(),
            enabled: self.settings.features.user_api_keys,
            remembered: self.settings.cache.max_entries,
            tracker: self.background.clone(),
            metrics: self.metrics.clone(),
            clock: self.clock.clone(),
        })
    }

    fn users(&self, cache: &Cache, billing: &Arc<Billing>) -> UserService {
        let Settings { models, business, .. } = &*self.settings;
        UserService::new(UserParts {
            accounts: billing.clone(),
            profiles: Arc::new(CachedProfiles::new(
                self.database.profiles(),
                cache.clone(),
                self.settings.cache.ttl_user_profile,
                self.background.clone(),
            )),
            limits: UserLimits {
                temperature: models.max_temperature,
                output_tokens: models.max_output_tokens,
                context_messages: business.max_context_messages,
            },
            metrics: self.metrics.clone(),
        })
    }

    fn analytics(&self) -> AnalyticsService {
        AnalyticsService::new(AnalyticsParts {
            sums: self.database.usage_sums(),
            enabled: self.settings.features.user_analytics,
            clock: self.clock.clone(),
        })
    }

    fn cache(&self) -> Cache {
        Cache::new(CacheParts {
            redis: self.redis.clone(),
            // The file is locked; what others write to a server is heard of through Redis alone.
            is_alone: matches!(self.database, OpenDatabase::Sqlite(_)),
            max_entries: self.settings.cache.max_entries,
            metrics: self.metrics.clone(),
            clock: self.clock.clone(),
        })
    }

    fn chat_settings(&self) -> ChatSettings {
        let settings = &self.settings;
        let demo = settings.models.is_demo().then_some(DEMO_MODEL);
        ChatSettings::new(&settings.models, &settings.load, &settings.business, demo)
    }
}

/// The limits of what users keep and spend.
pub(crate) fn limits(settings: &Settings) -> StoreLimits {
    StoreLimits {
        conversations: settings.business.max_conversations_per_user,
        branches: settings.business.max_branches_per_conversation,
        messages: settings.business.max_messages_per_conversation,
        context_messages: settings.business.max_context_messages,
        new_user_budget: settings.business.default_user_budget_nano.map(Money::from_nano),
    }
}

fn engine_settings(settings: &Settings) -> EngineSettings {
    EngineSettings {
        max_streams_per_user: settings.load.max_streams_per_user,
        stream_timeout: settings.load.stream_timeout,
        stream_retention: settings.load.stream_retention,
        replay_max_bytes: settings.load.replay_max_bytes,
        checkpoint_interval: settings.load.checkpoint_interval,
    }
}
