//! The tree of an export: which messages stay, in what order, and where its branches fork and end.

use std::collections::HashMap;

use uuid::Uuid;

use super::super::limits::Refusal;
use super::super::tree::{Ancestry, Paths, ancestors_first};
use super::Branch;
use super::message::Message;

/// The tree of an export.
#[derive(Debug)]
pub(super) struct Structure {
    /// The messages that some branch reaches, parents before children.
    pub(super) kept: Vec<Kept>,
    /// Where each branch forks and ends.
    pub(super) ends: Vec<Ends>,
}

/// A message that stays.
#[derive(Debug)]
pub(super) struct Kept {
    /// Its place in the file.
    pub(super) index: usize,
    /// Its parent's place among those kept.
    pub(super) parent: Option<usize>,
    /// The branch that it was written on.
    pub(super) branch: usize,
}

/// Where a branch forks and ends, as places among the messages kept.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ends {
    pub(super) fork: Option<usize>,
    pub(super) head: Option<usize>,
}

impl Structure {
    /// The main branch must be the first.
    pub(super) fn new(messages: &[Message<'_>], branches: &[Branch]) -> Result<Self, Refusal> {
        let ids = by_id("messages", messages.iter().map(|message| message.id))?;
        let branch_ids = by_id("branches", branches.iter().map(|branch| branch.id))?;
        let find = |id: Option<Uuid>| id.and_then(|id| ids.get(&id).copied());
        let parents: Vec<_> = messages.iter().map(|message| find(message.parent_id)).collect();
        let order = ancestors_first(&parents, 0..parents.len())
            .map_err(|at| Refusal::field(format_args!("messages[{at}].parent_id"), "leads back to itself"))?;

        let last_written = last_written(messages);
        let mut paths = Paths::new(&parents);
        let mut spans = Vec::with_capacity(branches.len());
        for (index, branch) in branches.iter().enumerate() {
            let fork = find(branch.parent_message_id);
            let head = match branch.head_message_id {
                Some(id) => find(Some(id)).or(last_written.get(&branch.id).copied()).or(fork),
                None => fork,
            };
            let leaves_at = head.and_then(|head| paths.claim(head, index));
            spans.push(Span {
                fork,
                head,
                leaves_at,
            });
        }

        let mut places = vec![None; messages.len()];
        let mut kept = Vec::new();
        for index in order {
            let Some(owner) = paths.owner(index) else { continue };
            let message = &messages[index];
            if message.parent_id.is_some() && parents[index].is_none() {
                let field = format_args!("messages[{index}].parent_id").to_string();
                return Err(Refusal::field(field, "is no message of the conversation"));
            }
            places[index] = Some(kept.len());
            let branch = message.branch_id.and_then(|id| branch_ids.get(&id).copied());
            kept.push(Kept {
                index,
                parent: parents[index].and_then(|parent| places[parent]),
                branch: branch.unwrap_or(owner),
            });
        }
        let ends = ends(branches, &spans, &kept, &places);
        Ok(Self { kept, ends })
    }
}

/// A branch as places in the file.
struct Span {
    fork: Option<usize>,
    head: Option<usize>,
    /// Where the path leaves those of the branches before it.
    leaves_at: Option<usize>,
}

/// Forks are kept where they are on the path, else put where the path leaves the others.
fn ends(branches: &[Branch], spans: &[Span], kept: &[Kept], places: &[Option<usize>]) -> Vec<Ends> {
    let parents: Vec<_> = kept.iter().map(|kept| kept.parent).collect();
    let ancestry = Ancestry::new(&parents);
    let place = |index: Option<usize>| index.and_then(|index| places[index]);
    let mut ends = Vec::with_capacity(spans.len());
    for (index, (branch, span)) in branches.iter().zip(spans).enumerate() {
        let head = place(span.head);
        let is_main = index == 0;
        let fork = if is_main || branch.parent_message_id.is_none() {
            None
        } else {
            place(span.fork)
                .filter(|fork| head.is_some_and(|head| ancestry.is_on_path(*fork, head)))
                .or_else(|| place(span.leaves_at))
        };
        ends.push(Ends { fork, head });
    }
    ends
}

/// The newest message that was written on each branch.
fn last_written(messages: &[Message<'_>]) -> HashMap<Uuid, usize> {
    let written = messages.iter().enumerate();
    written
        .filter_map(|(index, message)| Some((message.branch_id?, index)))
        .collect()
}

/// The places of ids in a list of the file.
fn by_id(list: &str, ids: impl Iterator<Item = Uuid>) -> Result<HashMap<Uuid, usize>, Refusal> {
    let mut places = HashMap::new();
    for (index, id) in ids.enumerate() {
        if places.insert(id, index).is_some() {
            return Err(Refusal::field(
                format_args!("{list}[{index}].id"),
                "is there more than once",
            ));
        }
    }
    Ok(places)
}
