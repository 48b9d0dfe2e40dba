//! What a row of each list says of a model.

use std::cell::Cell;
use std::collections::{BTreeMap, HashMap};

use super::body::{self, Row};
use super::fields::Fields;
use crate::models::model::{Capability, ModelMode};
use crate::models::price::TokenPrices;
use crate::services::llm::{Dropped, Listing, ModelFacts};

/// Models kept of one list.
const MAX_MODELS: usize = 5_000;

/// Characters of a model's id.
const MAX_ID_CHARS: usize = 200;

/// Which list a row is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RowKind {
    /// `/model_group/info`: one row for each name.
    Group,
    /// `/model/info`: one row for each deployment, several of which may have one name.
    Deployment,
    /// `/models`: OpenAI's list, with what servers add to it.
    Model,
}

/// LiteLLM's and OpenRouter's words for capabilities.
const FLAGS: [(&str, Capability); 11] = [
    ("supports_vision", Capability::Vision),
    ("supports_function_calling", Capability::FunctionCalling),
    ("supports_reasoning", Capability::Reasoning),
    ("supports_response_schema", Capability::JsonSchema),
    ("supports_prompt_caching", Capability::PromptCaching),
    ("supports_audio_input", Capability::Audio),
    ("supports_audio_output", Capability::Audio),
    ("supports_pdf_input", Capability::PdfInput),
    ("supports_web_search", Capability::WebSearch),
    ("supports_computer_use", Capability::ComputerUse),
    ("supports_image_input", Capability::Vision),
];

/// Reads a whole list.
///
/// # Errors
/// If it is no JSON, or holds no list.
pub(super) fn read_listing(bytes: &[u8], kind: RowKind) -> Result<Listing, serde_json::Error> {
    let text = body::text(bytes);
    let (rows, no_rows) = body::rows(&text)?;
    let dropped = Cell::new(Dropped {
        models: no_rows,
        ..Dropped::default()
    });
    let mut models: Vec<ModelFacts> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut left_out = 0;
    for row in rows {
        let Some(facts) = read_row(row, kind, &dropped) else {
            left_out += 1;
            continue;
        };
        match places.get(&facts.id) {
            Some(at) => models[*at].join_deployment(&facts),
            None if models.len() == MAX_MODELS => left_out += 1,
            None => {
                places.insert(facts.id.clone(), models.len());
                models.push(facts);
            }
        }
    }
    let mut dropped = dropped.get();
    dropped.models += left_out;
    Ok(Listing { models, dropped })
}

/// What a row says; `None` if it names no model.
fn read_row(row: Row<'_>, kind: RowKind, dropped: &Cell<Dropped>) -> Option<ModelFacts> {
    let key = row.key;
    let fields = Fields::new(row.fields, dropped);
    let facts = match kind {
        RowKind::Group => group(&fields),
        RowKind::Deployment => deployment(&fields),
        RowKind::Model => model(&fields),
    };
    let id = match kind {
        RowKind::Group => fields.text("model_group"),
        RowKind::Deployment => fields.text("model_name"),
        RowKind::Model => fields.text("id").or_else(|| fields.text("name")),
    };
    let id = id.or(key).filter(|id| is_id(id))?;
    Some(ModelFacts { id, ..facts })
}

fn is_id(id: &str) -> bool {
    !id.is_empty() && id.chars().count() <= MAX_ID_CHARS && !id.chars().any(char::is_control)
}

/// A row of `/model_group/info`. What it denies it may simply not know.
fn group(fields: &Fields<'_, '_>) -> ModelFacts {
    let mut facts = described(fields);
    facts.capabilities.retain(|_, has| *has);
    facts.hosts = fields.texts("providers");
    facts.healthy = fields.text("health_status").map(|status| status != "unhealthy");
    facts
}

/// A row of `/model/info`.
fn deployment(fields: &Fields<'_, '_>) -> ModelFacts {
    let info = fields.object("model_info");
    let params = fields.object("litellm_params");
    let mut facts = described(&info);
    // What the operator has set for this deployment alone.
    facts.complete_from(&ModelFacts {
        prices: token_prices(&params),
        ..ModelFacts::default()
    });
    facts.underlying = params
        .text("model")
        .or_else(|| info.text("key"))
        .filter(|model| !model.contains('*'));
    facts.hosts = info
        .text("litellm_provider")
        .or_else(|| params.text("custom_llm_provider"))
        .into_iter()
        .collect();
    facts.deprecated_on = info.day("deprecation_date");
    facts
}

