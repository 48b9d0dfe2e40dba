//! Writing the branches of an imported conversation.

use super::super::Import;
use super::{Branches, Change, Ending};
use crate::models::ids::BranchId;
use crate::services::conversations::StoreError;
use crate::services::conversations::transfer::import::{ImportedConversation, Paths};
use crate::services::sql::rows::BranchRow;

impl Branches<'_> {
    /// The branch that each message of the file is written on here: the one that it was written on there, if that reaches
    /// it, else the first that does.
    pub(in super::super) fn owners(
        &self,
        imported: &ImportedConversation,
    ) -> Result<Vec<BranchId>, StoreError> {
        let mut paths = Paths::new(&self.tree.parents);
        for (at, ending) in self.all.iter().enumerate() {
            ending.head.and_then(|head| paths.claim(head, at));
        }
        let owner = |(branch, node): (usize, &usize)| {
            let own = self.stand_ins.get(branch).copied().flatten();
            let own = own.filter(|at: &usize| {
                let head = self.all[*at].head;
                head.is_some_and(|head| self.ancestry.is_on_path(*node, head))
            });
            let at = own
                .or_else(|| paths.owner(*node))
                .ok_or(StoreError::BranchNotFound)?;
            Ok(self.all[at].row.id)
        };
        let branches = imported.messages.iter().map(|message| message.branch);
        branches.zip(&self.tree.nodes).map(owner).collect()
    }

    /// How many branches are made.
    pub(in super::super) fn coming(&self) -> usize {
        self.changed(Change::Made).count()
    }

    fn changed(&self, change: Change) -> impl Iterator<Item = &Ending> {
        self.all.iter().filter(move |ending| ending.change == change)
    }

    /// Writes the new branches, which end nowhere until their messages are there.
    pub(in super::super) async fn insert_new(&self, import: &mut Import<'_>) -> Result<(), StoreError> {
        for made in self.changed(Change::Made) {
            let empty = BranchRow {
                fork: None,
                head: None,
                ..made.row.clone()
            };
            import.rows.insert_branch(&empty).await?;
        }
        Ok(())
    }

    /// Writes where branches end that are new or were moved; tells whether there were any.
    pub(in super::super) async fn save(self, import: &mut Import<'_>) -> Result<bool, StoreError> {
        let mut any = false;
        for mut ending in self.all {
            let is_empty = ending.head.is_none() && ending.row.fork.is_none();
            any |= ending.change != Change::None;
            if ending.change == Change::None || (ending.change == Change::Made && is_empty) {
                continue;
            }
            ending.row.head = ending.head.map(|head| self.tree.ids[head]);
            import.rows.save_branch(&ending.row).await?;
        }
        Ok(any)
    }
}
