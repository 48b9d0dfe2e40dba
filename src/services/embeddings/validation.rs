//! What a request for embeddings may hold.

use crate::models::embedding::{EmbeddingsInput, EmbeddingsRequest, InputItem, MAX_INPUTS};
use crate::services::conversations::check_model;
use crate::utils::errors::{ApiError, FieldErrors};

/// Checks what the service itself relies on, and what OpenAI documents for every model.
pub(super) fn check(request: &EmbeddingsRequest) -> Result<(), ApiError> {
    let mut errors = FieldErrors::default();
    check_model(&mut errors, &request.model);
    check_input(&mut errors, &request.input);
    errors.check(request.dimensions != Some(0), "dimensions", || {
        "must be at least 1".to_owned()
    });
    errors.into_result()
}

fn check_input(errors: &mut FieldErrors, input: &EmbeddingsInput) {
    let is_empty = |item: &InputItem| matches!(item, InputItem::Text(0) | InputItem::Tokens(0));
    match input {
        EmbeddingsInput::One(item) => {
            errors.check(!is_empty(item), "input", || "must not be empty".to_owned());
        }
        EmbeddingsInput::Many { items, count } => {
            errors.check((1..=MAX_INPUTS).contains(count), "input", || {
                format!("must hold between 1 and {MAX_INPUTS} inputs")
            });
            // The first is enough: there may be thousands.
            if let Some(empty) = items.iter().position(is_empty) {
                errors.add(format!("input[{empty}]"), "must not be empty");
            }
        }
    }
}
