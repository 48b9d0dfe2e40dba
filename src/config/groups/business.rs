//! Limits of the product.

use crate::config::catalogue::{is, settings};
use crate::config::reader::Reader;
use crate::config::sections::BusinessSettings;
use crate::config::syntax::{Budget, Dollars, Flag, Whole};

settings! {
    Business:
    MAX_CONTEXT_MESSAGES: Whole<u32> = Whole::new(1, 10_000), is("100"),
        "newest messages of a conversation that are sent to a model";
    MAX_MESSAGE_LENGTH: Whole<usize> = Whole::new(1, 10_000_000), is("32000"),
        "characters of one message";
    MAX_BRANCHES_PER_CONVERSATION: Whole<u32> = Whole::new(1, 1000), is("10"),
        "branches of one conversation";
    MAX_CONVERSATIONS_PER_USER: Whole<u32> = Whole::new(1, 1_000_000), is("1000"),
        "conversations of one user";
    MAX_MESSAGES_PER_CONVERSATION: Whole<u32> = Whole::new(2, 100_000), is("500"),
        "messages of one conversation";
    MAX_BATCH_OPERATION_SIZE: Whole<u32> = Whole::new(1, 1000), is("50"),
        "conversations in one batch operation";
    MIN_BALANCE_THRESHOLD: Dollars = Dollars::up_to(1_000_000), is("0.01"),
        "dollars that a user must have left to be answered";
    ALLOW_UNPRICED_MODELS: Flag = Flag, is("false"),
        "whether models without a price may be used";
    DEFAULT_USER_BUDGET: Budget = Budget(Dollars::up_to(1_000_000)), is("10.0"),
        "dollars that a new user may spend, or unlimited";
    DEFAULT_PAGE_SIZE: Whole<u32> = Whole::new(1, 1000), is("20"),
        "entries on a page when a request names no number";
    MAX_PAGE_SIZE: Whole<u32> = Whole::new(1, 1000), is("100"),
        "most entries on a page";
}

pub fn read(reader: &mut Reader) -> BusinessSettings {
    BusinessSettings {
        max_context_messages: reader.value(&MAX_CONTEXT_MESSAGES),
        max_message_length: reader.value(&MAX_MESSAGE_LENGTH),
        max_branches_per_conversation: reader.value(&MAX_BRANCHES_PER_CONVERSATION),
        max_conversations_per_user: reader.value(&MAX_CONVERSATIONS_PER_USER),
        max_messages_per_conversation: reader.value(&MAX_MESSAGES_PER_CONVERSATION),
        max_batch_operation_size: reader.value(&MAX_BATCH_OPERATION_SIZE),
        min_balance_threshold_nano: reader.value(&MIN_BALANCE_THRESHOLD),
        allow_unpriced_models: reader.value(&ALLOW_UNPRICED_MODELS),
        default_user_budget_nano: reader.value(&DEFAULT_USER_BUDGET),
        default_page_size: reader.value(&DEFAULT_PAGE_SIZE),
        max_page_size: reader.value(&MAX_PAGE_SIZE),
    }
}
