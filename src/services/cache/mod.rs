//! What users read often, kept so that the store need not be asked each time.
//!
//! - [`Namespace`]: ties what a value is looked up by to what it is and how long it is kept
//! - [`Cache`]: look up or load; invalidate what is kept of a user
//! - `stamps`: makes what is kept of a user in this process unreachable, at once
//! - `remote`: the tier in Redis; `follower` hears what other instances invalidate, and decides whether Redis is served
//!   from
//! - `envelope`: values as bytes
//!
//! There are two tiers. In the process, every entry is found by the *stamp* of its user and [`Area`]; in Redis, by their *tag*
//! and the *epoch* of all. To invalidate is to forget the tag and the stamp. Both are never used twice, so what is loaded
//! under an old one can be written at any time and is never read: a load that races a write does no harm.
//!
//! What holds, whatever fails:
//!
//! - Nobody finds what belongs to somebody else: the user is part of every key.
//! - After a write, its own instance serves nothing older; other instances do so for a second at most.
//! - What could not be invalidated is never served from Redis again: see `follower`.
//! - Failing is missing. No request fails because of the cache.
//!
//! # Adding a namespace
//! Implement [`Namespace`] beside what is cached, in an [`Area`] of its own if it changes at other times than what there is,
//! and have everything that changes it call [`Cache::invalidate`] after the change. Secrets and claims do not belong here: values go to Redis.

mod envelope;
mod follower;
mod front;
mod remote;
mod service;
mod stamps;

use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

pub use service::{Cache, CacheParts};

use crate::models::ids::UserId;

/// What changes together, and is invalidated together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Area {
    /// A user's conversations.
    Conversations,
    /// What a user says of themselves: it stays what it was while they chat.
    Profile,
}

impl Area {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Conversations, Self::Profile];

    /// Its name, in keys: lower case.
    const fn name(self) -> &'static str {
        match self {
            Self::Conversations => "conversations",
            Self::Profile => "profile",
        }
    }
}

/// What is invalidated at once: an area of a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Owner {
    user: UserId,
    area: Area,
}

/// A kind of value that is kept.
pub trait Namespace: 'static {
    /// What a user's value is looked up by, beside the user.
    type Key: Serialize + Send + Sync;
    /// What is kept.
    type Value: Serialize + DeserializeOwned + Send;

    /// Its name, in keys and metrics: lower case and underscores.
    const NAME: &'static str;
    /// Grows whenever the value's encoding or meaning changes: what another release wrote is not read.
    const VERSION: u8;
    /// With what else it changes.
    const AREA: Area = Area::Conversations;

    /// How long a value is kept, give or take a tenth: what is loaded together is not to expire together.
    fn ttl(&self) -> Duration;
}
