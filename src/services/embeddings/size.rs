//! How much is to be embedded, estimated from above.

use crate::models::embedding::InputItem;
use crate::services::billing::BYTES_PER_TOKEN;

/// Tokens that some models put around each input: one at its start and one at its end.
const TOKENS_PER_INPUT: u64 = 2;

/// What tokens of inputs are estimated from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct InputsSize {
    bytes: u64,
    tokens: u64,
    inputs: u64,
}

impl InputsSize {
    /// Of these inputs.
    pub(super) fn of(items: &[InputItem]) -> Self {
        let none = Self {
            bytes: 0,
            tokens: 0,
            inputs: items.len() as u64,
        };
        items.iter().fold(none, |size, item| match *item {
            InputItem::Text(bytes) => Self {
                bytes: size.bytes.saturating_add(bytes as u64),
                ..size
            },
            InputItem::Tokens(tokens) => Self {
                tokens: size.tokens.saturating_add(tokens as u64),
                ..size
            },
        })
    }

    /// Tokens that the model reads at most: no tokeniser makes more than one of a byte.
    pub(super) const fn tokens_at_most(self) -> u64 {
        self.bytes
            .saturating_add(self.tokens)
            .saturating_add(self.inputs.saturating_mul(TOKENS_PER_INPUT))
    }

    /// Bytes of a text that is estimated to have as many tokens.
    pub(super) const fn as_bytes_of_text(self) -> u64 {
        self.bytes
            .saturating_add(self.tokens.saturating_mul(BYTES_PER_TOKEN as u64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::embedding::EmbeddingsInput;
    use crate::services::billing::AnswerUsage;
    use proptest::prelude::*;

    fn size(input: &impl serde::Serialize) -> InputsSize {
        let json = serde_json::to_string(input).expect("JSON");
        let input: EmbeddingsInput = serde_json::from_str(&json).expect("an input");
        InputsSize::of(input.items())
    }

    fn estimated(size: InputsSize) -> u64 {
        let bytes = usize::try_from(size.as_bytes_of_text()).expect("it fits");
        AnswerUsage::of_input(None, bytes).prompt_tokens
    }

    proptest! {
        #[test]
        fn texts_are_bounded_by_their_bytes(texts in prop::collection::vec(".{1,60}", 1..20)) {
            let size = size(&texts);
            let bytes: usize = texts.iter().map(String::len).sum();
            prop_assert_eq!(size.tokens_at_most(), (bytes + 2 * texts.len()) as u64);
            prop_assert!(estimated(size) <= size.tokens_at_most());
            prop_assert!(estimated(size) > 0);
        }

        #[test]
        fn token_ids_are_counted(lists in prop::collection::vec(prop::collection::vec(any::<u32>(), 1..60), 1..20)) {
            let size = size(&lists);
            let tokens: usize = lists.iter().map(Vec::len).sum();
            prop_assert_eq!(estimated(size), tokens as u64);
            prop_assert_eq!(size.tokens_at_most(), (tokens + 2 * lists.len()) as u64);
        }
    }
}
