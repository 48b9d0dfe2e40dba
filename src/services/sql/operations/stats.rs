//! What is on a branch.

use std::collections::HashMap;

use super::{branch, node};
use crate::models::branch::{BranchStats, MessagesByRole, ModelCount};
use crate::models::ids::{BranchId, ConversationId, UserId};
use crate::models::message::Role;
use crate::models::money::Money;
use crate::services::conversations::StoreError;
use crate::services::sql::rows::{Figures, Rows};

/// What is on a branch.
pub async fn branch_stats(
    rows: &mut dyn Rows,
    user: UserId,
    conversation: ConversationId,
    id: BranchId,
) -> Result<BranchStats, StoreError> {
    rows.conversation(user, conversation)
        .await?
        .ok_or(StoreError::ConversationNotFound)?;
    let branch = branch(rows, conversation, id).await?;
    let shared = match branch.fork {
        Some(fork) => u64::try_from(node(rows, conversation, fork).await?.depth).unwrap_or_default(),
        None => 0,
    };
    let figures = rows.figures(branch.head).await?;
    let count = figures.len() as u64;
    let prompt_tokens = add_up(&figures, |message| message.prompt_tokens);
    let completion_tokens = add_up(&figures, |message| message.completion_tokens);
    let cost = figures.iter().map(|message| message.cost.nano());
    let latencies = latencies(&figures);
    Ok(BranchStats {
        branch_id: id,
        message_count: count,
        shared_message_count: shared,
        own_message_count: count.saturating_sub(shared),
        fork_message_id: branch.fork,
        messages_by_role: by_role(&figures),
        prompt_tokens,
        completion_tokens,
        total_tokens: prompt_tokens.saturating_add(completion_tokens),
        total_cost: Money::from_nano(cost.fold(0, i64::saturating_add)),
        models: models(&figures),
        first_message_at: figures.first().map(|message| message.created_at),
        last_message_at: figures.last().map(|message| message.created_at),
        average_latency_ms: average(&latencies),
        p95_latency_ms: percentile_95(&latencies),
    })
}

/// A sum that ends at the largest number: what was imported may be as large as it likes.
fn add_up(figures: &[Figures], of: impl Fn(&Figures) -> u64) -> u64 {
    figures.iter().map(of).fold(0, u64::saturating_add)
}

fn by_role(figures: &[Figures]) -> MessagesByRole {
    let mut count = MessagesByRole::default();
    for message in figures {
        *match message.role {
            Role::User => &mut count.user,
            Role::Assistant => &mut count.assistant,
            Role::System => &mut count.system,
            Role::Tool => &mut count.tool,
        } += 1;
    }
    count
}

fn models(figures: &[Figures]) -> Vec<ModelCount> {
    let mut counts: HashMap<&str, u64> = HashMap::new();
    let answers = figures.iter().filter(|message| message.role == Role::Assistant);
    for model in answers.filter_map(|message| message.model.as_deref()) {
        *counts.entry(model).or_default() += 1;
    }
    let mut counts: Vec<_> = counts
        .into_iter()
        .map(|(model, count)| ModelCount {
            model: model.to_owned(),
            count,
        })
        .collect();
    counts.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.model.cmp(&b.model)));
    counts
}

/// What the answers took, the shortest first.
fn latencies(figures: &[Figures]) -> Vec<u64> {
    let mut latencies: Vec<u64> = figures.iter().filter_map(|message| message.latency_ms).collect();
    latencies.sort_unstable();
    latencies
}

fn average(sorted: &[u64]) -> Option<u64> {
    let sum = sorted.iter().copied().fold(0, u64::saturating_add);
    sum.checked_div(sorted.len() as u64)
}

/// The nearest rank: the smallest value that 95 of 100 do not exceed.
fn percentile_95(sorted: &[u64]) -> Option<u64> {
    let rank = (sorted.len() * 95).div_ceil(100);
    sorted.get(rank.saturating_sub(1)).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_the_nearest_rank() {
        let hundred: Vec<u64> = (1..=100).collect();
        assert_eq!(percentile_95(&hundred), Some(95));
        assert_eq!(percentile_95(&[7]), Some(7));
        assert_eq!(percentile_95(&[]), None);
        assert_eq!(average(&[1, 2, 4]), Some(2));
        assert_eq!(average(&[]), None);
    }
}
