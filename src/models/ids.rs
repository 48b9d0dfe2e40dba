//! Typed ids: a message's id cannot be passed where a branch's is meant.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::utils::clock::Clock;

macro_rules! typed_ids {
    ($($(#[$doc:meta])+ $name:ident;)+) => {$(
        $(#[$doc])+
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema, sqlx::Type,
        )]
        #[serde(transparent)]
        #[sqlx(transparent)]
        #[schema(value_type = Uuid, example = "019aafc3-7c52-7d3c-9b1e-0d5f2f6f8a11")]
        pub struct $name(pub Uuid);

        impl $name {
            /// A new id, of UUID version 7.
            #[must_use]
            pub fn new(clock: &Clock) -> Self {
                Self(clock.uuid())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::from_str(text).map(Self)
            }
        }
    )+};
}

typed_ids! {
    /// A user, as the `sub` of a token names it.
    UserId;
    /// A conversation.
    ConversationId;
    /// A branch: a named path in a conversation's tree.
    BranchId;
    /// A message.
    MessageId;
    /// A stream: one answer being produced, and its replay log.
    StreamId;
    /// An API key: not the id that is a part of the key.
    ApiKeyId;
    /// An instance of this service: a process, and whichever follows it on the same data folder.
    InstanceId;
}
