//! Rows in the shapes of LiteLLM 1.102 and of other servers.

use proptest::prelude::*;

use super::*;
use crate::models::money::Money;

fn read(json: &str, kind: RowKind) -> Listing {
    read_listing(json.as_bytes(), kind).expect("a list")
}

fn nano(price: Option<Money>) -> Option<i64> {
    price.map(Money::nano)
}

#[test]
fn a_group_of_litellm() {
    let listing = read(
        r#"{"data":[{"model_group":"gpt-4o-mini","providers":["openai"],"max_input_tokens":128000.0,
            "max_output_tokens":16384.0,"input_cost_per_token":1.5e-07,"output_cost_per_token":6e-07,"mode":"chat",
            "tpm":null,"supports_vision":true,"supports_reasoning":false,"supports_function_calling":true,
            "health_status":null},
            {"model_group":"down","providers":[],"mode":null,"input_cost_per_token":0.0,"max_input_tokens":false,
             "health_status":"unhealthy"}]}"#,
        RowKind::Group,
    );
    let [first, second] = listing.models.as_slice() else {
        panic!("two models in {listing:?}")
    };
    assert_eq!(first.id, "gpt-4o-mini");
    assert_eq!(
        (first.context_window, first.max_output_tokens),
        (Some(128_000), Some(16_384))
    );
    assert_eq!(nano(first.prices.input), Some(150_000_000));
    assert_eq!(nano(first.prices.output), Some(600_000_000));
    assert_eq!(first.hosts, ["openai"]);
    assert_eq!(first.mode, Some(ModelMode::Chat));
    assert_eq!(first.capabilities.get(&Capability::Vision), Some(&true));
    assert_eq!(
        first.capabilities.get(&Capability::Reasoning),
        None,
        "a denial of a group is no knowledge"
    );
    assert_eq!(second.healthy, Some(false));
    assert_eq!(
        (second.prices, second.context_window),
        (TokenPrices::default(), None)
    );
    assert_eq!(listing.dropped, Dropped::default());
}

#[test]
fn deployments_of_litellm_are_joined_by_their_name() {
    let listing = read(
        r#"{"data":[
            {"model_name":"smart","litellm_params":{"model":"anthropic/claude-sonnet-4-5"},"model_info":{"id":"x",
             "litellm_provider":"anthropic","max_input_tokens":200000,"input_cost_per_token":3e-06,
             "cache_read_input_token_cost":3e-07,"supports_vision":true,"supports_web_search":false,
             "supports_reasoning":null,"deprecation_date":"2027-03-01"}},
            {"model_name":"smart","litellm_params":{"model":"bedrock/claude","input_cost_per_token":"4e-06"},
             "model_info":{"litellm_provider":"bedrock","max_input_tokens":"100000"}},
            {"model_name":"openai/*","litellm_params":{"model":"openai/*"},"model_info":null},
            {"litellm_params":{"model":"nameless"}}]}"#,
        RowKind::Deployment,
    );
    let [smart, pattern] = listing.models.as_slice() else {
        panic!("two names in {listing:?}")
    };
    assert_eq!(smart.context_window, Some(100_000), "the smaller");
    assert_eq!(nano(smart.prices.input), Some(4_000_000_000), "the dearer");
    assert_eq!(nano(smart.prices.cached_input), Some(300_000_000));
    assert_eq!(smart.hosts, ["anthropic", "bedrock"]);
    assert_eq!(smart.underlying, None, "two models stand behind it");
    assert_eq!(smart.capabilities.get(&Capability::WebSearch), Some(&false));
    assert!(!smart.capabilities.contains_key(&Capability::Reasoning));
    assert!(smart.deprecated_on.is_some());
    assert_eq!(
        (pattern.id.as_str(), pattern.underlying.as_deref()),
        ("openai/*", None)
    );
    assert_eq!(listing.dropped.models, 1, "the nameless one");
}