/// A row of `/models`: of OpenAI's four fields, and of those that LiteLLM, OpenRouter, Groq, Mistral and vLLM add.
fn model(fields: &Fields<'_, '_>) -> ModelFacts {
    let mut facts = described(fields);
    facts.complete_from(&openrouter(fields));
    let mistral = fields.object("capabilities");
    for (name, capability) in [
        ("vision", Capability::Vision),
        ("function_calling", Capability::FunctionCalling),
    ] {
        if let Some(has) = mistral.flag(name) {
            facts.capabilities.entry(capability).or_insert(has);
        }
    }
    facts.name = facts.name.or_else(|| fields.text("name"));
    facts.created = fields.seconds("created");
    facts.owned_by = fields.text("owned_by");
    facts.deprecated_on = fields.day("deprecation");
    facts
}

/// What OpenRouter says in words of its own.
fn openrouter(fields: &Fields<'_, '_>) -> ModelFacts {
    let pricing = fields.object("pricing");
    let mut capabilities = BTreeMap::new();
    for modality in fields.object("architecture").texts("input_modalities") {
        match modality.as_str() {
            "image" => capabilities.insert(Capability::Vision, true),
            "audio" => capabilities.insert(Capability::Audio, true),
            "file" => capabilities.insert(Capability::PdfInput, true),
            _ => None,
        };
    }
    for parameter in fields.texts("supported_parameters") {
        match parameter.as_str() {
            "tools" => capabilities.insert(Capability::FunctionCalling, true),
            "reasoning" => capabilities.insert(Capability::Reasoning, true),
            "structured_outputs" => capabilities.insert(Capability::JsonSchema, true),
            _ => None,
        };
    }
    ModelFacts {
        max_output_tokens: fields.object("top_provider").limit(&["max_completion_tokens"]),
        prices: TokenPrices {
            input: pricing.price(&["prompt"]),
            output: pricing.price(&["completion"]),
            cached_input: pricing.price(&["input_cache_read"]),
        },
        capabilities,
        ..ModelFacts::default()
    }
}

/// What all lists say in the same words.
fn described(fields: &Fields<'_, '_>) -> ModelFacts {
    let mut capabilities = BTreeMap::new();
    for (name, capability) in FLAGS {
        if let Some(has) = fields.flag(name) {
            *capabilities.entry(capability).or_insert(false) |= has;
        }
    }
    ModelFacts {
        name: fields.text("display_name"),
        description: fields.text("description"),
        mode: fields.text("mode").and_then(|mode| mode_of(&mode)),
        context_window: fields.limit(&[
            "max_input_tokens",
            "context_window",
            "context_length",
            "max_context_length",
            "max_model_len",
        ]),
        max_output_tokens: fields.limit(&["max_output_tokens", "max_completion_tokens"]),
        prices: token_prices(fields),
        capabilities,
        ..ModelFacts::default()
    }
}

fn token_prices(fields: &Fields<'_, '_>) -> TokenPrices {
    TokenPrices {
        input: fields.price(&["input_cost_per_token"]),
        output: fields.price(&["output_cost_per_token"]),
        cached_input: fields.price(&["cache_read_input_token_cost"]),
    }
}

/// LiteLLM's names for what a model is called for. `responses` models answer chats, too.
fn mode_of(name: &str) -> Option<ModelMode> {
    Some(match name {
        "chat" | "responses" => ModelMode::Chat,
        "completion" => ModelMode::Completion,
        "embedding" => ModelMode::Embedding,
        "image_generation" | "image_edit" | "image" => ModelMode::Image,
        "audio_transcription" | "audio_speech" | "realtime" | "audio" => ModelMode::Audio,
        "rerank" => ModelMode::Rerank,
        "moderation" | "video_generation" | "ocr" | "search" | "vector_store" => ModelMode::Other,
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
