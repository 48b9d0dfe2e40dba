//! What is asked: one turn, appended, with a place for its answer. All of it has one time, so that no answer is older
//! than its question.

use chrono::{DateTime, Utc};

use super::place::{self, NewFork, Place, RowBuilder, check_message_limit};
use super::{Environment, accounts, create, lock, node, preview_of, refuse_running, repeats};
use crate::models::ids::{ConversationId, MessageId};
use crate::models::message::{MessageContent, MessageStatus, Role};
use crate::services::auth::Caller;
use crate::services::billing::{Hold, InputSize, Reservation};
use crate::services::conversations::{
    NewConversation, NewTurn, StoreError, ToolResult, Turn, TurnInput, TurnTarget, context_size,
    unanswered_calls,
};
use crate::services::sql::rows::{ClaimRow, ConversationRow, MessageRow, Rows};
use crate::utils::clock::Clock;
use crate::utils::database::DatabaseError;

/// Appends a turn. See [`ConversationStore::append_turn`](crate::services::conversations::ConversationStore).
pub async fn append_turn(
    rows: &mut dyn Rows,
    environment: &Environment,
    caller: &Caller,
    turn: &NewTurn,
) -> Result<Turn, StoreError> {
    let instead = repeats::take_key(rows, environment, caller.user_id, turn).await?;
    let turn = instead.as_ref().unwrap_or(turn);
    let (mut conversation, mut place) = find_place(rows, environment, caller, turn).await?;
    // Not before the conversation is locked: what was written while this waited is older.
    let now = environment.clock.now();
    let new_conversation = turn.target == TurnTarget::NewConversation;
    let id = conversation.shown.id;
    let mut builder = RowBuilder::new(id);
    let mut asked = input_rows(rows, &environment.clock, now, &mut builder, &place, turn).await?;
    let question = asked
        .last()
        .map(|row| row.id)
        .or(place.parent)
        .ok_or(StoreError::MessageNotFound)?;
    let answer = MessageId::new(&environment.clock);
    let added = asked.len() as u64 + 1;
    let mut answer_row = builder
        .row_below(rows, answer, place.branch.id, Some(question), now)
        .await?;
    answer_row.role = Role::Assistant;
    answer_row.status = MessageStatus::Streaming;
    answer_row.model = Some(turn.model.to_string());
    if let (None, Some(first)) = (&conversation.shown.preview, asked.first()) {
        conversation.shown.preview = (first.role == Role::User).then(|| preview_of(&first.content));
    }
    asked.push(answer_row);
    rows.insert_messages(caller.user_id, id, &asked).await?;
    let appended_to = place.parent;
    place.advance(rows, answer, now).await?;
    conversation.shown.message_count += added;
    conversation.shown.updated_at = now;
    conversation.shown.last_message_at = conversation.shown.last_message_at.max(Some(now));
    rows.save_conversation(&conversation).await?;
    let context = rows
        .context(question, environment.limits.context_messages)
        .await?;
    let sent = context_size(&context);
    rows.insert_claim(&ClaimRow {
        stream_id: turn.stream_id,
        instance_id: environment.instance,
        user_id: caller.user_id,
        conversation_id: id,
        branch_id: place.branch.id,
        parent_id: appended_to,
        user_message_id: question,
        message_id: answer,
        model: turn.model.clone(),
        request_id: turn.request_id.clone(),
        streamed: turn.streamed,
        sent_bytes: sent.usual_bytes(),
        started_at: now,
    })
    .await?;
    let hold = match &turn.terms {
        Some(terms) => {
            let reservation = Reservation {
                id: turn.stream_id,
                user_id: caller.user_id,
                request_id: turn.request_id.clone(),
                model: turn.model.clone(),
                streamed: turn.streamed,
                sent_bytes: sent.usual_bytes(),
                input_tokens: terms.input_tokens(sent.and(instructions(&conversation))),
                terms: terms.clone(),
            };
            accounts::hold(rows, environment, &reservation).await?
        }
        None => Hold::default(),
    };
    Ok(Turn {
        conversation_id: id,
        new_conversation,
        branch_id: place.branch.id,
        forked: place.forked,
        user_message_id: question,
        message_id: answer,
        begun_at: now,
        system_message: conversation.shown.system_message,
        context,
        hold,
    })
}

/// What the conversation tells the model first.
fn instructions(conversation: &ConversationRow) -> InputSize {
    let mut size = InputSize::default();
    if let Some(text) = &conversation.shown.system_message {
        size.add_message(text, None);
    }
    size
}