#[test]
fn lists_of_other_servers() {
    let listing = read(
        r#"{"object":"list","data":[
            {"id":"plain","object":"model","created":1677610602,"owned_by":"openai"},
            {"id":"meta/llama","name":"Llama","context_length":131072,"pricing":{"prompt":"0.0000001",
             "completion":"-1","input_cache_read":"0"},"top_provider":{"max_completion_tokens":8192},
             "architecture":{"input_modalities":["text","image"]},"supported_parameters":["tools"]},
            {"id":"groq","context_window":8192,"max_completion_tokens":4096},
            {"id":"mistral","max_context_length":32768,"capabilities":{"vision":false,"function_calling":true}},
            {"id":"vllm","max_model_len":4096},
            {"id":"plain"}]}"#,
        RowKind::Model,
    );
    let ids: Vec<_> = listing.models.iter().map(|model| model.id.as_str()).collect();
    assert_eq!(ids, ["plain", "meta/llama", "groq", "mistral", "vllm"]);
    let [plain, llama, groq, mistral, vllm] = listing.models.as_slice() else {
        panic!("five models in {listing:?}")
    };
    assert_eq!(
        (plain.created, plain.owned_by.as_deref()),
        (Some(1_677_610_602), Some("openai"))
    );
    assert_eq!(
        (llama.context_window, llama.max_output_tokens),
        (Some(131_072), Some(8_192))
    );
    assert_eq!(nano(llama.prices.input), Some(100_000_000));
    assert_eq!((llama.prices.output, llama.prices.cached_input), (None, None));
    let can: Vec<_> = llama.capabilities.keys().copied().collect();
    assert_eq!(can, [Capability::Vision, Capability::FunctionCalling]);
    assert_eq!(
        (groq.context_window, groq.max_output_tokens),
        (Some(8_192), Some(4_096))
    );
    assert_eq!(mistral.capabilities.get(&Capability::Vision), Some(&false));
    assert_eq!(vllm.context_window, Some(4_096));
    assert_eq!(listing.dropped.prices, 1, "the negative one");
}

#[test]
fn ids_that_are_none_are_left_out_and_counted() {
    let long = "x".repeat(MAX_ID_CHARS + 1);
    let json = format!(
        r#"[{{"id":""}},{{"id":5}},{{"id":null}},{{"id":"a\nb"}},{{"id":"{long}"}},{{}},7,{{"id":" ok "}}]"#
    );
    let listing = read(&json, RowKind::Model);
    assert_eq!(listing.models.len(), 1);
    assert_eq!(listing.models[0].id, "ok");
    assert_eq!(listing.dropped.models, 7);
}

#[test]
fn a_list_is_kept_up_to_a_number() {
    let rows: Vec<_> = (0..MAX_MODELS + 3)
        .map(|n| format!(r#"{{"id":"m{n}"}}"#))
        .collect();
    let listing = read(&format!("[{}]", rows.join(",")), RowKind::Model);
    assert_eq!((listing.models.len(), listing.dropped.models), (MAX_MODELS, 3));
}

proptest! {
    /// Whatever stands in the fields, a list is a list, and no price or limit is nonsense.
    #[test]
    fn no_value_breaks_a_list(
        values in proptest::collection::vec(
            prop_oneof![
                Just("null".to_owned()), Just("NaN".to_owned()), Just("-Infinity".to_owned()),
                Just("\"1e999\"".to_owned()), Just("1e999".to_owned()), Just("{}".to_owned()), Just("[[]]".to_owned()),
                any::<f64>().prop_filter("JSON has no such number", |n| n.is_finite()).prop_map(|n| n.to_string()),
                any::<bool>().prop_map(|flag| flag.to_string()),
                "[a-zA-Z0-9 .-]{0,12}".prop_map(|text| format!("\"{text}\"")),
            ],
            9,
        )
    ) {
        let names = ["model_name", "id", "max_input_tokens", "max_output_tokens", "input_cost_per_token",
            "output_cost_per_token", "mode", "supports_vision", "providers"];
        let fields: Vec<_> = names.iter().zip(&values).map(|(name, value)| format!("\"{name}\":{value}")).collect();
        let fields = fields.join(",");
        for kind in [RowKind::Group, RowKind::Deployment, RowKind::Model] {
            let json = format!(
                r#"{{"data":[{{"model_group":"m",{fields},"model_info":{{{fields}}},"litellm_params":{{{fields}}}}}]}}"#
            );
            let listing = read(&json, kind);
            for model in listing.models {
                let prices = model.prices;
                for price in [prices.input, prices.output, prices.cached_input].into_iter().flatten() {
                    prop_assert!(price > Money::ZERO);
                }
                prop_assert!(model.context_window.is_none_or(|limit| (1..=1_000_000_000).contains(&limit)));
            }
        }
    }
}
