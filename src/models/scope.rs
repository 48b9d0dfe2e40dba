//! What a caller may do, in the few words in which API keys are given it.

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// One thing that a caller may be allowed to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub enum Scope {
    /// Asking models, and reading and stopping their answers. In a conversation that reads and writes its messages.
    #[serde(rename = "chat")]
    Chat,
    /// Reading conversations, branches and messages.
    #[serde(rename = "conversations:read")]
    ConversationsRead,
    /// Making, changing and deleting them, without asking a model.
    #[serde(rename = "conversations:write")]
    ConversationsWrite,
    /// Reading which models there are.
    #[serde(rename = "models:read")]
    ModelsRead,
    /// Reading what is kept of the user: profile, usage, keys.
    #[serde(rename = "users:read")]
    UsersRead,
    /// Changing the user's profile and preferences.
    #[serde(rename = "users:write")]
    UsersWrite,
}

impl Scope {
    /// All scopes, in the order in which they are listed.
    pub const ALL: [Self; 6] = [
        Self::Chat,
        Self::ConversationsRead,
        Self::ConversationsWrite,
        Self::ModelsRead,
        Self::UsersRead,
        Self::UsersWrite,
    ];

    /// The name, as stored and as shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::ConversationsRead => "conversations:read",
            Self::ConversationsWrite => "conversations:write",
            Self::ModelsRead => "models:read",
            Self::UsersRead => "users:read",
            Self::UsersWrite => "users:write",
        }
    }

    const fn bit(self) -> u8 {
        1 << (self as u8)
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A set of scopes.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Scopes(u8);

impl Scopes {
    /// What somebody who has signed in may do: everything.
    #[must_use]
    pub fn all() -> Self {
        Scope::ALL.into_iter().collect()
    }

    /// The set that was stored as names with spaces between them, as OAuth writes them.
    ///
    /// A name that this version does not know allows nothing here: a newer instance may have stored it.
    #[must_use]
    pub fn from_names(names: &str) -> Self {
        let known = |name| Scope::ALL.into_iter().find(|scope| scope.as_str() == name);
        names.split(' ').filter_map(known).collect()
    }

    /// The names with spaces between them, to be stored.
    #[must_use]
    pub fn to_names(self) -> String {
        let names: Vec<_> = self.iter().map(Scope::as_str).collect();
        names.join(" ")
    }

    /// Whether this scope is among them.
    #[must_use]
    pub const fn contains(self, scope: Scope) -> bool {
        self.0 & scope.bit() != 0
    }

    /// The scopes, each once, in the order of [`Scope::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Scope> {
        Scope::ALL.into_iter().filter(move |scope| self.contains(*scope))
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        Self(scopes.into_iter().fold(0, |bits, scope| bits | scope.bit()))
    }
}

impl fmt::Debug for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_is_stored_by_its_names() {
        let set: Scopes = [Scope::UsersRead, Scope::Chat, Scope::Chat].into_iter().collect();
        assert_eq!(set.to_names(), "chat users:read");
        assert_eq!(Scopes::from_names("chat users:read"), set);
        assert_eq!(Scopes::from_names("users:read of:tomorrow chat"), set);
        assert_eq!(Scopes::from_names(""), Scopes::default());
        assert_eq!(Scopes::from_names(&Scopes::all().to_names()), Scopes::all());
    }

    #[test]
    fn a_scope_is_written_by_its_name() {
        for scope in Scope::ALL {
            let json = serde_json::to_value(scope).expect("json");
            assert_eq!(json, scope.as_str());
            assert!(Scopes::all().contains(scope) && !Scopes::default().contains(scope));
        }
    }
}
