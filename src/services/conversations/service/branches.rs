//! Branches.

use super::{ConversationService, checks, require};
use crate::models::branch::{
    Branch, BranchSort, BranchStats, BranchStatus, CreateBranchRequest, DeletedBranch, MergeBranchRequest,
    MergeResult, MergeStrategy, UpdateBranchRequest,
};
use crate::models::common::{Page, SortOrder};
use crate::models::ids::{BranchId, ConversationId, UserId};
use crate::services::analytics::Feature;
use crate::services::conversations::search::index_text;
use crate::services::conversations::{BranchChanges, Merge, NewBranch, StoreError, check_branch_name};
use crate::utils::errors::{ApiError, FieldErrors};

/// The order of a list of branches; equals are in the order of their ids.
#[derive(Debug, Clone, Copy)]
pub struct BranchOrder {
    /// What the list is sorted by.
    pub by: BranchSort,
    /// Which end comes first.
    pub order: SortOrder,
}

impl ConversationService {
    /// One page of the branches of a conversation, and how many there are: those in use, the main and the active one,
    /// or all. They are sorted here, since every store reads them all to show a conversation.
    ///
    /// # Errors
    /// If there is no such conversation, or the store fails.
    pub async fn branches(
        &self,
        user: UserId,
        conversation: ConversationId,
        include_inactive: bool,
        order: BranchOrder,
        page: Page,
    ) -> Result<(Vec<Branch>, u64), ApiError> {
        let mut branches = self.read(user, conversation).await?.branches;
        branches.retain(|branch| {
            include_inactive || branch.is_main || branch.is_active || branch.status == BranchStatus::Active
        });
        sort(&mut branches, order);
        let total = branches.len() as u64;
        let offset = usize::try_from(page.offset()).unwrap_or(usize::MAX);
        let items = branches.into_iter().skip(offset).take(page.limit as usize);
        Ok((items.collect(), total))
    }

    /// A branch of a conversation.
    ///
    /// # Errors
    /// If there is no such conversation or branch, or the store fails.
    pub async fn branch(
        &self,
        user: UserId,
        conversation: ConversationId,
        branch: BranchId,
    ) -> Result<Branch, ApiError> {
        let branches = self.read(user, conversation).await?.branches;
        let found = branches.into_iter().find(|one| one.id == branch);
        Ok(found.ok_or(StoreError::BranchNotFound)?)
    }

    /// Makes a branch that forks at a message.
    ///
    /// # Errors
    /// A field out of bounds, what is not there, the limit on branches, or a failing store.
    pub async fn create_branch(
        &self,
        user: UserId,
        conversation: ConversationId,
        request: CreateBranchRequest,
    ) -> Result<Branch, ApiError> {
        let mut errors = FieldErrors::default();
        let fork = checks::fork(&mut errors, &request);
        if let Some(name) = &request.name {
            check_branch_name(&mut errors, "name", name);
        }
        errors.into_result()?;
        let new = NewBranch {
            fork: fork.ok_or_else(|| ApiError::invalid_field("from_message_id", "is required"))?,
            name: request.name,
            activate: request.activate.unwrap_or(true),
        };
        let made = self.store.create_branch(user, conversation, new).await?;
        self.feature_uses.count(user, Feature::Branch);
        self.tell("branched", "branch_created", user, conversation);
        Ok(made)
    }

    /// Renames a branch, or says what has become of it.
    ///
    /// # Errors
    /// A field out of bounds or no field at all, what is not there, or a failing store.
    pub async fn update_branch(
        &self,
        user: UserId,
        conversation: ConversationId,
        branch: BranchId,
        request: UpdateBranchRequest,
    ) -> Result<Branch, ApiError> {
        let mut errors = FieldErrors::default();
        let is_given = request.name.is_some() || request.status.is_some();
        checks::at_least_one(&mut errors, checks::BODY, is_given, "`name` and `status`");
        if let Some(name) = &request.name {
            check_branch_name(&mut errors, "name", name);
        }
        errors.into_result()?;
        let changes = BranchChanges {
            name: request.name,
            status: request.status,
        };
        let changed = self
            .store
            .update_branch(user, conversation, branch, changes)
            .await?;
        self.count("branch_updated");
        Ok(changed)
    }

    /// Makes a branch the active one.
    ///
    /// # Errors
    /// What is not there, or a failing store.
    pub async fn activate_branch(
        &self,
        user: UserId,
        conversation: ConversationId,
        branch: BranchId,
    ) -> Result<Branch, ApiError> {
        let activated = self.store.activate_branch(user, conversation, branch).await?;
        self.count("branch_activated");
        Ok(activated)
    }

    /// Deletes a branch, with the messages that no other branch reaches.
    ///
    /// # Errors
    /// What is not there, a branch that is main or active, an answer being written on it, or a failing store.
    pub async fn delete_branch(
        &self,
        user: UserId,
        conversation: ConversationId,
        branch: BranchId,
    ) -> Result<DeletedBranch, ApiError> {
        let deleted = self.store.delete_branch(user, conversation, branch).await?;
        self.count("branch_deleted");
        Ok(deleted)
    }

    /// Merges a branch into another.
    ///
    /// # Errors
    /// If merging is switched off; what is not there, what does not fit, a limit, an answer being written on
    /// either branch, or a failing store.
    pub async fn merge_branch(
        &self,
        user: UserId,
        conversation: ConversationId,
        source: BranchId,
        request: &MergeBranchRequest,
    ) -> Result<MergeResult, ApiError> {
        require(self.settings.features.branch_merging, "ENABLE_BRANCH_MERGING")?;
        let merge = Merge {
            target: request.target_branch_id,
            fast_forward_only: request.strategy == Some(MergeStrategy::FastForward),
            delete_source: request.delete_source_branch.unwrap_or_default(),
            expected_target_head: request.expected_target_head_id,
            dry_run: request.dry_run.unwrap_or_default(),
        };
        let result = self.store.merge_branch(user, conversation, source, merge).await?;
        if !result.dry_run {
            self.feature_uses.count(user, Feature::Merge);
            self.tell("merged", "branch_merged", user, conversation);
        }
        Ok(result)
    }

    /// What is on the path of a branch, in figures.
    ///
    /// # Errors
    /// What is not there, or a failing store.
    pub async fn branch_stats(
        &self,
        user: UserId,
        conversation: ConversationId,
        branch: BranchId,
    ) -> Result<BranchStats, ApiError> {
        Ok(self.store.branch_stats(user, conversation, branch).await?)
    }
}

fn sort(branches: &mut [Branch], BranchOrder { by, order }: BranchOrder) {
    match by {
        BranchSort::CreatedAt => sort_by_key(branches, order, |branch| branch.created_at),
        BranchSort::UpdatedAt => sort_by_key(branches, order, |branch| branch.updated_at),
        BranchSort::Name => sort_by_key(branches, order, |branch| index_text(&branch.name)),
        BranchSort::MessageCount => sort_by_key(branches, order, |branch| branch.message_count),
    }
}

fn sort_by_key<K: Ord>(branches: &mut [Branch], order: SortOrder, key: impl Fn(&Branch) -> K) {
    branches.sort_by_cached_key(|branch| (key(branch), branch.id));
    if order == SortOrder::Desc {
        branches.reverse();
    }
}
