//! Which branches are examples of their own.
//!
//! An example ends at the last answer on its branch that can be learned. If that answer is also on the path of a branch
//! that goes on to another one, the example would be the beginning of that branch's; and branches that share their last
//! answer give the same example, of which the first is enough.

use std::collections::{HashMap, HashSet};

use super::pages::{PathCursor, Source};
use crate::models::branch::Branch;
use crate::models::common::SortOrder;
use crate::models::ids::{BranchId, MessageId};
use crate::services::conversations::transfer::export::ends_example;
use crate::utils::errors::ApiError;

/// What follows an answer on the branches whose last one it is.
struct Ending {
    /// The first of these branches.
    branch: BranchId,
    /// The answer, and the messages after it on any of them.
    messages: HashSet<MessageId>,
    /// The children of all of these.
    children: HashSet<MessageId>,
}

impl Ending {
    /// Whether no branch goes on to another answer. Every message is on the path of a branch, so a child that is on none
    /// of these is on one with another last answer.
    fn is_last(&self) -> bool {
        self.children.is_subset(&self.messages)
    }
}

/// The branches of which none gives an example that is, or begins, another's. Holds ids of what follows last answers.
pub(super) async fn distinct(source: &Source, mut branches: Vec<Branch>) -> Result<Vec<Branch>, ApiError> {
    let mut endings: HashMap<MessageId, Ending> = HashMap::new();
    for branch in &branches {
        let Some((answer, ending)) = ending(source, branch.id).await? else {
            continue;
        };
        match endings.get_mut(&answer) {
            Some(known) => {
                known.messages.extend(ending.messages);
                known.children.extend(ending.children);
            }
            None => {
                endings.insert(answer, ending);
            }
        }
    }
    endings.retain(|_, ending| ending.is_last());
    let chosen: HashSet<BranchId> = endings.values().map(|ending| ending.branch).collect();
    branches.retain(|branch| chosen.contains(&branch.id));
    Ok(branches)
}

/// The last answer on a branch that an example can end at, and what follows it; `None` if there is none.
async fn ending(source: &Source, branch: BranchId) -> Result<Option<(MessageId, Ending)>, ApiError> {
    let mut ending = Ending {
        branch,
        messages: HashSet::new(),
        children: HashSet::new(),
    };
    let mut place = Some(PathCursor::start(branch, SortOrder::Desc));
    while let Some(cursor) = place {
        let page = source.path_page(cursor).await?;
        for message in page.messages {
            ending.messages.insert(message.id);
            ending.children.extend(message.children.iter().copied());
            if ends_example(&message) {
                return Ok(Some((message.id, ending)));
            }
        }
        place = page.next;
    }
    Ok(None)
}
