//! Branches as the API shows them.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::openapi::schema::{AllOfBuilder, AnyOfBuilder, ObjectBuilder};
use utoipa::openapi::{Ref, RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::ids::{BranchId, ConversationId, MessageId};
use super::money::Money;
use crate::utils::patch::not_null;

/// What has become of a branch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum BranchStatus {
    /// In use.
    Active,
    /// Merged into another.
    Merged,
    /// Given up.
    Abandoned,
}

/// A named path in the tree of a conversation.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Branch {
    /// Its id.
    pub id: BranchId,
    /// The conversation it belongs to.
    pub conversation_id: ConversationId,
    /// Its name.
    pub name: String,
    /// What has become of it.
    pub status: BranchStatus,
    /// Whether it is the branch that the conversation began with.
    pub is_main: bool,
    /// Whether new messages go here unless said otherwise.
    pub is_active: bool,
    /// The message at which it forked; null for the main branch.
    pub parent_message_id: Option<MessageId>,
    /// The message at which it ends; null while it is empty.
    pub head_message_id: Option<MessageId>,
    /// Messages on the whole path from the root to the head.
    pub message_count: u64,
    /// Messages after the fork.
    pub own_message_count: u64,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
}

impl BranchStatus {
    /// The name, as stored and as shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Merged => "merged",
            Self::Abandoned => "abandoned",
        }
    }

    /// The status of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Active, Self::Merged, Self::Abandoned]
            .into_iter()
            .find(|status| status.as_str() == name)
    }
}

/// A branch that was deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct DeletedBranch {
    /// Its id.
    pub id: BranchId,
    /// Always true.
    #[schema(example = true)]
    pub deleted: bool,
    /// Messages that went with it, because no other branch reaches them.
    pub deleted_message_count: u64,
}

/// What a merge did, or with `dry_run` would do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct MergeResult {
    /// The branch that was merged into.
    pub target_branch_id: BranchId,
    /// Messages that the target gained: copied, or reached by moving its head.
    pub merged_message_count: u64,
    /// Whether the target's head moved to the source's head, and nothing was copied.
    pub fast_forward: bool,
    /// Whether the target had all of it already.
    pub already_merged: bool,
    /// Where the target ends now; null if both branches are empty.
    pub head_message_id: Option<MessageId>,
    /// Whether nothing was changed, because only the result was asked for.
    pub dry_run: bool,
}

/// What is on a branch.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct BranchStats {
    /// The branch.
    pub branch_id: BranchId,
    /// Messages on the whole path from the root to the head: how deep it goes.
    pub message_count: u64,
    /// Messages before the fork, shared with other branches.
    pub shared_message_count: u64,
    /// Messages after the fork.
    pub own_message_count: u64,
    /// The message at which it forked; null for the main branch.
    pub fork_message_id: Option<MessageId>,
    /// Messages of each role on the path.
    pub messages_by_role: MessagesByRole,
    /// Tokens that its answers read.
    pub prompt_tokens: u64,
    /// Tokens that its answers wrote.
    pub completion_tokens: u64,
    /// Both together.
    pub total_tokens: u64,
    /// What its answers cost, in US dollars, as far as the costs are known.
    #[schema(value_type = f64, example = 0.0125)]
    pub total_cost: Money,
    /// The models that answered, the most used first.
    pub models: Vec<ModelCount>,
    /// When the first message was stored; null while it is empty.
    pub first_message_at: Option<DateTime<Utc>>,
    /// When the last message was stored.
    pub last_message_at: Option<DateTime<Utc>>,
    /// Milliseconds that an answer took, on average; null where none is known.
    pub average_latency_ms: Option<u64>,
    /// Milliseconds within which 95 of 100 answers came.
    pub p95_latency_ms: Option<u64>,
}

/// How many messages each role has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, ToSchema)]
pub struct MessagesByRole {
    /// Of the person.
    pub user: u64,
    /// Of models.
    pub assistant: u64,
    /// Instructions.
    pub system: u64,
    /// Results of tool calls.
    pub tool: u64,
}

/// How often a model answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ModelCount {
    /// The model.
    pub model: String,
    /// Its answers.
    pub count: u64,
}

/// What a list of branches is sorted by; equals are in the order of their ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(default = "created_at")]
pub enum BranchSort {
    /// When they were made.
    #[default]
    CreatedAt,
    /// When they last changed.
    UpdatedAt,
    /// Their names, letter by letter without regard to case and accents.
    Name,
    /// How many messages are on the whole path.
    MessageCount,
}

/// Where a new branch forks.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[schema(example = json!({"from_message_id": "019aafc3-7c52-7d3c-9b1e-0d5f2f6f8a11", "name": "Shorter"}))]
pub struct CreateBranchRequest {
    /// The message to fork at, which both branches share. It or `parent_message_id` is required.
    pub from_message_id: Option<MessageId>,
    /// Another name for `from_message_id`.
    pub parent_message_id: Option<MessageId>,
    /// 1 to 100 characters. Absent: "Branch" and its number.
    #[schema(min_length = 1, max_length = 100)]
    pub name: Option<String>,
    /// Whether new messages go there from now on.
    #[schema(default = true)]
    pub activate: Option<bool>,
}

/// [`CreateBranchRequest`] in the API document, where one of two names for the same field is required.
#[derive(Debug)]
pub struct CreateBranchBody;

impl PartialSchema for CreateBranchBody {
    fn schema() -> RefOr<Schema> {
        let with = |name: &str| {
            ObjectBuilder::new()
                .property(name, Ref::from_schema_name(MessageId::name()))
                .required(name)
        };
        let fork = AnyOfBuilder::new()
            .item(with("from_message_id"))
            .item(with("parent_message_id"));
        AllOfBuilder::new()
            .item(Ref::from_schema_name(CreateBranchRequest::name()))
            .item(fork)
            .into()
    }
}

impl ToSchema for CreateBranchBody {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((
            CreateBranchRequest::name().into_owned(),
            CreateBranchRequest::schema(),
        ));
        CreateBranchRequest::schemas(schemas);
    }
}

/// What changes in a branch: at least one field.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[schema(example = json!({"name": "Shorter"}))]
pub struct UpdateBranchRequest {
    /// 1 to 100 characters.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(value_type = String, required = false, min_length = 1, max_length = 100)]
    pub name: Option<String>,
    /// What has become of it.
    #[serde(default, deserialize_with = "not_null")]
    #[schema(value_type = BranchStatus, required = false)]
    pub status: Option<BranchStatus>,
}

/// How a branch is merged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(default = "append")]
pub enum MergeStrategy {
    /// Move the target's head where that is enough, else copy what is new to its end.
    #[default]
    Append,
    /// Move the target's head, or refuse.
    FastForward,
}

/// Where a branch is merged into; everything may be left out.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[schema(example = json!({"strategy": "append", "dry_run": true}))]
pub struct MergeBranchRequest {
    /// Absent: the main branch.
    pub target_branch_id: Option<BranchId>,
    /// Absent: `append`.
    pub strategy: Option<MergeStrategy>,
    /// Whether the source is deleted afterwards, rather than called `merged`.
    #[schema(default = false)]
    pub delete_source_branch: Option<bool>,
    /// Refuse with `CONFLICT` unless the target ends at this message.
    pub expected_target_head_id: Option<MessageId>,
    /// Change nothing; answer what would happen.
    #[schema(default = false)]
    pub dry_run: Option<bool>,
}
