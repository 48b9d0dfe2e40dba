//! What a chat request may hold.

use std::collections::HashSet;

use super::ChatSettings;
use crate::models::chat::{ConversationChatRequest, OpenAiChatRequest, ToolResultInput};
use crate::services::conversations::{
    ToolResult, TurnInput, TurnTarget, check_branch_name, check_content, check_model, check_system_message,
};
use crate::utils::errors::{ApiError, ErrorCode, FieldErrors};
use crate::utils::validation::check_length;

/// Tool results in one request.
const MAX_TOOL_RESULTS: usize = 128;

/// Characters of a tool call's id.
const MAX_TOOL_CALL_ID_CHARS: usize = 256;

/// A request of conversation chat, checked: where its turn goes, and what it brings.
pub(super) fn conversation(
    request: &mut ConversationChatRequest,
    settings: &ChatSettings,
) -> Result<(TurnTarget, TurnInput), ApiError> {
    let mut errors = check_options(request, settings);
    let target = target(request, &mut errors);
    let input = input(request, settings, &mut errors);
    errors.into_result()?;
    // Without a problem noted there is an input.
    let input = input.ok_or_else(|| ApiError::invalid_field("message", "is required"))?;
    Ok((target, input))
}

/// How a message that is there is to be answered, checked.
pub(super) fn regeneration(
    options: &ConversationChatRequest,
    branch_name: Option<&str>,
    settings: &ChatSettings,
) -> Result<(), ApiError> {
    let mut errors = check_options(options, settings);
    if let Some(name) = branch_name {
        check_branch_name(&mut errors, "branch_name", name);
    }
    errors.into_result()
}

/// What is wrong with the wishes about an answer.
fn check_options(request: &ConversationChatRequest, settings: &ChatSettings) -> FieldErrors {
    let mut errors = FieldErrors::default();
    if let Some(model) = &request.model {
        check_model(&mut errors, model);
    }
    errors.check(
        request
            .temperature
            .is_none_or(|given| (0.0..=settings.max_temperature).contains(&given)),
        "temperature",
        || format!("must be between 0 and {}", settings.max_temperature),
    );
    errors.check(
        request
            .max_tokens
            .is_none_or(|given| (1..=u64::from(settings.max_output_tokens)).contains(&given)),
        "max_tokens",
        || format!("must be between 1 and {}", settings.max_output_tokens),
    );
    if let Some(text) = &request.system_message {
        check_system_message(&mut errors, text);
    }
    errors
}

fn target(request: &ConversationChatRequest, errors: &mut FieldErrors) -> TurnTarget {
    if let Some(conversation_id) = request.conversation_id {
        return TurnTarget::Existing {
            conversation_id,
            branch_id: request.branch_id,
            parent_message_id: request.parent_message_id,
        };
    }
    let needs = || "needs a conversation_id".to_owned();
    errors.check(request.branch_id.is_none(), "branch_id", needs);
    errors.check(request.parent_message_id.is_none(), "parent_message_id", needs);
    errors.check(request.tool_results.is_none(), "tool_results", needs);
    TurnTarget::NewConversation
}

fn input(
    request: &mut ConversationChatRequest,
    settings: &ChatSettings,
    errors: &mut FieldErrors,
) -> Option<TurnInput> {
    match (request.message.take(), request.tool_results.take()) {
        (Some(message), None) => {
            check_content(errors, "message", &message, settings.max_message_length);
            Some(TurnInput::Message(message))
        }
        (None, Some(results)) => {
            check_tool_results(&results, settings.max_message_length, errors);
            let results = results.into_iter().map(|result| ToolResult {
                tool_call_id: result.tool_call_id,
                content: result.content,
            });
            Some(TurnInput::ToolResults(results.collect()))
        }
        (Some(_), Some(_)) => {
            errors.add("tool_results", "cannot be given together with message");
            None
        }
        (None, None) => {
            errors.add("message", "is required");
            None
        }
    }
}

fn check_tool_results(results: &[ToolResultInput], max_chars: usize, errors: &mut FieldErrors) {
    errors.check(
        (1..=MAX_TOOL_RESULTS).contains(&results.len()),
        "tool_results",
        || format!("must have between 1 and {MAX_TOOL_RESULTS} entries"),
    );
    let mut seen = HashSet::new();
    for (n, result) in results.iter().enumerate() {
        check_length(
            errors,
            &format!("tool_results[{n}].content"),
            &result.content,
            0,
            max_chars,
        );
        let field = format!("tool_results[{n}].tool_call_id");
        check_length(errors, &field, &result.tool_call_id, 1, MAX_TOOL_CALL_ID_CHARS);
        errors.check(seen.insert(&result.tool_call_id), &field, || {
            "is given twice".to_owned()
        });
    }
}

/// A request of OpenAI-compatible chat: only what the service itself relies on is checked.
pub(super) fn openai(request: &OpenAiChatRequest) -> Result<(), ApiError> {
    let mut errors = FieldErrors::default();
    errors.check(!request.messages.is_empty(), "messages", || {
        "must hold at least one message".to_owned()
    });
    if let Some(model) = &request.model {
        check_model(&mut errors, model);
    }
    errors.into_result()
}

pub(super) fn no_such_model(model: &str) -> ApiError {
    ApiError::new(ErrorCode::ModelNotFound, format!("There is no model `{model}`.")).with_param("model")
}
