//! Who made a model, judged by its names and by who runs it.

use crate::models::model::Provider;

/// What a part of a model's name begins with, and whose it then is.
const FAMILIES: [(&str, Provider); 44] = [
    ("gpt", Provider::Openai),
    ("chatgpt", Provider::Openai),
    ("o1", Provider::Openai),
    ("o3", Provider::Openai),
    ("o4", Provider::Openai),
    ("dall", Provider::Openai),
    ("whisper", Provider::Openai),
    ("davinci", Provider::Openai),
    ("sora", Provider::Openai),
    ("claude", Provider::Anthropic),
    ("gemini", Provider::Google),
    ("gemma", Provider::Google),
    ("imagen", Provider::Google),
    ("veo", Provider::Google),
    ("llama", Provider::Meta),
    ("codellama", Provider::Meta),
    ("mistral", Provider::Mistral),
    ("mixtral", Provider::Mistral),
    ("ministral", Provider::Mistral),
    ("magistral", Provider::Mistral),
    ("codestral", Provider::Mistral),
    ("devstral", Provider::Mistral),
    ("pixtral", Provider::Mistral),
    ("voxtral", Provider::Mistral),
    ("command", Provider::Cohere),
    ("aya", Provider::Cohere),
    ("deepseek", Provider::Deepseek),
    ("grok", Provider::Xai),
    ("nova", Provider::Amazon),
    ("titan", Provider::Amazon),
    ("phi", Provider::Microsoft),
    ("nemotron", Provider::Nvidia),
    ("qwen", Provider::Alibaba),
    ("qwq", Provider::Alibaba),
    ("qvq", Provider::Alibaba),
    ("kimi", Provider::Moonshot),
    ("moonshot", Provider::Moonshot),
    ("glm", Provider::Zai),
    ("chatglm", Provider::Zai),
    ("sonar", Provider::Perplexity),
    ("pplx", Provider::Perplexity),
    ("wizardlm", Provider::Microsoft),
    ("cohere", Provider::Cohere),
    ("anthropic", Provider::Anthropic),
];

/// LiteLLM's words for those who run models of their own, or mostly so.
const HOSTS: [(&str, Provider); 22] = [
    ("openai", Provider::Openai),
    ("text-completion-openai", Provider::Openai),
    ("azure", Provider::Openai),
    ("azure_text", Provider::Openai),
    ("anthropic", Provider::Anthropic),
    ("gemini", Provider::Google),
    ("google", Provider::Google),
    ("vertex_ai", Provider::Google),
    ("vertex_ai-language-models", Provider::Google),
    ("vertex_ai-anthropic_models", Provider::Anthropic),
    ("mistral", Provider::Mistral),
    ("codestral", Provider::Mistral),
    ("cohere", Provider::Cohere),
    ("cohere_chat", Provider::Cohere),
    ("deepseek", Provider::Deepseek),
    ("xai", Provider::Xai),
    ("moonshot", Provider::Moonshot),
    ("zai", Provider::Zai),
    ("dashscope", Provider::Alibaba),
    ("meta_llama", Provider::Meta),
    ("perplexity", Provider::Perplexity),
    ("amazon_nova", Provider::Amazon),
];

/// Who made a model of one of these names, run by one of these hosts. Names come first: LiteLLM calls every
/// OpenAI-compatible server `openai`.
pub(super) fn infer<'a>(names: impl IntoIterator<Item = &'a str>, hosts: &[String]) -> Provider {
    names
        .into_iter()
        .find_map(by_name)
        .or_else(|| hosts.iter().find_map(|host| by_host(host)))
        .unwrap_or(Provider::Other)
}

/// Whose models a host runs, if they are its own.
pub(super) fn by_host(host: &str) -> Option<Provider> {
    let known = HOSTS.iter().find(|(name, _)| *name == host);
    known.map(|(_, provider)| *provider)
}

/// By the family that a name tells, else by the host that it begins with (`openai/…`).
fn by_name(name: &str) -> Option<Provider> {
    let name = name.to_lowercase();
    let mut parts = name.split(|character: char| !character.is_alphanumeric());
    parts
        .find_map(family)
        .or_else(|| by_host(name.split_once('/')?.0))
}

fn family(part: &str) -> Option<Provider> {
    let known = FAMILIES.iter().find(|(family, _)| {
        part.strip_prefix(family)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(|next: char| next.is_ascii_digit()))
    });
    known.map(|(_, provider)| *provider)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_who_made_a_model() {
        for (name, provider) in [
            ("gpt-4o-mini", Provider::Openai),
            ("openai/o3", Provider::Openai),
            ("openai/llama3:8b", Provider::Meta),
            ("us.anthropic.claude-sonnet-4-5-v1:0", Provider::Anthropic),
            ("meta-llama/Llama-3.3-70B", Provider::Meta),
            ("deepseek-r1-distill-llama-70b", Provider::Deepseek),
            ("qwen2.5-coder", Provider::Alibaba),
            ("groq/unheard-of", Provider::Other),
            ("openai/unheard-of", Provider::Openai),
            ("gptq-thing", Provider::Other),
            ("", Provider::Other),
            ("日本語", Provider::Other),
        ] {
            assert_eq!(infer([name], &[]), provider, "{name}");
        }
    }

    #[test]
    fn hosts_are_asked_where_no_name_tells() {
        assert_eq!(
            infer(["smart"], &["bedrock".to_owned(), "anthropic".to_owned()]),
            Provider::Anthropic
        );
        assert_eq!(
            infer(["smart", "openai/gpt-4o"], &["anthropic".to_owned()]),
            Provider::Openai
        );
        assert_eq!(infer(["smart"], &["groq".to_owned()]), Provider::Other);
    }
}