async fn find_place(
    rows: &mut dyn Rows,
    environment: &Environment,
    caller: &Caller,
    turn: &NewTurn,
) -> Result<(ConversationRow, Place), StoreError> {
    match &turn.target {
        TurnTarget::NewConversation => {
            let new = NewConversation {
                model: turn.conversation_model.clone(),
                ..NewConversation::default()
            };
            let (conversation, branch) = create::insert(rows, environment, caller, &new).await?;
            let place = Place {
                branch,
                parent: None,
                forked: false,
            };
            Ok((conversation, place))
        }
        TurnTarget::Existing {
            conversation_id,
            branch_id,
            parent_message_id,
        } => {
            let mut conversation = lock(rows, caller.user_id, *conversation_id).await?;
            let place = place::named(rows, &conversation, *branch_id, *parent_message_id).await?;
            refuse_second_answer(rows, *conversation_id, place.parent).await?;
            let adding = match &turn.input {
                TurnInput::Message(_) => 2,
                TurnInput::ToolResults(results) => results.len() + 1,
                TurnInput::Again => 1,
            };
            check_message_limit(environment, &conversation, adding)?;
            let place = place.fork_if_needed(rows, environment, &mut conversation).await?;
            Ok((conversation, place))
        }
        TurnTarget::Regenerate {
            conversation_id,
            message_id,
            branch_name,
        } => {
            let mut conversation = lock(rows, caller.user_id, *conversation_id).await?;
            let question = question_of(rows, *conversation_id, *message_id).await?;
            refuse_second_answer(rows, *conversation_id, Some(question)).await?;
            check_message_limit(environment, &conversation, 1)?;
            if let Some(place) = unanswered(rows, &conversation, question).await? {
                return Ok((conversation, place));
            }
            let name = branch_name.as_deref();
            let place = place::fork(
                rows,
                environment,
                &mut conversation,
                NewFork::active(Some(question), name),
            )
            .await?;
            Ok((conversation, place))
        }
    }
}

/// One answer at a time for each place: neither a second one to the same parent, nor one to a message whose own answer is
/// still being written.
async fn refuse_second_answer(
    rows: &mut dyn Rows,
    conversation: ConversationId,
    parent: Option<MessageId>,
) -> Result<(), StoreError> {
    let running = rows.running(conversation).await?;
    refuse_running(&running, |answer| {
        answer.parent_id == parent
            || Some(answer.user_message_id) == parent
            || Some(answer.message_id) == parent
    })
}

/// What is answered when this message is answered anew.
async fn question_of(
    rows: &mut dyn Rows,
    conversation: ConversationId,
    message: MessageId,
) -> Result<MessageId, StoreError> {
    let node = node(rows, conversation, message).await?;
    match node.role {
        Role::User | Role::Tool => Ok(node.id),
        Role::Assistant => node.parent_id.ok_or(StoreError::Conflict(
            "There is nothing before this message that could be answered.",
        )),
        Role::System => Err(StoreError::Conflict("Instructions cannot be answered.")),
    }
}

/// The place below a question that nothing follows yet, on the branch that ends there.
async fn unanswered(
    rows: &mut dyn Rows,
    conversation: &ConversationRow,
    question: MessageId,
) -> Result<Option<Place>, StoreError> {
    let id = conversation.shown.id;
    if !rows.children(id, Some(question)).await?.is_empty() {
        return Ok(None);
    }
    let active = conversation.shown.active_branch_id;
    let mut branches = rows.branch_rows(id).await?;
    branches.retain(|branch| branch.head == Some(question));
    let at = branches
        .iter()
        .position(|branch| branch.id == active)
        .unwrap_or(0);
    Ok((at < branches.len()).then(|| Place {
        branch: branches.swap_remove(at),
        parent: Some(question),
        forked: false,
    }))
}

async fn input_rows(
    rows: &mut dyn Rows,
    clock: &Clock,
    now: DateTime<Utc>,
    builder: &mut RowBuilder,
    place: &Place,
    turn: &NewTurn,
) -> Result<Vec<MessageRow>, StoreError> {
    match &turn.input {
        TurnInput::Again => Ok(Vec::new()),
        TurnInput::Message(content) => {
            let id = MessageId::new(clock);
            let mut row = builder
                .row_below(rows, id, place.branch.id, place.parent, now)
                .await?;
            set_content(&mut row, content)?;
            Ok(vec![row])
        }
        TurnInput::ToolResults(results) => tool_rows(rows, clock, now, builder, place, results).await,
    }
}

/// The results below the answer whose calls they answer, all of them, one below the other.
async fn tool_rows(
    rows: &mut dyn Rows,
    clock: &Clock,
    now: DateTime<Utc>,
    builder: &mut RowBuilder,
    place: &Place,
    results: &[ToolResult],
) -> Result<Vec<MessageRow>, StoreError> {
    let invalid = |message: &str| StoreError::InvalidToolResults(message.to_owned());
    let mut last = place
        .parent
        .ok_or_else(|| invalid("follow no message whose tool calls they could answer"))?;
    let calls = node(rows, place.branch.conversation_id, last)
        .await?
        .tool_calls
        .ok_or_else(|| invalid("need a parent message with tool calls"))?;
    if let Some(problem) = unanswered_calls(&calls, results) {
        return Err(StoreError::InvalidToolResults(problem));
    }
    let mut added = Vec::with_capacity(results.len() + 1);
    for result in results {
        let id = MessageId::new(clock);
        let mut row = builder
            .row_below(rows, id, place.branch.id, Some(last), now)
            .await?;
        row.role = Role::Tool;
        row.content.clone_from(&result.content);
        row.tool_call_id = Some(result.tool_call_id.clone());
        added.push(row);
        last = id;
    }
    Ok(added)
}

/// Sets text and parts.
pub(super) fn set_content(row: &mut MessageRow, content: &MessageContent) -> Result<(), StoreError> {
    row.content = content.text();
    row.parts = parts(content)?;
    Ok(())
}

/// The content parts of what is more than text.
pub(super) fn parts(
    content: &MessageContent,
) -> Result<Option<Box<serde_json::value::RawValue>>, StoreError> {
    match content {
        MessageContent::Text(_) => Ok(None),
        MessageContent::Parts(parts) => serde_json::value::to_raw_value(parts)
            .map(Some)
            .map_err(|error| DatabaseError::encode(error).into()),
    }
}
