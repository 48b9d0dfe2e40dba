//! `ChatGPT`'s `conversations.json`: one conversation of it.
//!
//! Its tree has nodes that say nothing: a root as a placeholder, hidden instructions, empty answers before a
//! tool is called. They are spliced out: what follows them follows the nearest node that is kept. Every leaf of
//! what remains becomes a branch. The path of `current_node` (else of the newest leaf) is the main one and
//! active; the others are "Branch 2", "Branch 3" … in the order of their making, each forking where its path
//! leaves those before it.

mod node;

use std::collections::HashMap;

use serde::Deserialize;

use super::limits::{self, MAX_BRANCHES, MAX_MESSAGES, Refusal, lenient};
use super::tree::{Paths, ancestors_first};
use super::{ImportedBranch, ImportedConversation, ImportedMessage};
use crate::models::branch::BranchStatus;
use crate::models::message::Role;

use node::{Node, Nodes, Said};

/// How far above an answer its thoughts are looked for, in nodes that are spliced out.
const THOUGHTS_DISTANCE: usize = 16;

#[derive(Deserialize)]
struct Conversation<'a> {
    #[serde(default, deserialize_with = "lenient")]
    conversation_id: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    id: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    title: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    create_time: Option<f64>,
    #[serde(default, deserialize_with = "lenient")]
    update_time: Option<f64>,
    #[serde(default, deserialize_with = "lenient")]
    default_model_slug: Option<String>,
    #[serde(default, deserialize_with = "lenient")]
    is_archived: Option<bool>,
    #[serde(default, deserialize_with = "lenient")]
    current_node: Option<String>,
    #[serde(borrow)]
    mapping: Nodes<'a>,
}

/// What a conversation of `ChatGPT` is known by.
pub(super) fn source(id: &str) -> String {
    format!("chatgpt:{id}")
}

/// Reads one conversation.
pub(super) fn conversation(json: &str) -> Result<ImportedConversation, Refusal> {
    let found: Conversation<'_> = limits::parse(json)?;
    let id = found
        .conversation_id
        .or(found.id)
        .ok_or_else(|| Refusal::of("it has neither `conversation_id` nor `id`"))?;
    let source = source(&id);
    limits::check_source(&source)?;
    let tree = Tree::read(&found.mapping.0, found.current_node.as_deref())?;
    Ok(ImportedConversation {
        source,
        title: found.title.as_deref().and_then(limits::clean_title),
        model: found.default_model_slug.and_then(node::model),
        system_message: None,
        archived: found.is_archived == Some(true),
        metadata: None,
        created_at: node::time(found.create_time),
        updated_at: node::time(found.update_time),
        messages: tree.messages,
        branches: tree.branches,
        branches_are_leaves: true,
        active_branch: 0,
    })
}

/// The messages and branches of a conversation, as they are being found.
struct Tree {
    messages: Vec<ImportedMessage>,
    branches: Vec<ImportedBranch>,
}

