//! Models as the API shows them.

mod answers;
mod requests;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::money::Money;

pub use answers::{
    CatalogMetadata, Comparison, ComparisonMatrix, ModelAnswer, ModelCost, ModelList, PriceRange,
    ProviderSummary, ReferenceChat, RefreshReport, SearchMetadata, SearchResults,
};
pub use requests::ModelSort;

/// An enum whose variants have names, which are the same in JSON, in queries and in the data file.
macro_rules! named {
    ($(#[$about:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident $text:tt,)+ }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
        pub enum $name {
            $($(#[$doc])* #[serde(rename = $text)] $variant,)+
        }

        impl $name {
            /// All of them, in the order of their declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The name.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }
        }
    };
}

named! {
    /// Who made a model, which need not be who runs it.
    Provider {
        /// Alibaba: Qwen.
        Alibaba "alibaba",
        /// Amazon: Nova, Titan.
        Amazon "amazon",
        /// Anthropic: Claude.
        Anthropic "anthropic",
        /// Cohere: Command, Embed, Rerank.
        Cohere "cohere",
        /// DeepSeek.
        Deepseek "deepseek",
        /// Google: Gemini, Gemma.
        Google "google",
        /// Meta: Llama.
        Meta "meta",
        /// Microsoft: Phi.
        Microsoft "microsoft",
        /// Mistral AI.
        Mistral "mistral",
        /// Moonshot AI: Kimi.
        Moonshot "moonshot",
        /// NVIDIA: Nemotron.
        Nvidia "nvidia",
        /// OpenAI.
        Openai "openai",
        /// Perplexity: Sonar.
        Perplexity "perplexity",
        /// xAI: Grok.
        Xai "xai",
        /// Z.ai: GLM.
        Zai "zai",
        /// Somebody else, or nobody knows.
        Other "other",
    }
}

named! {
    /// What a model is called for.
    ModelMode {
        /// Chat.
        Chat "chat",
        /// Text that is continued, without roles.
        Completion "completion",
        /// Texts as vectors.
        Embedding "embedding",
        /// Making and changing images.
        Image "image",
        /// Speech to text, text to speech, and live speech.
        Audio "audio",
        /// Documents ordered by how well they fit a question.
        Rerank "rerank",
        /// Anything else: moderation, video, text recognition.
        Other "other",
    }
}

named! {
    /// Whether a model can be asked.
    ModelStatus {
        /// It can, as far as anybody knows.
        Available "available",
        /// The day has passed on which its provider wanted to withdraw it; it may still answer.
        Deprecated "deprecated",
        /// The model server says that it does not work at present.
        Unavailable "unavailable",
    }
}

named! {
    /// Something that a model can do.
    Capability {
        /// Answering messages.
        Chat "chat",
        /// Seeing images.
        Vision "vision",
        /// Calling functions.
        FunctionCalling "function_calling",
        /// Thinking before it answers.
        Reasoning "reasoning",
        /// Answers that follow a JSON schema.
        JsonSchema "json_schema",
        /// Reading repeated beginnings from a cache, at another price.
        PromptCaching "prompt_caching",
        /// Hearing or speaking.
        Audio "audio",
        /// Reading PDF files.
        PdfInput "pdf_input",
        /// Searching the web.
        WebSearch "web_search",
        /// Using a computer by its screen.
        ComputerUse "computer_use",
    }
}

named! {
    /// What is always `model`.
    ModelObject {
        /// A model.
        Model "model",
    }
}

named! {
    /// Where something that is known of a model comes from.
    ModelSource {
        /// The model server's `/model_group/info`.
        ModelGroups "model_group_info",
        /// The model server's `/model/info`.
        Deployments "model_info",
        /// The model server's `/models`.
        Models "models",
        /// The table of well-known models in this service.
        WellKnown "well_known",
        /// This service itself: it is a built-in model.
        BuiltIn "built_in",
    }
}

/// A model: OpenAI's object, and what else is known. What is not known is null.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Model)]
pub struct ModelInfo {
    /// What a request names it by.
    #[schema(example = "gpt-4o-mini")]
    pub id: String,
    /// Always `model`.
    pub object: ModelObject,
    /// Unix time in seconds, as the model server tells it (LiteLLM: the same for all); 0 if it does not.
    pub created: i64,
    /// The provider; where that is `other`, what the model server says.
    #[schema(example = "openai")]
    pub owned_by: String,
    /// What people call it; its id where nothing better is known.
    #[schema(example = "GPT-4o Mini")]
    pub name: String,
    /// Who made it.
    pub provider: Provider,
    /// What it is called for.
    pub mode: ModelMode,
    /// Whether it can be asked.
    pub status: ModelStatus,
    /// What it can do, in the order of the list of all capabilities.
    pub capabilities: Vec<Capability>,
    /// Whether its answers can be streamed.
    pub supports_streaming: bool,
    /// Whether it has the capability `function_calling`.
    pub supports_functions: bool,
    /// Whether it has the capability `vision`.
    pub supports_vision: bool,
    /// How much it takes and gives.
    pub limits: ModelLimits,
    /// What its tokens cost.
    pub pricing: ModelPricing,
    /// What the model server says about it.
    pub description: Option<String>,
    /// Where all this comes from.
    pub metadata: ModelMetadata,
}

/// How much a model takes and gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, ToSchema)]
pub struct ModelLimits {
    /// Tokens that it can read.
    #[schema(example = 128_000)]
    pub context_window: Option<u64>,
    /// Tokens that it can write in one answer.
    #[schema(example = 16_384)]
    pub max_output_tokens: Option<u64>,
}

/// What a model's tokens cost. Null is unknown, not free.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct ModelPricing {
    /// Dollars for a million tokens that it reads.
    #[schema(value_type = Option<f64>, example = 0.15)]
    pub input_per_1m: Option<Money>,
    /// Dollars for a million tokens that it writes.
    #[schema(value_type = Option<f64>, example = 0.6)]
    pub output_per_1m: Option<Money>,
    /// Dollars for a million tokens that it reads from its cache.
    #[schema(value_type = Option<f64>, example = 0.075)]
    pub cached_input_per_1m: Option<Money>,
    /// Always `USD`.
    #[schema(example = "USD")]
    pub currency: &'static str,
}

/// Where what is known of a model comes from.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, ToSchema)]
pub struct ModelMetadata {
    /// The lists that it is in.
    pub sources: Vec<ModelSource>,
    /// Where the prices of its input and output come from, if they are known.
    pub priced_by: Option<ModelSource>,
    /// Who runs it, in the words of the model server.
    #[schema(example = json!(["openai"]))]
    pub hosts: Vec<String>,
    /// The day on which its provider withdraws it, if the model server knows.
    #[schema(value_type = Option<String>, format = Date, example = "2027-01-31")]
    pub deprecated_on: Option<chrono::NaiveDate>,
    /// Whether some of its deployments have larger limits than `limits` says.
    pub has_larger_limits: bool,
    /// The pattern of the model server that it is in by, such as `openai/*`; null where it is listed itself.
    pub wildcard: Option<String>,
}

impl ModelInfo {
    /// Whether it can do this.
    #[must_use]
    pub fn has(&self, capability: Capability) -> bool {
        self.capabilities.contains(&capability)
    }
}
