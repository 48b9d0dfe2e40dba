//! Copies by export and import.

use ai_chat_orchestrator::models::message::MessageStatus;

use super::{B, Branch, C, Conversation, M, Message, Model, Refusal, UserNumber};

/// What an import made of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Copied {
    /// A new conversation.
    Created(C),
    /// The earlier copy. Which branches follow their sources, the model does not say: the store tells, within what
    /// [`follow`](Model::follow) allows.
    Updated(C),
}

impl Model {
    /// Copies a conversation, or brings its earlier copy up to date but for the branches.
    pub(super) fn copy(&mut self, user: UserNumber, source: C) -> Result<(), Refusal> {
        self.conversation(user, source)?;
        let mut copies = self.conversations_of(user);
        let earlier = copies
            .find(|(_, conversation)| conversation.copy_of == Some(source))
            .map(|(copy, _)| copy);
        drop(copies);
        let copied = match earlier {
            Some(copy) => {
                self.fill(source, copy, false);
                Copied::Updated(copy)
            }
            None => {
                self.ensure_room_for_conversation(user)?;
                Copied::Created(self.copy_whole(source))
            }
        };
        self.last_copy = Some(copied);
        Ok(())
    }

    fn copy_whole(&mut self, source: C) -> C {
        let original = self.conversations[source.0].clone();
        let copy = C(self.conversations.len());
        self.conversations.push(Conversation {
            copy_of: Some(source),
            source_fields: Some(original.fields()),
            messages: [].into(),
            branches: [].into(),
            ..original.clone()
        });
        self.fill(source, copy, true);
        let here = &mut self.conversations[copy.0];
        here.active = find_branch(here, &original, original.active).expect("a copy of every branch");
        for (number, branch) in &original.branches {
            let copied = find_branch(here, &original, *number).expect("a copy of every branch");
            let (fork, head) = [branch.fork, branch.head]
                .map(|end| end.map(|end| copied_message(here, end)))
                .into();
            let copied = here.branches.get_mut(&copied).expect("the copy");
            (copied.fork, copied.head) = (fork, head);
        }
        copy
    }

    /// Gives a copy the branches and messages that it does not have, the branches still empty.
    fn fill(&mut self, source: C, copy: C, is_new: bool) {
        let original = self.conversations[source.0].clone();
        let mut sources: Vec<B> = original.branches.keys().copied().collect();
        sources.sort_by_key(|number| (!original.branches[number].is_main, *number));
        for number in sources {
            if find_branch(&self.conversations[copy.0], &original, number).is_none() {
                let copied = self.next_branch();
                let branch = Branch {
                    fork: None,
                    head: None,
                    source: Some(number),
                    ..original.branches[&number].clone()
                };
                self.conversations[copy.0].branches.insert(copied, branch);
            }
        }
        for (number, message) in &original.messages {
            self.fill_message(&original, copy, *number, message, is_new);
        }
        let here = &mut self.conversations[copy.0];
        // What is said of the conversation as a whole follows its source until something of it is changed here.
        if here.source_fields.as_ref() == Some(&here.fields()) {
            (here.title, here.archived) = original.fields();
            here.source_fields = Some(original.fields());
        }
    }

    /// Copies a message if it is not there; else its text, if that changed, unless it was changed here.
    fn fill_message(&mut self, original: &Conversation, copy: C, number: M, message: &Message, is_new: bool) {
        let here = &mut self.conversations[copy.0];
        if let Some(known) = find_copy(here, number) {
            let known = here.messages.get_mut(&known).expect("the copy");
            let last = known.source_text.as_ref();
            if last == Some(&known.text) && known.text != message.text {
                known.text.clone_from(&message.text);
                known.source_text = Some(message.text.clone());
                known.edited = message.edited;
            }
            return;
        }
        let here = &self.conversations[copy.0];
        let merged_from = message.merged_from.map(|(branch, merged)| {
            // Which branch has what an update brings, the store tells.
            let branch = branch.filter(|_| is_new);
            let branch_here = branch.and_then(|branch| find_branch(here, original, branch));
            (branch_here.or(branch), find_copy(here, merged).unwrap_or(merged))
        });
        let copied = Message {
            parent: message.parent.map(|parent| copied_message(here, parent)),
            status: match message.status {
                MessageStatus::Streaming => MessageStatus::Interrupted,
                ended => ended,
            },
            merged_from,
            origin: original_in_file(original, number).map(|merged| origin(here, merged)),
            source: Some(number),
            source_text: Some(message.text.clone()),
            ..message.clone()
        };
        let number = self.next_message();
        self.conversations[copy.0].messages.insert(number, copied);
    }

    /// Takes over where the branches of an updated copy end now: heads only move down, and no branch is lost.
    pub fn follow(&mut self, copy: C, branches: Vec<(Option<B>, Branch)>) -> Result<(), String> {
        let here = &mut self.conversations[copy.0];
        let before = here.clone();
        let kept: Vec<B> = branches.iter().filter_map(|(number, _)| *number).collect();
        if !before.branches.keys().all(|number| kept.contains(number)) {
            return Err(format!("of {:?} only {kept:?} are left", before.branches.keys()));
        }
        for (number, branch) in branches {
            let number = number.unwrap_or_else(|| {
                self.branches_made += 1;
                B(self.branches_made - 1)
            });
            let known = before.branches.get(&number);
            let (name, source) = known.map_or((None, None), |known| (known.name.clone(), known.source));
            here.branches.insert(
                number,
                Branch {
                    name,
                    source,
                    ..branch
                },
            );
        }
        for (number, branch) in &before.branches {
            let path = here.path_of(*number);
            if branch.head.is_some_and(|head| !path.contains(&head)) {
                return Err(format!("{number:?} was moved aside"));
            }
        }
        Ok(())
    }
}

/// The copy of a branch; every conversation has one main branch, whatever it was called elsewhere.
fn find_branch(here: &Conversation, original: &Conversation, source: B) -> Option<B> {
    if original.branches.get(&source)?.is_main && !here.branches.is_empty() {
        return Some(here.main());
    }
    let mut branches = here.branches.iter();
    branches
        .find(|(_, branch)| branch.source == Some(source))
        .map(|(number, _)| *number)
}

fn find_copy(here: &Conversation, source: M) -> Option<M> {
    let mut messages = here.messages.iter();
    messages
        .find(|(_, message)| message.source == Some(source))
        .map(|(number, _)| *number)
}

fn copied_message(here: &Conversation, source: M) -> M {
    find_copy(here, source).expect("parents are copied before their children")
}

/// The message of a file that a merged one is a copy of: the one that it names, or the first that names the same one, if
/// that says the same still.
fn original_in_file(file: &Conversation, number: M) -> Option<M> {
    let message = &file.messages[&number];
    let (_, merged) = message.merged_from?;
    let names_it = |other: &&Message| other.merged_from.is_some_and(|(_, named)| named == merged);
    let (original, said) = match file.messages.get_key_value(&merged) {
        Some(known) => known,
        None => file.messages.iter().find(|(_, other)| names_it(other))?,
    };
    let says = |message: &Message| {
        (
            message.role,
            message.text.clone(),
            message.calls.clone(),
            message.call.clone(),
        )
    };
    (*original < number && says(said) == says(message)).then_some(*original)
}

/// What a copy of a message of the file is a copy of in the end.
fn origin(here: &Conversation, original: M) -> M {
    let copy = copied_message(here, original);
    here.messages[&copy].origin.unwrap_or(copy)
}

impl Conversation {
    /// What an import brings beside messages and branches.
    fn fields(&self) -> (Option<String>, bool) {
        (self.title.clone(), self.archived)
    }
}
