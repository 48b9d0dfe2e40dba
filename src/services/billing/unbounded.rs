//! Requests whose cost nobody can tell beforehand.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::utils::json::RawObject;

/// Fields that model servers take for another model, another price, or another amount of work than the rest of the request
/// says: routing of LiteLLM and OpenRouter, dearer service, fetching from the web, and predictions, which are billed as output.
const UNBOUNDED: [&str; 10] = [
    "fallbacks",
    "context_window_fallbacks",
    "models",
    "route",
    "provider",
    "plugins",
    "extra_body",
    "web_search_options",
    "prediction",
    "audio",
];

/// Service that costs no more than usual.
const USUAL_SERVICE: [&str; 3] = ["auto", "default", "flex"];

/// A field of a request by which it may cost something else than its tokens at the prices of its model.
#[must_use]
pub fn unbounded_by(body: &RawObject) -> Option<&'static str> {
    let routed = UNBOUNDED.into_iter().find(|name| body.has(name));
    let is_dear = |value: &RawValue| {
        let service: Result<&str, _> = serde_json::from_str(value.get());
        !service.is_ok_and(|service| USUAL_SERVICE.contains(&service))
    };
    let has = |name: &'static str, is: &dyn Fn(&RawValue) -> bool| {
        let value = body.get(name).filter(|_| body.has(name));
        value.is_some_and(is).then_some(name)
    };
    routed
        .or_else(|| has("service_tier", &is_dear))
        .or_else(|| has("modalities", &|value| value.get() != r#"["text"]"#))
        .or_else(|| has("tools", &has_tools_of_servers))
}

/// Whether some of the tools are run by the model server, which asks for money of its own for that.
#[must_use]
pub fn has_tools_of_servers(tools: &RawValue) -> bool {
    #[derive(Deserialize)]
    struct Tool<'a> {
        #[serde(rename = "type")]
        kind: &'a str,
    }
    serde_json::from_str::<Vec<Tool<'_>>>(tools.get())
        .map_or(true, |tools| tools.iter().any(|tool| tool.kind != "function"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(more: &str) -> RawObject {
        serde_json::from_str(&format!(r#"{{"model":"m"{more}}}"#)).expect("an object")
    }

    #[test]
    fn what_makes_a_request_cost_something_else_is_found() {
        for (more, field) in [
            (r#","fallbacks":["dear"]"#, "fallbacks"),
            (r#","extra_body":{}"#, "extra_body"),
            (r#","service_tier":"priority""#, "service_tier"),
            (r#","modalities":["text","audio"]"#, "modalities"),
            (r#","tools":[{"type":"function"},{"type":"web_search"}]"#, "tools"),
            (r#","tools":{}"#, "tools"),
        ] {
            assert_eq!(unbounded_by(&object(more)), Some(field), "{more}");
        }
    }
}
