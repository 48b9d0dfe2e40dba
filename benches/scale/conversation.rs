//! What is measured in one large conversation, beside the user's other ones.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ai_chat_orchestrator::models::common::{Page, SortOrder};
use ai_chat_orchestrator::models::ids::{BranchId, ConversationId, MessageId, StreamId};
use ai_chat_orchestrator::models::message::{MessageContent, Role};
use ai_chat_orchestrator::services::billing::AnswerUsage;
use ai_chat_orchestrator::services::conversations::{
    AnswerOutcome, ConversationStore, FinishedAnswer, NewTurn, PathQuery, StoreError, Turn, TurnInput,
    TurnTarget,
};
use ai_chat_orchestrator::services::sql::SqlDatabase;
use ai_chat_orchestrator::services::sql::rows::MessageRows as _;

use crate::LIMITS;
use crate::fill::{Large, USER, caller};
use crate::probe::{Probe, Sample};

const GOAL: Duration = Duration::from_millis(5);

/// Messages on a page: as many as there may be.
const PAGE: u32 = 100;

const MODEL: &str = "gpt-4o-mini";

/// Contexts, branches and pages.
pub fn probes<D: SqlDatabase>(database: &D, store: &Arc<dyn ConversationStore>, large: &Large) -> Vec<Probe> {
    let mut probes = vec![
        context(database, large),
        turn(database, store, large),
        branches(store, large),
        path(
            store,
            large,
            "page of answers only, which walks the path",
            SortOrder::Desc,
            1,
            Some(Role::Assistant),
        ),
    ];
    let pages = u32::try_from(large.main / u64::from(PAGE))
        .unwrap_or(u32::MAX)
        .max(1);
    for (order, direction) in [
        (SortOrder::Asc, "from the root"),
        (SortOrder::Desc, "from the head"),
    ] {
        for (place, page) in [("first", 1), ("middle", pages.div_ceil(2)), ("last", pages)] {
            let name = format!("{place} page, {direction}");
            probes.push(path(store, large, &name, order, page, None));
        }
    }
    probes
}

/// What a model is sent, read alone.
fn context<D: SqlDatabase>(database: &D, large: &Large) -> Probe {
    let (database, branches) = (database.clone(), large.branches.clone());
    Probe::new("context of 100 messages", GOAL, move |number| {
        let (database, (_, head)) = (database.clone(), pick(&branches, number));
        async move {
            let mut rows = database.snapshot().await?;
            Ok(rows.context(head, LIMITS.context_messages).await?.len() as u64)
        }
    })
}

/// A turn with its context, written to the disk; taken back again outside of the measurement.
fn turn<D: SqlDatabase>(database: &D, store: &Arc<dyn ConversationStore>, large: &Large) -> Probe {
    let (clock, store) = (database.clock().clone(), store.clone());
    let (id, branches) = (large.id, large.branches.clone());
    Probe::timed("turn appended, with its context", GOAL, move |number| {
        let (clock, store, branch) = (clock.clone(), store.clone(), pick(&branches, number));
        async move {
            let stream_id = StreamId::new(&clock);
            let turn = new_turn(id, branch, stream_id);
            let started = Instant::now();
            let appended = store.append_turn(&caller(USER), turn).await?;
            let took = started.elapsed();
            let context = appended.context.len() as u64;
            let withdrawn = withdrawn(&appended, stream_id, clock.now());
            store.save_answer(Arc::new(withdrawn)).await?;
            store.delete_message(USER, id, appended.user_message_id).await?;
            Sample::Ok((took, context))
        }
    })
}

fn new_turn(id: ConversationId, (branch, head): (BranchId, MessageId), stream_id: StreamId) -> NewTurn {
    NewTurn {
        target: TurnTarget::Existing {
            conversation_id: id,
            branch_id: Some(branch),
            parent_message_id: Some(head),
        },
        input: TurnInput::Message(MessageContent::Text("And then?".to_owned())),
        stream_id,
        model: MODEL.into(),
        conversation_model: None,
        request_id: "scale".into(),
        streamed: true,
        idempotency_key: None,
        terms: None,
    }
}

fn withdrawn(turn: &Turn, stream_id: StreamId, ended_at: chrono::DateTime<chrono::Utc>) -> FinishedAnswer {
    FinishedAnswer {
        error: None,
        stream_id,
        user_id: USER,
        request_id: "scale".into(),
        conversation_id: turn.conversation_id,
        branch_id: turn.branch_id,
        user_message_id: turn.user_message_id,
        message_id: turn.message_id,
        model: MODEL.into(),
        streamed: true,
        outcome: AnswerOutcome::Withdrawn,
        content: String::new(),
        reasoning: None,
        tool_calls: None,
        finish_reason: None,
        usage: AnswerUsage::default(),
        attempts: Vec::new(),
        latency_ms: None,
        first_token_ms: None,
        ended_at,
    }
}

fn branches(store: &Arc<dyn ConversationStore>, large: &Large) -> Probe {
    let (store, id) = (store.clone(), large.id);
    Probe::new("conversation with its branches", GOAL, move |_| {
        let store = store.clone();
        async move {
            let detail = store.conversation(USER, id).await?;
            Ok(detail.ok_or(StoreError::ConversationNotFound)?.branches.len() as u64)
        }
    })
}

/// One page of the main branch.
fn path(
    store: &Arc<dyn ConversationStore>,
    large: &Large,
    name: &str,
    order: SortOrder,
    page: u32,
    role: Option<Role>,
) -> Probe {
    let (store, id) = (store.clone(), large.id);
    let query = PathQuery {
        branch: large.branches.first().map(|(id, _)| *id),
        role,
        order,
    };
    Probe::new(name, GOAL, move |_| {
        let store = store.clone();
        async move {
            let page = Page { page, limit: PAGE };
            Ok(store.path(USER, id, query, page).await?.0.len() as u64)
        }
    })
}

/// One of the branches, another at each run.
fn pick(branches: &[(BranchId, MessageId)], number: usize) -> (BranchId, MessageId) {
    branches[number % branches.len()]
}
