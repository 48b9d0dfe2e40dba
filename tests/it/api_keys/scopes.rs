//! What a key may be used for: the scope that the API document names is the one that is enforced, on every route.

use std::collections::BTreeMap;

use reqwest::Method;
use serde_json::{Value, json};

use super::Key;
use crate::operations::{document, operations};
use crate::support::{Answer, Client, TestServer, token};

const SCOPES: [&str; 6] = [
    "chat",
    "conversations:read",
    "conversations:write",
    "models:read",
    "users:read",
    "users:write",
];

/// For each scope, a key that has it alone, and one that has all others.
struct Keys(BTreeMap<&'static str, (Client, Client)>);

impl Keys {
    async fn of(user: &Client) -> Self {
        let mut keys = BTreeMap::new();
        for scope in SCOPES {
            let others: Vec<_> = SCOPES.into_iter().filter(|other| *other != scope).collect();
            let alone = Key::with_scopes(user, &[scope]).await.client(user);
            let without = Key::with_scopes(user, &others).await.client(user);
            keys.insert(scope, (alone, without));
        }
        Self(keys)
    }
}

/// Asks a route with an empty object, and with ids that nothing has.
async fn ask(client: &Client, method: &str, path: &str) -> Answer {
    let concrete: Vec<_> = path
        .split('/')
        .map(|part| match part.strip_prefix('{') {
            Some(_) => token::new_uuid().to_string(),
            None => part.to_owned(),
        })
        .collect();
    let method: Method = method.to_uppercase().parse().expect("a method");
    Answer::to(client.request(method, &concrete.join("/")).json(&json!({}))).await
}

/// What an operation says of itself: the scope that it needs, or that keys are refused.
fn declared(operation: &Value) -> Option<&str> {
    let security = &operation["security"];
    let scope = security[0]["bearer"][0].as_str();
    match scope {
        Some(scope) => assert_eq!(*security, json!([{"bearer": [scope]}, {"api_key": [scope]}])),
        None => assert_eq!(*security, json!([{"bearer": []}]), "{operation}"),
    }
    let description = operation["description"].as_str().expect("a description");
    let told = scope.map_or("API keys are refused".to_owned(), |scope| {
        format!("needs the scope `{scope}`")
    });
    assert!(description.contains(&told), "{description}");
    assert!(operation["responses"]["403"].is_object(), "{operation}");
    scope
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_needs_the_scope_that_it_names() {
    let server = TestServer::start().await;
    let user = server.user();
    let keys = Keys::of(&user).await;
    let document = document(&server).await;
    let mut seen = 0;
    for (method, path) in operations(&document) {
        if !path.starts_with("/v1") {
            continue;
        }
        seen += 1;
        let what = format!("{method} {path}");
        let scope = declared(&document["paths"][&path][&method]);
        let refused: Vec<&Client> = match scope {
            Some(scope) => {
                let (alone, without) = keys.0.get(scope).unwrap_or_else(|| panic!("{scope}: {what}"));
                let answer = ask(alone, &method, &path).await;
                assert!(![401, 403].contains(&answer.status), "{what}: {answer:?}");
                vec![without]
            }
            None => keys
                .0
                .values()
                .flat_map(|(alone, without)| [alone, without])
                .collect(),
        };
        for client in refused {
            let error = ask(client, &method, &path).await.error(403, "INSUFFICIENT_SCOPE");
            assert_eq!(error["details"]["required_scope"], json!(scope), "{what}");
        }
        let answer = ask(&user, &method, &path).await;
        assert!(![401, 403].contains(&answer.status), "{what}: {answer:?}");
    }
    assert!(seen > 30, "{seen} routes");
}

/// A path that the API document has no words for.
#[tokio::test(flavor = "multi_thread")]
async fn a_model_whose_id_has_slashes_needs_the_scope_too() {
    let server = TestServer::start().await;
    let keys = Keys::of(&server.user()).await;
    let (alone, without) = &keys.0["models:read"];
    let path = "/v1/models/openai/no-such-model";
    alone.get(path).await.error(404, "MODEL_NOT_FOUND");
    without.get(path).await.error(403, "INSUFFICIENT_SCOPE");
}
