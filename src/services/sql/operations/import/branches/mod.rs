//! The branches of an imported conversation.
//!
//! At the first import every branch ends where its source does. Later, the copy of a branch follows its source as long as
//! nobody wrote to it here, that is as long as its head is on the path that the source has now. One that was written to
//! stays as it is, and what is new at the source goes to a further copy beside it. So everything imported is on the path
//! of some branch, nothing that was done here is moved, and importing the same twice is the same as once.
//!
//! Where the source has no branches, and each stands for a leaf, there is nothing else to know one by: another choice of the
//! main leaf would make other branches of the same tree. So a leaf that is reached is left alone, one that grew is followed
//! by the branch that ended above it, whichever it was, and any other is a new branch.
//!
//! All of it takes time in proportion to the tree: the transaction keeps others waiting.

mod write;

use std::collections::HashMap;

use super::tree::Tree;
use super::{Import, branch_row};
use crate::models::branch::BranchStatus;
use crate::models::ids::BranchId;
use crate::services::conversations::StoreError;
use crate::services::conversations::transfer::import::{
    Ancestry, ImportedBranch, ImportedConversation, MAX_BRANCHES,
};
use crate::services::sql::rows::BranchRow;

/// Follows the source of a branch in the names of its further copies.
const FURTHER: char = '+';

/// The branches of a copy as an import leaves them.
pub(super) struct Branches<'t> {
    tree: &'t Tree,
    ancestry: Ancestry,
    all: Vec<Ending>,
    /// Those of an import, by their sources; and of those that are known by their ends alone, by these.
    by_source: HashMap<String, usize>,
    by_head: HashMap<usize, usize>,
    /// Whether some branch reaches a message.
    reached: Vec<bool>,
    is_first_import: bool,
    are_leaves: bool,
    /// The branch that stands for each of the file, if there is one that does.
    stand_ins: Vec<Option<usize>>,
}

/// A branch and where it ends.
struct Ending {
    row: BranchRow,
    head: Option<usize>,
    change: Change,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Change {
    None,
    Moved,
    Made,
}

impl<'t> Branches<'t> {
    /// Decides where each branch ends; nothing is written yet.
    pub(super) fn plan(
        import: &Import<'_>,
        imported: &ImportedConversation,
        there: Vec<BranchRow>,
        tree: &'t Tree,
    ) -> Result<Self, StoreError> {
        let mut branches = Self {
            tree,
            ancestry: Ancestry::new(&tree.parents),
            all: Vec::with_capacity(there.len().max(imported.branches.len())),
            by_source: HashMap::new(),
            by_head: HashMap::new(),
            reached: vec![false; tree.ids.len()],
            is_first_import: there.is_empty(),
            are_leaves: imported.branches_are_leaves,
            stand_ins: vec![None; imported.branches.len()],
        };
        branches.add_known(there);
        let known = branches.all.len();
        // Those that are new come first: what they reach needs no further copy of a branch that cannot follow its source.
        for (at, branch) in imported.branches.iter().enumerate() {
            if branches.is_new(branch) {
                branches.stand_ins[at] = Some(branches.insert_copy(import, branch));
            }
        }
        for (at, branch) in imported.branches.iter().enumerate() {
            if branches.stand_ins[at].is_none() {
                branches.stand_ins[at] = branches.stand_in(import, branch);
            }
        }
        if branches.all.len() > known.max(MAX_BRANCHES) {
            return Err(StoreError::LimitReached {
                what: "branches of an imported conversation",
                limit: u32::try_from(MAX_BRANCHES).unwrap_or(u32::MAX),
                current: known as u64,
            });
        }
        Ok(branches)
    }

    fn add_known(&mut self, rows: Vec<BranchRow>) {
        let nodes: HashMap<_, _> = self
            .tree
            .ids
            .iter()
            .enumerate()
            .map(|(at, id)| (*id, at))
            .collect();
        for row in rows {
            let head = row.head.and_then(|head| nodes.get(&head).copied());
            self.push(Ending {
                row,
                head,
                change: Change::None,
            });
        }
    }

    fn push(&mut self, ending: Ending) -> usize {
        let (at, head) = (self.all.len(), ending.head);
        if let Some(source) = &ending.row.source_id {
            self.by_source.entry(source.clone()).or_insert(at);
            if let Some(head) = head {
                self.by_head.entry(head).or_insert(at);
            }
        }
        self.all.push(ending);
        self.reach(head);
        at
    }

    /// Notes that a branch ends there. What is above a message that was reached is so too.
    fn reach(&mut self, head: Option<usize>) {
        let mut next = head;
        while let Some(node) = next.filter(|node| !self.reached[*node]) {
            self.reached[node] = true;
            next = self.tree.parents[node];
        }
    }

