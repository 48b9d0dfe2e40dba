//! How servers want their requests: what each calls the token limit, and which fields it refuses.
//!
//! LiteLLM takes everything and translates it. Providers refuse whole requests for one field that they do not know, so
//! what they refuse is left out, and what they call otherwise is renamed. Nothing is added.

use crate::config::DirectProvider;
use crate::services::llm::token_limit;
use crate::utils::json::RawObject;

/// What OpenAI's reasoning models refuse, and what the names of these models begin with.
const SAMPLING: &[&str] = &[
    "temperature",
    "top_p",
    "presence_penalty",
    "frequency_penalty",
    "logprobs",
    "top_logprobs",
    "logit_bias",
];
const OPENAI_REASONING: &[&str] = &["o1", "o3", "o4", "gpt-5", "gpt-6"];

/// How one kind of server wants its requests.
#[derive(Debug)]
pub(super) struct Dialect {
    /// What the token limit is called; `None` leaves it as it was given.
    token_limit: Option<&'static str>,
    /// Fields that are left out.
    refused: &'static [&'static str],
    /// Fields that have another name there.
    renamed: &'static [(&'static str, &'static str)],
    /// The beginnings of names of models that refuse [`SAMPLING`], too.
    reasoning: &'static [&'static str],
    /// Whether it has embeddings.
    pub(super) has_embeddings: bool,
    /// The query of the list of models.
    pub(super) list_query: Option<&'static str>,
    /// The version of Anthropic's own API, which the list of its models belongs to.
    pub(super) list_version: Option<&'static str>,
}

/// Whoever takes requests as they are.
const PROXY: Dialect = Dialect {
    token_limit: None,
    refused: &[],
    renamed: &[],
    reasoning: &[],
    has_embeddings: true,
    list_query: None,
    list_version: None,
};

const OPENAI: Dialect = Dialect {
    token_limit: Some("max_completion_tokens"),
    reasoning: OPENAI_REASONING,
    ..PROXY
};

const ANTHROPIC: Dialect = Dialect {
    token_limit: Some("max_tokens"),
    has_embeddings: false,
    list_query: Some("limit=1000"),
    list_version: Some("2023-06-01"),
    ..PROXY
};

const GEMINI: Dialect = Dialect {
    token_limit: Some("max_tokens"),
    refused: &["user", "logit_bias", "seed"],
    ..PROXY
};

const MISTRAL: Dialect = Dialect {
    token_limit: Some("max_tokens"),
    refused: &["user", "stream_options", "logit_bias", "logprobs", "top_logprobs"],
    renamed: &[("seed", "random_seed"), ("dimensions", "output_dimension")],
    ..PROXY
};

const GROQ: Dialect = Dialect {
    token_limit: Some("max_completion_tokens"),
    refused: &["logit_bias", "logprobs", "top_logprobs"],
    has_embeddings: false,
    ..PROXY
};

const OPENROUTER: Dialect = Dialect {
    token_limit: Some("max_tokens"),
    ..PROXY
};

impl Dialect {
    /// LiteLLM's, and that of any server of which nothing is known.
    pub(super) const fn of_proxy() -> &'static Self {
        &PROXY
    }

    /// A provider's.
    pub(super) const fn of(provider: DirectProvider) -> &'static Self {
        match provider {
            DirectProvider::OpenAi => &OPENAI,
            DirectProvider::Anthropic => &ANTHROPIC,
            DirectProvider::Gemini => &GEMINI,
            DirectProvider::Mistral => &MISTRAL,
            DirectProvider::Groq => &GROQ,
            DirectProvider::OpenRouter => &OPENROUTER,
        }
    }

    /// Makes a request for this model one that the server takes.
    pub(super) fn adapt(&self, body: &mut RawObject, model: &str) {
        if let Some(name) = self.token_limit {
            token_limit::rename(body, name);
        }
        for (from, to) in self.renamed {
            if let Some(value) = body.remove(from) {
                body.set(to, value);
            }
        }
        let is_reasoning = self.reasoning.iter().any(|family| model.starts_with(family));
        let sampling = if is_reasoning { SAMPLING } else { &[] };
        for name in self.refused.iter().chain(sampling) {
            body.remove(name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn adapted(provider: DirectProvider, model: &str, body: &str) -> String {
        let mut body = serde_json::from_str(body).expect("an object");
        Dialect::of(provider).adapt(&mut body, model);
        serde_json::to_string(&body).expect("json")
    }

    #[test]
    fn the_token_limit_has_the_name_that_is_wanted() {
        for (provider, given, wanted) in [
            (
                DirectProvider::OpenAi,
                r#"{"max_tokens":5}"#,
                r#"{"max_completion_tokens":5}"#,
            ),
            (
                DirectProvider::Groq,
                r#"{"max_tokens":5}"#,
                r#"{"max_completion_tokens":5}"#,
            ),
            (
                DirectProvider::Mistral,
                r#"{"max_completion_tokens":5}"#,
                r#"{"max_tokens":5}"#,
            ),
            (
                DirectProvider::Anthropic,
                r#"{"max_completion_tokens":5,"max_tokens":7}"#,
                r#"{"max_tokens":7}"#,
            ),
            (DirectProvider::OpenRouter, r#"{"x":1}"#, r#"{"x":1}"#),
        ] {
            assert_eq!(adapted(provider, "m", given), wanted);
        }
    }

    #[test]
    fn what_is_refused_is_left_out() {
        let body = r#"{"user":"u","stream_options":{},"seed":1,"temperature":0.5,"tools":[1]}"#;
        assert_eq!(
            adapted(DirectProvider::Mistral, "mistral-small", body),
            r#"{"temperature":0.5,"tools":[1],"random_seed":1}"#
        );
        assert_eq!(
            adapted(DirectProvider::Gemini, "gemini-2.5-pro", body),
            r#"{"stream_options":{},"temperature":0.5,"tools":[1]}"#
        );
        assert_eq!(
            adapted(
                DirectProvider::Mistral,
                "codestral-embed",
                r#"{"input":"x","user":"u","dimensions":256}"#
            ),
            r#"{"input":"x","output_dimension":256}"#
        );
        assert_eq!(adapted(DirectProvider::OpenAi, "gpt-4o", body), body);
        assert_eq!(
            adapted(
                DirectProvider::OpenAi,
                "o3-mini",
                r#"{"temperature":0.5,"top_p":1,"seed":1}"#
            ),
            r#"{"seed":1}"#
        );
    }

    #[test]
    fn a_proxy_gets_every_byte() {
        let json = r#"{"max_tokens":5,"max_completion_tokens":6,"user":"u","temperature":1.50}"#;
        let mut body = serde_json::from_str(json).expect("an object");
        Dialect::of_proxy().adapt(&mut body, "o3");
        assert_eq!(serde_json::to_string(&body).expect("json"), json);
    }
}
