//! The model servers and the limits of a model call.

use crate::config::catalogue::{Setting, is, settings, unset};
use crate::config::providers::{DirectProvider, DirectProviderSettings};
use crate::config::reader::Reader;
use crate::config::sections::ModelSettings;
use crate::config::syntax::{Decimal, Fallbacks, HttpUrl, Seconds, Secret, Text, Whole};

settings! {
    Models:
    LITELLM_URL: HttpUrl = HttpUrl, unset("http://localhost:4000"),
        "LiteLLM or any OpenAI-compatible server, with or without /v1; without it and any key below a built-in demo model answers";
    LITELLM_MASTER_KEY: Secret = Secret, unset(""),
        "key for that server";
    LITELLM_TIMEOUT: Seconds = Seconds::new(0.05, 3600.0), is("120"),
        "longest silence between chunks; not streamed: seconds for the whole answer";
    LITELLM_CONNECT_TIMEOUT: Seconds = Seconds::new(0.05, 300.0), is("5"),
        "seconds to connect";
    LITELLM_FIRST_TOKEN_TIMEOUT: Seconds = Seconds::new(0.05, 3600.0), is("60"),
        "seconds until the first token of a stream";
    LITELLM_MAX_RETRIES: Whole<u32> = Whole::new(0, 10), is("2"),
        "repeats of a call that failed before its first token";
    DEFAULT_MODEL: Text = Text::up_to(200), unset("gpt-4o-mini"),
        "model for requests that name none";
    DEFAULT_MAX_TOKENS: Whole<u32> = Whole::new(1, 1_000_000), is("2000"),
        "output tokens for requests that name no limit";
    MAX_OUTPUT_TOKENS: Whole<u32> = Whole::new(1, 1_000_000), is("32768"),
        "most output tokens that a request may ask for";
    MAX_TEMPERATURE: Decimal = Decimal::new(0.0, 10.0), is("2.0"),
        "highest temperature that a request may ask for";
    FALLBACK_MODELS: Fallbacks = Fallbacks, unset("gpt-4o=gpt-4o-mini|claude-haiku"),
        "models to try when one cannot answer before its first token";
    OPENAI_API_KEY: Secret = Secret, unset(""),
        "key for OpenAI without LiteLLM; its models are then named openai/…";
    ANTHROPIC_API_KEY: Secret = Secret, unset(""),
        "key for Anthropic without LiteLLM; its models are then named anthropic/…";
    GEMINI_API_KEY: Secret = Secret, unset(""),
        "key for Gemini without LiteLLM; its models are then named gemini/…";
    MISTRAL_API_KEY: Secret = Secret, unset(""),
        "key for Mistral without LiteLLM; its models are then named mistral/…";
    GROQ_API_KEY: Secret = Secret, unset(""),
        "key for Groq without LiteLLM; its models are then named groq/…";
    OPENROUTER_API_KEY: Secret = Secret, unset(""),
        "key for OpenRouter without LiteLLM; its models are then named openrouter/…";
    OPENAI_BASE_URL: HttpUrl = HttpUrl, is("https://api.openai.com/v1"),
        "where OpenAI is, with the version";
    ANTHROPIC_BASE_URL: HttpUrl = HttpUrl, is("https://api.anthropic.com/v1"),
        "where Anthropic is, with the version";
    GEMINI_BASE_URL: HttpUrl = HttpUrl, is("https://generativelanguage.googleapis.com/v1beta/openai"),
        "where Gemini is, with the version";
    MISTRAL_BASE_URL: HttpUrl = HttpUrl, is("https://api.mistral.ai/v1"),
        "where Mistral is, with the version";
    GROQ_BASE_URL: HttpUrl = HttpUrl, is("https://api.groq.com/openai/v1"),
        "where Groq is, with the version";
    OPENROUTER_BASE_URL: HttpUrl = HttpUrl, is("https://openrouter.ai/api/v1"),
        "where OpenRouter is, with the version";
}

pub fn read(reader: &mut Reader) -> ModelSettings {
    ModelSettings {
        litellm_url: reader.optional(&LITELLM_URL),
        litellm_master_key: reader.optional(&LITELLM_MASTER_KEY),
        idle_timeout: reader.value(&LITELLM_TIMEOUT),
        connect_timeout: reader.value(&LITELLM_CONNECT_TIMEOUT),
        first_token_timeout: reader.value(&LITELLM_FIRST_TOKEN_TIMEOUT),
        max_retries: reader.value(&LITELLM_MAX_RETRIES),
        default_model: reader.optional(&DEFAULT_MODEL),
        default_max_tokens: reader.value(&DEFAULT_MAX_TOKENS),
        max_output_tokens: reader.value(&MAX_OUTPUT_TOKENS),
        max_temperature: reader.value(&MAX_TEMPERATURE),
        fallbacks: reader.value(&FALLBACK_MODELS),
        direct_providers: direct_providers(reader),
    }
}

/// The providers that there is a key for.
fn direct_providers(reader: &mut Reader) -> Vec<DirectProviderSettings> {
    let all: [(DirectProvider, &Setting<Secret>, &Setting<HttpUrl>); 6] = [
        (DirectProvider::OpenAi, &OPENAI_API_KEY, &OPENAI_BASE_URL),
        (DirectProvider::Anthropic, &ANTHROPIC_API_KEY, &ANTHROPIC_BASE_URL),
        (DirectProvider::Gemini, &GEMINI_API_KEY, &GEMINI_BASE_URL),
        (DirectProvider::Mistral, &MISTRAL_API_KEY, &MISTRAL_BASE_URL),
        (DirectProvider::Groq, &GROQ_API_KEY, &GROQ_BASE_URL),
        (
            DirectProvider::OpenRouter,
            &OPENROUTER_API_KEY,
            &OPENROUTER_BASE_URL,
        ),
    ];
    all.into_iter()
        .filter_map(|(provider, key, url)| {
            // Read even where there is no key, so that its problems are reported.
            let (key, base_url) = (reader.optional(key), reader.value(url));
            Some(DirectProviderSettings {
                provider,
                key: key?,
                base_url,
            })
        })
        .collect()
}
