//! What is switched on.

use crate::config::catalogue::{is, settings};
use crate::config::reader::Reader;
use crate::config::sections::FeatureSettings;
use crate::config::syntax::Flag;

settings! {
    Features:
    ENABLE_BRANCH_MERGING: Flag = Flag, is("true"),
        "merging a branch into another";
    ENABLE_MESSAGE_EDITING: Flag = Flag, is("true"),
        "editing messages";
    ENABLE_CONVERSATION_EXPORT: Flag = Flag, is("true"),
        "exporting conversations";
    ENABLE_USER_ANALYTICS: Flag = Flag, is("true"),
        "the dashboard of users";
    ENABLE_USER_API_KEYS: Flag = Flag, is("true"),
        "API keys of users";
    ENABLE_USER_DATA_EXPORT: Flag = Flag, is("true"),
        "exporting everything about a user";
    ENABLE_BATCH_OPERATIONS: Flag = Flag, is("true"),
        "one operation on many conversations";
    ENABLE_DOCS: Flag = Flag, is("true"),
        "/docs and /openapi.json";
    ENABLE_CONSOLE: Flag = Flag, is("true"),
        "the console in the browser", later();
}

pub fn read(reader: &mut Reader) -> FeatureSettings {
    FeatureSettings {
        branch_merging: reader.value(&ENABLE_BRANCH_MERGING),
        message_editing: reader.value(&ENABLE_MESSAGE_EDITING),
        conversation_export: reader.value(&ENABLE_CONVERSATION_EXPORT),
        user_analytics: reader.value(&ENABLE_USER_ANALYTICS),
        user_api_keys: reader.value(&ENABLE_USER_API_KEYS),
        user_data_export: reader.value(&ENABLE_USER_DATA_EXPORT),
        batch_operations: reader.value(&ENABLE_BATCH_OPERATIONS),
        docs: reader.value(&ENABLE_DOCS),
        console: reader.value(&ENABLE_CONSOLE),
    }
}
