//! Runs a program on a store and on the model, and compares the two after every step.
//!
//! - `execute`: a command, done by the store
//! - `names`: which id of the store has which number of the model
//! - `stored`: a stored conversation as lines
//! - `checks`: what is compared at the end, when it is worth more queries

mod checks;
mod execute;
mod names;
mod stored;

use ai_chat_orchestrator::models::conversation::FullConversation;
use ai_chat_orchestrator::models::ids::{ConversationId, StreamId};
use ai_chat_orchestrator::services::conversations::{ImportOutcome, Turn};

use super::chat::Chat;
use super::command::Command;
use super::databases::TestStore;
use super::model::{C, Copied, Model, Refusal, UserNumber};
use super::program::{Step, USERS};
use super::user::User;
use execute::Happened;
use names::Names;

/// A disagreement, for the person who reads the test's failure.
pub type Outcome = Result<(), String>;

/// A store and its model, in the middle of a program.
pub struct Runner<'a> {
    store: &'a TestStore,
    users: Vec<User<'a>>,
    model: Model,
    names: Names,
    /// The turns of the answers that were begun.
    turns: Vec<(Turn, StreamId)>,
    /// What was done so far.
    log: &'a mut Vec<String>,
}

/// Runs a program from its beginning, with users of its own, and compares everything at its end. The log tells what was
/// done.
pub async fn run(store: &TestStore, program: &[Step], log: &mut Vec<String>) -> Outcome {
    let mut runner = Runner {
        store,
        users: (0..USERS).map(|_| store.user()).collect(),
        model: Model::new(store.limits),
        names: Names::default(),
        turns: Vec::new(),
        log,
    };
    runner.run(program).await
}

impl Runner<'_> {
    async fn run(&mut self, program: &[Step]) -> Outcome {
        // Most steps need something to be about.
        for user in 0..USERS {
            self.step(user, &Command::Create { title: None }).await?;
        }
        for step in program {
            if let Some(command) = step.resolve(&self.model) {
                self.step(step.user, &command).await?;
            }
        }
        self.check_everything().await
    }

    /// Does one thing on both sides.
    async fn step(&mut self, user: UserNumber, command: &Command) -> Outcome {
        self.log.push(format!("user {user}: {command:?}"));
        let expected = self.model.apply(user, command);
        let happened = self.execute(user, command).await;
        let told = match happened {
            Ok(happened) => {
                if let Err(refusal) = expected {
                    return Err(format!("done, not refused as {refusal:?}: {happened:?}"));
                }
                self.bind(user, command, &happened).await?;
                Ok(self.words_of(&happened)?)
            }
            Err(error) => Err(Refusal::of(&error)),
        };
        self.log.push(format!("    {told:?}"));
        if told != expected {
            return Err(format!("expected {expected:?}"));
        }
        match self.touched(command) {
            Some(conversation) => self.compare(conversation).await,
            None => Ok(()),
        }
    }

    /// Learns the ids of what was made.
    async fn bind(&mut self, user: UserNumber, command: &Command, happened: &Happened) -> Outcome {
        match happened {
            Happened::Created(id) => self.names.add_conversation(*id),
            Happened::Began(turn, stream) => {
                if turn.new_conversation {
                    self.names.add_conversation(turn.conversation_id);
                }
                self.turns.push((turn.clone(), *stream));
            }
            Happened::Copied(id, outcome) => return self.bind_copy(user, command, *id, *outcome).await,
            _ => {}
        }
        let Some(conversation) = self.touched(command) else {
            return Ok(());
        };
        self.bind_parts(conversation).await.map(|_| ())
    }

    /// Learns the ids of the new branches and messages of a conversation.
    async fn bind_parts(&mut self, conversation: C) -> Result<Option<FullConversation>, String> {
        if self.model.conversations[conversation.0].deleted {
            return Ok(None);
        }
        let full = self.chat(conversation).full().await;
        self.names
            .bind(&full, self.model.branches_made, self.model.messages_made)?;
        Ok(Some(full))
    }

    /// What an import made: a new conversation, or more of an earlier one. Done again, it changes nothing.
    async fn bind_copy(
        &mut self,
        user: UserNumber,
        command: &Command,
        id: ConversationId,
        outcome: ImportOutcome,
    ) -> Outcome {
        let copied = self.model.last_copy.ok_or("the model copied nothing")?;
        let copy = match (copied, outcome) {
            (Copied::Created(copy), ImportOutcome::Created) => {
                self.names.add_conversation(id);
                self.bind_parts(copy).await?;
                copy
            }
            (Copied::Updated(copy), ImportOutcome::Updated) => {
                let full = self.bind_parts(copy).await?.ok_or("the copy is gone")?;
                let branches = self.branches_of(&full)?;
                self.model.follow(copy, branches)?;
                self.bind_parts(copy).await?;
                copy
            }
            _ => return Err(format!("expected {copied:?}, not {outcome:?}")),
        };
        self.compare(copy).await?;
        let again = self.execute(user, command).await;
        if !matches!(again, Ok(Happened::Copied(same, ImportOutcome::Updated)) if same == id) {
            return Err(format!("imported again: {again:?}"));
        }
        self.compare(copy).await
    }

    /// The conversation that a command may have changed.
    fn touched(&self, command: &Command) -> Option<C> {
        match command {
            Command::Create { .. } | Command::AskInNew { .. } => {
                self.model.conversations.len().checked_sub(1).map(C)
            }
            Command::End { answer, .. } => Some(self.model.answers[answer.0].conversation),
            _ => command.conversation(),
        }
    }

    /// Compares a conversation, as its owner sees it.
    async fn compare(&self, conversation: C) -> Outcome {
        let expected = &self.model.conversations[conversation.0];
        let id = self.names.conversation(conversation);
        let owner = self.users[expected.owner].id();
        let stored = self
            .store
            .full_conversation(owner, id, None)
            .await
            .map_err(|error| error.to_string())?;
        let Some(full) = stored else {
            return match expected.deleted {
                true => Ok(()),
                false => Err(format!("{conversation:?} is gone")),
            };
        };
        if expected.deleted {
            return Err(format!("{conversation:?} is still there"));
        }
        same_lines(&expected.lines(), &self.lines_of(expected, &full)?)
            .map_err(|difference| format!("{conversation:?}\n{difference}"))
    }

    fn chat(&self, conversation: C) -> Chat<'_> {
        let owner = self.model.conversations[conversation.0].owner;
        self.users[owner].open(self.names.conversation(conversation))
    }
}

/// Names the lines that only one side has.
fn same_lines(expected: &[String], stored: &[String]) -> Outcome {
    let missing = expected.iter().filter(|line| !stored.contains(line));
    let surplus = stored.iter().filter(|line| !expected.contains(line));
    let difference: Vec<String> = missing
        .map(|line| format!("  expected {line}"))
        .chain(surplus.map(|line| format!("  stored   {line}")))
        .collect();
    match difference.is_empty() && expected.len() == stored.len() {
        true => Ok(()),
        false => Err(difference.join("\n")),
    }
}
