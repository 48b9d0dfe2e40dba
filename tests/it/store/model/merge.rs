//! Merging.

use ai_chat_orchestrator::models::branch::BranchStatus;

use super::operations::{Told, ensure};
use super::{B, C, Conversation, M, Message, Model, Refusal, UserNumber};
use crate::store::command::MergeOptions;

impl Model {
    pub(super) fn merge(
        &mut self,
        user: UserNumber,
        conversation: C,
        source: B,
        target: Option<B>,
        options: MergeOptions,
    ) -> Told {
        let here = self.conversation(user, conversation)?;
        let from = here.branches.get(&source).ok_or(Refusal::BranchNotFound)?;
        let target = target.unwrap_or_else(|| here.main());
        let into = here.branches.get(&target).ok_or(Refusal::BranchNotFound)?;
        let moved = options.expected_head.is_some_and(|head| into.head != Some(head));
        ensure(source != target, Refusal::Conflict)?;
        ensure(!(options.delete_source && from.is_main), Refusal::BranchIsMain)?;
        ensure(!moved, Refusal::Conflict)?;
        let (from_path, into_path) = (here.path_of(source), here.path_of(target));
        self.ensure_nothing_runs(conversation, |answer| {
            from_path.contains(&answer.place) || into_path.contains(&answer.place)
        })?;
        let here = &self.conversations[conversation.0];
        let new = missing(here, &from_path, &into_path);
        let is_base_the_end = from_path.starts_with(&into_path);
        let fast = is_base_the_end && !new.is_empty();
        let must_copy = !fast && !new.is_empty();
        ensure(!(options.fast_forward_only && must_copy), Refusal::Conflict)?;
        if !fast {
            self.ensure_room_for_messages(conversation, new.len())?;
        }
        let source_head = self.conversations[conversation.0].branches[&source].head;
        let mut head = self.conversations[conversation.0].branches[&target].head;
        if options.dry_run {
            head = if fast { source_head } else { head };
            return Ok(told(target, new.len(), fast, head));
        }
        if fast {
            head = source_head;
        } else {
            for original in &new {
                head = Some(self.copy_below(conversation, source, *original, head));
            }
        }
        if !new.is_empty() {
            let into = self.conversations[conversation.0]
                .branches
                .get_mut(&target)
                .expect("the target");
            (into.head, into.status) = (head, BranchStatus::Active);
        }
        self.retire(conversation, source, target, options.delete_source)?;
        Ok(told(target, new.len(), fast, head))
    }

    /// Copies a message without what it used.
    fn copy_below(&mut self, conversation: C, source: B, original: M, parent: Option<M>) -> M {
        let number = self.next_message();
        let here = &mut self.conversations[conversation.0];
        let copy = Message {
            parent,
            tokens: None,
            merged_from: Some((Some(source), original)),
            origin: Some(here.messages[&original].origin.unwrap_or(original)),
            source: None,
            source_text: None,
            ..here.messages[&original].clone()
        };
        here.messages.insert(number, copy);
        number
    }

    fn retire(&mut self, conversation: C, source: B, target: B, delete: bool) -> Result<(), Refusal> {
        let here = &mut self.conversations[conversation.0];
        if here.active == source {
            here.active = target;
        }
        if !delete {
            here.branches.get_mut(&source).expect("the source").status = BranchStatus::Merged;
            return Ok(());
        }
        self.remove_branch(conversation, source).map(|_| ())
    }
}

/// What the source has after the base, and the target does not have, be it as a copy.
fn missing(conversation: &Conversation, source: &[M], target: &[M]) -> Vec<M> {
    let origin = |number: &M| conversation.messages[number].origin.unwrap_or(*number);
    let base = source.iter().zip(target).take_while(|(a, b)| a == b).count();
    let held: Vec<M> = target[base..].iter().map(origin).collect();
    source[base..]
        .iter()
        .filter(|number| !held.contains(&origin(number)))
        .copied()
        .collect()
}

fn told(target: B, count: usize, fast: bool, head: Option<M>) -> String {
    format!("{count} into {target:?} fast={fast} head={head:?}")
}
