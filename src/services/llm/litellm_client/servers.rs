//! The servers that models are asked at: LiteLLM or another OpenAI-compatible server, providers directly, or both.
//!
//! A model of a provider that has a key is named `provider/model` and asked for there, by the name behind the slash.
//! Everything else goes to the server at `LITELLM_URL`, under the name that it has.

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};
use secrecy::{ExposeSecret as _, SecretString};

use super::ClientError;
use super::dialect::Dialect;
use super::request::Endpoints;
use crate::config::{DirectProviderSettings, ModelSettings};

/// One of the servers.
pub(super) struct Server {
    /// What it is called in reports, and for a provider what its models' names begin with.
    pub(super) name: &'static str,
    /// Whether it is a provider, which is asked without LiteLLM.
    pub(super) is_direct: bool,
    /// Where it is.
    pub(super) endpoints: Endpoints,
    /// The key, for chats.
    pub(super) authorization: Option<HeaderValue>,
    /// What its lists are asked for with.
    pub(super) list_headers: HeaderMap,
    /// How it wants its requests.
    pub(super) dialect: &'static Dialect,
}

/// All of them.
pub(super) struct Servers(Vec<Server>);

impl Servers {
    /// Those in the settings, the one at `LITELLM_URL` first.
    ///
    /// # Errors
    /// If there are none, or what is wrong with one.
    pub(super) fn new(models: &ModelSettings) -> Result<Self, ClientError> {
        let proxy = models
            .litellm_url
            .as_deref()
            .map(|url| Server::proxy(url, models.litellm_master_key.as_ref()));
        let direct = models.direct_providers.iter().map(Server::direct);
        let servers = proxy.into_iter().chain(direct).collect::<Result<Vec<_>, _>>()?;
        if servers.is_empty() {
            return Err(ClientError::NoServer);
        }
        Ok(Self(servers))
    }

    /// All of them.
    pub(super) fn all(&self) -> &[Server] {
        &self.0
    }

    /// Whether the server at `LITELLM_URL` is one of them.
    pub(super) fn has_proxy(&self) -> bool {
        self.0.iter().any(|server| !server.is_direct)
    }

    /// Where a model is asked for, and by which name. `None` if no server could have it.
    pub(super) fn of<'a>(&'a self, model: &'a str) -> Option<(&'a Server, &'a str)> {
        let direct = self
            .0
            .iter()
            .filter(|server| server.is_direct)
            .find_map(|server| {
                let name = model.strip_prefix(server.name)?.strip_prefix('/')?;
                Some((server, name)).filter(|_| !name.is_empty())
            });
        direct.or_else(|| {
            let proxy = self.0.iter().find(|server| !server.is_direct)?;
            Some((proxy, model))
        })
    }
}

impl Server {
    fn proxy(url: &str, key: Option<&SecretString>) -> Result<Self, ClientError> {
        let authorization = key.map(|key| bearer(key, "LITELLM_MASTER_KEY")).transpose()?;
        Ok(Self {
            name: "litellm",
            is_direct: false,
            endpoints: Endpoints::parse(url).ok_or(ClientError::BadUrl("LITELLM_URL"))?,
            list_headers: authorized(authorization.as_ref()),
            authorization,
            dialect: Dialect::of_proxy(),
        })
    }

    fn direct(settings: &DirectProviderSettings) -> Result<Self, ClientError> {
        let provider = settings.provider;
        let dialect = Dialect::of(provider);
        let authorization = bearer(&settings.key, provider.key_setting())?;
        let mut endpoints =
            Endpoints::parse(&settings.base_url).ok_or(ClientError::BadUrl(provider.url_setting()))?;
        endpoints.models.set_query(dialect.list_query);
        let mut list_headers = authorized(Some(&authorization));
        if let Some(version) = dialect.list_version {
            let mut key = HeaderValue::from_str(settings.key.expose_secret())
                .map_err(|_| ClientError::BadKey(provider.key_setting()))?;
            key.set_sensitive(true);
            list_headers.remove(AUTHORIZATION);
            list_headers.insert("x-api-key", key);
            list_headers.insert("anthropic-version", HeaderValue::from_static(version));
        }
        Ok(Self {
            name: provider.as_str(),
            is_direct: true,
            endpoints,
            authorization: Some(authorization),
            list_headers,
            dialect,
        })
    }
}

fn authorized(authorization: Option<&HeaderValue>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    if let Some(authorization) = authorization {
        headers.insert(AUTHORIZATION, authorization.clone());
    }
    headers
}

fn bearer(key: &SecretString, setting: &'static str) -> Result<HeaderValue, ClientError> {
    let mut value = HeaderValue::from_str(&format!("Bearer {}", key.expose_secret()))
        .map_err(|_| ClientError::BadKey(setting))?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::super::tests::settings;
    use super::*;
    use crate::config::DirectProvider;

    fn with(providers: &[DirectProvider], url: Option<&str>) -> Servers {
        let mut settings = settings("");
        settings.litellm_url = url.map(str::to_owned);
        settings.direct_providers = providers
            .iter()
            .map(|provider| DirectProviderSettings {
                provider: *provider,
                key: SecretString::from("sk-direct"),
                base_url: "https://provider.test/v1".to_owned(),
            })
            .collect();
        Servers::new(&settings).expect("servers")
    }

    fn of<'a>(servers: &'a Servers, model: &'a str) -> Option<(&'static str, &'a str)> {
        servers.of(model).map(|(server, name)| (server.name, name))
    }

    #[test]
    fn a_model_is_asked_for_where_its_name_says() {
        let both = with(
            &[DirectProvider::OpenAi, DirectProvider::OpenRouter],
            Some("http://litellm:4000"),
        );
        for (model, server, name) in [
            ("openai/gpt-4o", "openai", "gpt-4o"),
            ("openrouter/openai/gpt-4o", "openrouter", "openai/gpt-4o"),
            ("gpt-4o", "litellm", "gpt-4o"),
            ("anthropic/claude", "litellm", "anthropic/claude"),
            ("openai", "litellm", "openai"),
            ("openai/", "litellm", "openai/"),
            ("openaix/gpt", "litellm", "openaix/gpt"),
        ] {
            assert_eq!(of(&both, model), Some((server, name)), "{model}");
        }
    }

    #[test]
    fn without_a_proxy_only_providers_have_models() {
        let direct = with(&[DirectProvider::Groq], None);
        assert_eq!(of(&direct, "groq/llama"), Some(("groq", "llama")));
        assert_eq!(of(&direct, "openai/gpt-4o"), None);
        assert!(!direct.has_proxy());
    }

    #[test]
    fn keys_go_where_they_belong() {
        let servers = with(&[DirectProvider::Anthropic, DirectProvider::Mistral], None);
        let [anthropic, mistral] = servers.all() else {
            panic!("two servers")
        };
        assert_eq!(
            anthropic.authorization.as_ref().expect("a key"),
            "Bearer sk-direct"
        );
        assert_eq!(anthropic.list_headers["x-api-key"], "sk-direct");
        assert!(!anthropic.list_headers.contains_key(AUTHORIZATION));
        assert_eq!(mistral.list_headers[AUTHORIZATION], "Bearer sk-direct");
        assert!(mistral.list_headers.values().all(HeaderValue::is_sensitive));
    }
}
