//! Providers of models that are called without LiteLLM.

use secrecy::SecretString;

/// A provider with an OpenAI-compatible endpoint of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DirectProvider {
    /// OpenAI.
    OpenAi,
    /// Anthropic.
    Anthropic,
    /// Google's Gemini API.
    Gemini,
    /// Mistral AI.
    Mistral,
    /// Groq.
    Groq,
    /// OpenRouter.
    OpenRouter,
}

impl DirectProvider {
    /// What the names of its models begin with, before a slash.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::Anthropic => "anthropic",
            Self::Gemini => "gemini",
            Self::Mistral => "mistral",
            Self::Groq => "groq",
            Self::OpenRouter => "openrouter",
        }
    }

    /// The setting of its key.
    #[must_use]
    pub const fn key_setting(self) -> &'static str {
        match self {
            Self::OpenAi => "OPENAI_API_KEY",
            Self::Anthropic => "ANTHROPIC_API_KEY",
            Self::Gemini => "GEMINI_API_KEY",
            Self::Mistral => "MISTRAL_API_KEY",
            Self::Groq => "GROQ_API_KEY",
            Self::OpenRouter => "OPENROUTER_API_KEY",
        }
    }

    /// The setting of its base URL.
    #[must_use]
    pub const fn url_setting(self) -> &'static str {
        match self {
            Self::OpenAi => "OPENAI_BASE_URL",
            Self::Anthropic => "ANTHROPIC_BASE_URL",
            Self::Gemini => "GEMINI_BASE_URL",
            Self::Mistral => "MISTRAL_BASE_URL",
            Self::Groq => "GROQ_BASE_URL",
            Self::OpenRouter => "OPENROUTER_BASE_URL",
        }
    }
}

/// A provider that there is a key for.
#[derive(Debug, Clone)]
pub struct DirectProviderSettings {
    /// Which one.
    pub provider: DirectProvider,
    /// Its key.
    pub key: SecretString,
    /// Its base URL with the version, without a trailing slash.
    pub base_url: String,
}
