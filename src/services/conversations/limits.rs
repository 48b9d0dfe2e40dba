//! Bounds on what conversations hold, shared by all that write into them.

use crate::utils::errors::FieldErrors;

/// How many of a thing one owner may have. They bind what users write, not what they import.
#[derive(Debug, Clone, Copy)]
pub struct StoreLimits {
    /// Conversations of a user.
    pub conversations: u32,
    /// Branches of a conversation.
    pub branches: u32,
    /// Messages of a conversation.
    pub messages: u32,
    /// The newest messages that become context.
    pub context_messages: u32,
}

/// Characters of a model's name.
const MAX_MODEL_CHARS: usize = 100;

/// Characters of a system message.
pub const MAX_SYSTEM_MESSAGE_CHARS: usize = 8_000;

/// Notes what is wrong with a model's name.
pub fn check_model(errors: &mut FieldErrors, model: &str) {
    check_length(errors, "model", model, 1, MAX_MODEL_CHARS);
    errors.check(!model.chars().any(char::is_control), "model", || {
        "must not hold control characters".to_owned()
    });
}

/// Notes a text that is shorter or longer, in characters, than it may be.
pub fn check_length(errors: &mut FieldErrors, field: &str, text: &str, min: usize, max: usize) {
    // No text has more characters than bytes: most need no counting.
    let fits = text.len() <= max || text.chars().count() <= max;
    let enough = min == 0 || text.len() >= min;
    errors.check(fits && enough, field, || match min {
        0 => format!("must have at most {max} characters"),
        _ => format!("must have between {min} and {max} characters"),
    });
}