    /// Whether nothing here can stand for a branch of the file but a copy of it.
    fn is_new(&self, branch: &ImportedBranch) -> bool {
        (self.is_first_import || !self.are_leaves) && self.first_copy(branch).is_none()
    }

    fn insert_copy(&mut self, import: &Import<'_>, branch: &ImportedBranch) -> usize {
        let (fork, head) = (self.tree.node(branch.fork), self.tree.node(branch.head));
        self.insert(branch_row(import, branch), fork, head)
    }

    /// The branch that has what a branch of the file has: one that follows it, one that has it all already, or a further
    /// one.
    fn stand_in(&mut self, import: &Import<'_>, branch: &ImportedBranch) -> Option<usize> {
        let (fork, head) = (self.tree.node(branch.fork), self.tree.node(branch.head));
        let first = self.first_copy(branch);
        if let Some(at) = first.filter(|at| self.can_follow(*at, head)) {
            self.follow(import, at, fork, head);
            return first;
        }
        let Some(head) = head.filter(|head| !self.reached[*head]) else {
            return first;
        };
        let fork = self.tree.upwards(head).find(|node| self.reached[*node]);
        let row = match self.further_copy(branch, fork, head) {
            Ok(at) => {
                self.follow(import, at, None, Some(head));
                return Some(at);
            }
            Err(source_id) => self.further_row(import, branch, source_id),
        };
        Some(self.insert(row, fork, Some(head)))
    }

    /// The branch here that a branch of the file was at first. There is always one main branch, whatever it was called
    /// elsewhere.
    fn first_copy(&self, branch: &ImportedBranch) -> Option<usize> {
        if branch.is_main {
            return self.all.iter().position(|ending| ending.row.is_main);
        }
        let known = self.by_source.get(&branch.source_id).copied();
        known.filter(|_| !self.are_leaves)
    }

    /// The branch that goes on for one that was written to here, or what its source is called for the next one.
    fn further_copy(
        &self,
        branch: &ImportedBranch,
        fork: Option<usize>,
        head: usize,
    ) -> Result<usize, String> {
        let mut source_id = branch.source_id.clone();
        if self.are_leaves {
            let above = fork.and_then(|fork| self.by_head.get(&fork));
            return above.copied().ok_or(source_id);
        }
        loop {
            source_id.push(FURTHER);
            match self.by_source.get(&source_id) {
                Some(at) if self.can_follow(*at, Some(head)) => return Ok(*at),
                Some(_) => {}
                None => return Err(source_id),
            }
        }
    }

    fn further_row(&self, import: &Import<'_>, branch: &ImportedBranch, source_id: String) -> BranchRow {
        let name = match self.are_leaves {
            // The numbers of the file are those of its leaves, and others are here already.
            true => format!("Branch {}", self.all.len() + 1),
            false => branch.name.clone(),
        };
        BranchRow {
            name,
            status: BranchStatus::Active,
            is_main: false,
            source_id: Some(source_id),
            created_at: import.now,
            updated_at: import.now,
            ..branch_row(import, branch)
        }
    }

    /// Whether a branch gets to that head by moving down, or stays.
    fn can_follow(&self, at: usize, head: Option<usize>) -> bool {
        match (self.all[at].head, head) {
            (None, _) => true,
            (Some(from), Some(to)) => self.ancestry.is_on_path(from, to),
            (Some(_), None) => false,
        }
    }

    fn follow(&mut self, import: &Import<'_>, at: usize, fork: Option<usize>, head: Option<usize>) {
        let ending = &mut self.all[at];
        if ending.head == head {
            return;
        }
        if let Some(from) = ending.head {
            if self.by_head.get(&from) == Some(&at) {
                self.by_head.remove(&from);
            }
        } else if !ending.row.is_main {
            ending.row.fork = fork.map(|fork| self.tree.ids[fork]);
        }
        ending.row.updated_at = import.now;
        ending.head = head;
        if ending.change == Change::None {
            ending.change = Change::Moved;
        }
        if let Some(head) = head {
            self.by_head.insert(head, at);
        }
        self.reach(head);
    }

    fn insert(&mut self, mut row: BranchRow, fork: Option<usize>, head: Option<usize>) -> usize {
        row.fork = fork.filter(|_| !row.is_main).map(|fork| self.tree.ids[fork]);
        self.push(Ending {
            row,
            head,
            change: Change::Made,
        })
    }

    /// The branch that a branch of the file has become.
    pub(super) fn id(&self, branch: usize) -> Option<BranchId> {
        let at = self.stand_ins.get(branch).copied().flatten()?;
        Some(self.all[at].row.id)
    }

    /// The copy of a branch that may have gone from its source.
    pub(super) fn of_source(&self, source_id: &str) -> Option<BranchId> {
        let at = self.by_source.get(source_id)?;
        Some(self.all[*at].row.id)
    }
}
