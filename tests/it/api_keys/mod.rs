//! API keys: in the hands of their users, as credentials, and what each may be used for.

mod managing;
mod outages;
mod scopes;
mod verifying;

use serde_json::{Value, json};

use crate::support::Client;
use crate::support::client::text;

/// Where keys are listed and made.
pub const ROUTE: &str = "/v1/users/me/api-keys";

/// A route that any key with the scope `conversations:read` may use.
const CONVERSATIONS: &str = "/v1/conversations";

/// A key that was made.
pub struct Key {
    id: String,
    /// The whole of it.
    key: String,
}

impl Key {
    /// A key of this user with these scopes.
    async fn with_scopes(user: &Client, scopes: &[&str]) -> Self {
        Self::made_of(user, &json!({"name": "a key", "scopes": scopes})).await
    }

    pub async fn made_of(user: &Client, body: &Value) -> Self {
        let made = user.post(ROUTE, body).await.data(201);
        Self {
            id: text(&made["id"]),
            key: text(&made["key"]),
        }
    }

    /// Where it is changed and revoked.
    fn path(&self) -> String {
        format!("{ROUTE}/{}", self.id)
    }

    /// A client that has this key alone.
    pub fn client(&self, user: &Client) -> Client {
        user.with_token(self.key.clone())
    }

    /// The part that nobody but its bearer knows.
    pub fn secret(&self) -> &str {
        self.key.rsplit('-').next().expect("a last part")
    }
}

/// The user's keys.
async fn keys_of(user: &Client) -> Vec<Value> {
    let page = user.get(&format!("{ROUTE}?limit=100")).await.data(200);
    page["items"].as_array().expect("items").clone()
}