impl Tree {
    fn read(nodes: &[(String, Node<'_>)], current: Option<&str>) -> Result<Self, Refusal> {
        node::check_ids(nodes)?;
        let ids = by_id(nodes)?;
        let find = |id: &str| ids.get(id).copied();
        // A parent that is not in the file makes a root.
        let parents: Vec<_> = nodes
            .iter()
            .map(|(_, node)| node.parent.as_deref().and_then(find))
            .collect();
        let order = by_creation(nodes, &parents).map_err(|at| {
            Refusal::field(
                format_args!("mapping.{}.parent", nodes[at].0),
                "leads back to itself",
            )
        })?;
        let mut kept = Kept::new(nodes, &parents);
        for node in order {
            kept.add(node)?;
        }
        let current = current.and_then(find).and_then(|node| kept.anchors[node]);
        let mut messages = kept.messages;
        let branches = branches(&mut messages, current);
        if branches.len() > MAX_BRANCHES {
            let what = format_args!("has more than {MAX_BRANCHES} leaves, each of which would be a branch");
            return Err(Refusal::field("mapping", what));
        }
        Ok(Self { messages, branches })
    }
}

/// The nodes with parents before children, else the oldest first. What has no time is as old as its parent.
fn by_creation(nodes: &[(String, Node<'_>)], parents: &[Option<usize>]) -> Result<Vec<usize>, usize> {
    let order = ancestors_first(parents, 0..nodes.len())?;
    let mut times = vec![None; nodes.len()];
    for &node in &order {
        let own = nodes[node]
            .1
            .message
            .as_ref()
            .and_then(|message| message.created_at());
        times[node] = own.or_else(|| parents[node].and_then(|parent| times[parent]));
    }
    let mut by_time: Vec<usize> = (0..nodes.len()).collect();
    by_time.sort_by_key(|node| times[*node]);
    ancestors_first(parents, by_time.into_iter())
}

fn by_id<'a>(nodes: &'a [(String, Node<'_>)]) -> Result<HashMap<&'a str, usize>, Refusal> {
    let mut places = HashMap::with_capacity(nodes.len());
    for (place, (id, _)) in nodes.iter().enumerate() {
        if places.insert(id.as_str(), place).is_some() {
            return Err(Refusal::field(
                format_args!("mapping.{id}"),
                "is there more than once",
            ));
        }
    }
    Ok(places)
}

/// The messages that are kept, while the nodes are gone through from the roots to the leaves.
struct Kept<'a> {
    nodes: &'a [(String, Node<'a>)],
    parents: &'a [Option<usize>],
    messages: Vec<ImportedMessage>,
    /// For each node the message that it became, else the nearest one above it.
    anchors: Vec<Option<usize>>,
    /// What was thought at a node and no answer has taken yet.
    thoughts: HashMap<usize, String>,
}

impl<'a> Kept<'a> {
    fn new(nodes: &'a [(String, Node<'a>)], parents: &'a [Option<usize>]) -> Self {
        Self {
            nodes,
            parents,
            messages: Vec::new(),
            anchors: vec![None; nodes.len()],
            thoughts: HashMap::new(),
        }
    }

    fn add(&mut self, at: usize) -> Result<(), Refusal> {
        let (id, node) = &self.nodes[at];
        let above = self.parents[at].and_then(|parent| self.anchors[parent]);
        self.anchors[at] = above;
        let text = match node.said()? {
            Said::Nothing => return Ok(()),
            Said::Thoughts(text) => {
                self.thoughts.insert(at, text);
                return Ok(());
            }
            Said::Text(text) => text,
        };
        limits::check_bytes(format_args!("mapping.{id}.message.content"), &text)?;
        let Some(message) = &node.message else {
            return Ok(());
        };
        if self.messages.len() == MAX_MESSAGES {
            return Err(Refusal::field(
                "mapping",
                format_args!("has more than {MAX_MESSAGES} messages"),
            ));
        }
        let role = message.role();
        let answers = role == Role::Assistant;
        self.anchors[at] = Some(self.messages.len());
        let reasoning = if answers {
            self.take_thoughts(at, above)
        } else {
            None
        };
        if let Some(thoughts) = &reasoning {
            limits::check_bytes(format_args!("the thoughts before mapping.{id}"), thoughts)?;
        }
        self.messages.push(ImportedMessage {
            source_id: id.clone(),
            parent: above,
            branch: 0,
            role,
            content: text,
            parts: None,
            model: if answers { message.model() } else { None },
            status: message.status(),
            finish_reason: None,
            usage: None,
            latency_ms: None,
            first_token_ms: None,
            tool_calls: None,
            tool_call_id: None,
            reasoning,
            metadata: None,
            merged_from: None,
            edited: false,
            created_at: message.created_at(),
            updated_at: message.updated_at(),
        });
        Ok(())
    }

    /// The thoughts between an answer and the message above it. Each goes to one answer only: answers that share
    /// them would otherwise multiply them.
    fn take_thoughts(&mut self, answer: usize, above: Option<usize>) -> Option<String> {
        let mut found = Vec::new();
        let mut next = self.parents[answer];
        for _ in 0..THOUGHTS_DISTANCE {
            let Some(node) = next.filter(|node| self.is_spliced(*node, above)) else {
                break;
            };
            found.extend(self.thoughts.remove(&node));
            next = self.parents[node];
        }
        found.reverse();
        (!found.is_empty()).then(|| found.join("\n\n"))
    }

    /// Whether a node between an answer and the message above it was spliced out: that message itself was not.
    fn is_spliced(&self, node: usize, above: Option<usize>) -> bool {
        above.is_none_or(|message| self.messages[message].source_id != self.nodes[node].0)
    }
}

/// Makes each leaf a branch, and tells the messages on which they were written. `current` is the message at
/// which the main branch ends.
fn branches(messages: &mut [ImportedMessage], current: Option<usize>) -> Vec<ImportedBranch> {
    let parents: Vec<_> = messages.iter().map(|message| message.parent).collect();
    let mut is_leaf = vec![true; messages.len()];
    for parent in parents.iter().flatten() {
        is_leaf[*parent] = false;
    }
    let leaves: Vec<usize> = (0..messages.len()).filter(|message| is_leaf[*message]).collect();
    let main = current.or(leaves.last().copied());
    let others = leaves.into_iter().filter(|leaf| Some(*leaf) != main);

    let mut paths = Paths::new(&parents);
    let mut branches = vec![branch(0, None, main)];
    if let Some(head) = main {
        paths.claim(head, 0);
    }
    for leaf in others {
        let index = branches.len();
        let fork = paths.claim(leaf, index);
        branches.push(branch(index, fork, Some(leaf)));
    }
    for (place, message) in messages.iter_mut().enumerate() {
        message.branch = paths.owner(place).unwrap_or(0);
        let branch = &mut branches[message.branch];
        branch.created_at = branch.created_at.or(message.created_at);
        // The first message of its own is what a branch is known by when the file is imported again: its number depends
        // on what else was written since.
        if branch.source_id.is_empty() {
            branch.source_id.clone_from(&message.source_id);
        }
    }
    branches
}

fn branch(index: usize, fork: Option<usize>, head: Option<usize>) -> ImportedBranch {
    let number = index + 1;
    ImportedBranch {
        source_id: if index == 0 { "main" } else { "" }.to_owned(),
        name: if index == 0 {
            "Main".to_owned()
        } else {
            format!("Branch {number}")
        },
        status: BranchStatus::Active,
        is_main: index == 0,
        fork,
        head,
        created_at: None,
        updated_at: None,
    }
}
