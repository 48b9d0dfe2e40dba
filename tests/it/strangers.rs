//! Every route below a conversation, asked by somebody else, and asked for what cannot be an id.

use reqwest::Method;
use serde_json::json;

use crate::support::client::text;
use crate::support::{Answer, Client, MODEL, Store, TestServer, Tree, on_each_store, token};

on_each_store!(
    what_belongs_to_others_looks_like_nothing,
    what_belongs_to_another_conversation_looks_like_nothing,
    ids_must_be_uuids,
    nothing_is_there_for_strangers_without_a_token,
);

/// The routes, with `{c}`, `{b}` and `{m}` for the ids of a conversation, a branch and a message.
const ROUTES: [(Method, &str); 22] = [
    (Method::GET, "/v1/conversations/{c}"),
    (Method::PATCH, "/v1/conversations/{c}"),
    (Method::DELETE, "/v1/conversations/{c}"),
    (Method::GET, "/v1/conversations/{c}/full"),
    (Method::GET, "/v1/conversations/{c}/export?format=json"),
    (Method::GET, "/v1/conversations/{c}/stream"),
    (Method::GET, "/v1/conversations/{c}/branches"),
    (Method::POST, "/v1/conversations/{c}/branches"),
    (Method::GET, "/v1/conversations/{c}/branches/{b}"),
    (Method::PATCH, "/v1/conversations/{c}/branches/{b}"),
    (Method::DELETE, "/v1/conversations/{c}/branches/{b}"),
    (Method::POST, "/v1/conversations/{c}/branches/{b}/activate"),
    (Method::GET, "/v1/conversations/{c}/branches/{b}/messages"),
    (Method::GET, "/v1/conversations/{c}/branches/{b}/stats"),
    (Method::POST, "/v1/conversations/{c}/branches/{b}/merge"),
    (Method::GET, "/v1/conversations/{c}/messages"),
    (Method::POST, "/v1/conversations/{c}/messages"),
    (Method::POST, "/v1/conversations/{c}/messages/search"),
    (Method::GET, "/v1/conversations/{c}/messages/{m}?include=thread"),
    (Method::PATCH, "/v1/conversations/{c}/messages/{m}"),
    (Method::DELETE, "/v1/conversations/{c}/messages/{m}"),
    (Method::POST, "/v1/conversations/{c}/messages/{m}/regenerate"),
];

/// What to put into a route.
#[derive(Debug, Clone)]
struct Ids {
    conversation: String,
    branch: String,
    message: String,
}

impl Ids {
    /// Ids that nothing has.
    fn missing() -> Self {
        let [conversation, branch, message] = [(); 3].map(|()| token::new_uuid().to_string());
        Self {
            conversation,
            branch,
            message,
        }
    }

    /// Those of a conversation with one answered question.
    async fn grown(tree: &Tree) -> Self {
        let message = tree.chat("mine").await.question;
        Self {
            conversation: tree.id.clone(),
            branch: tree.active().await,
            message,
        }
    }

    fn in_path(&self, path: &str) -> String {
        let path = path.replace("{c}", &self.conversation);
        path.replace("{b}", &self.branch).replace("{m}", &self.message)
    }

    /// The body of a refusal, without what differs from request to request.
    fn anonymous(&self, refusal: &Answer) -> String {
        let request_id = text(&refusal.json()["error"]["request_id"]);
        let ids = [&self.conversation, &self.branch, &self.message, &request_id];
        ids.into_iter()
            .fold(refusal.text(), |body, id| body.replace(id, ""))
    }
}

/// Asks a route, with a body that would suit every one of them.
async fn ask(user: &Client, (method, path): &(Method, &str), ids: &Ids) -> Answer {
    let request = user.request(method.clone(), &ids.in_path(path));
    if [Method::GET, Method::DELETE].contains(method) {
        return Answer::to(request).await;
    }
    let body = json!({
        "title": "x",
        "name": "x",
        "from_message_id": token::new_uuid(),
        "role": "user",
        "content": "x",
        "q": "x",
        "model": MODEL,
    });
    Answer::to(request.json(&body)).await
}

async fn what_belongs_to_others_looks_like_nothing(store: Store) {
    let server = TestServer::on(store).await;
    let tree = Tree::new(&server).await;
    let (theirs, missing) = (Ids::grown(&tree).await, Ids::missing());
    let before = tree.get("/full").await.data(200);
    let stranger = server.user();
    for route in &ROUTES {
        let foreign = ask(&stranger, route, &theirs).await;
        foreign.error(404, "CONVERSATION_NOT_FOUND");
        let absent = ask(&stranger, route, &missing).await;
        assert_eq!(
            theirs.anonymous(&foreign),
            missing.anonymous(&absent),
            "{route:?}"
        );
    }
    assert_eq!(tree.get("/full").await.data(200), before, "nothing was changed");
    assert_eq!(server.upstream.chats().len(), 1);
}

async fn what_belongs_to_another_conversation_looks_like_nothing(store: Store) {
    let server = TestServer::on(store).await;
    let tree = Tree::new(&server).await;
    let theirs = Ids::grown(&tree).await;
    let before = tree.get("/full").await.data(200);
    let conversation = tree.user.new_conversation(&json!({})).await;
    let missing = Ids {
        conversation: conversation.clone(),
        ..Ids::missing()
    };
    let foreign = Ids {
        conversation,
        ..theirs
    };
    for route in &ROUTES {
        let code = match route.1 {
            path if path.contains("{b}") => "BRANCH_NOT_FOUND",
            path if path.contains("{m}") => "MESSAGE_NOT_FOUND",
            _ => continue,
        };
        let refusal = ask(&tree.user, route, &foreign).await;
        refusal.error(404, code);
        let absent = ask(&tree.user, route, &missing).await;
        assert_eq!(
            foreign.anonymous(&refusal),
            missing.anonymous(&absent),
            "{route:?}"
        );
    }
    assert_eq!(tree.get("/full").await.data(200), before, "nothing was changed");
}

async fn ids_must_be_uuids(store: Store) {
    let server = TestServer::on(store).await;
    let tree = Tree::new(&server).await;
    let good = Ids::grown(&tree).await;
    for bad in [
        "42",
        "null",
        "%27%20OR%201=1",
        "..%2f..%2fetc",
        "%00",
        "0198-0000",
    ] {
        for route in &ROUTES {
            let mut ids = good.clone();
            let (field, id) = match route.1 {
                path if path.contains("{b}") => ("branch_id", &mut ids.branch),
                path if path.contains("{m}") => ("message_id", &mut ids.message),
                _ => ("id", &mut ids.conversation),
            };
            bad.clone_into(id);
            let answer = ask(&tree.user, route, &ids).await;
            assert_eq!(answer.status, 422, "{route:?} {bad}: {answer:?}");
            assert_eq!(answer.invalid_fields(), [field], "{route:?} {bad}");
        }
    }
    assert_eq!(server.upstream.chats().len(), 1);
}

async fn nothing_is_there_for_strangers_without_a_token(store: Store) {
    let server = TestServer::on(store).await;
    let tree = Tree::new(&server).await;
    let ids = Ids::grown(&tree).await;
    for route in &ROUTES {
        let answer = ask(&server.anonymous(), route, &ids).await;
        answer.error(401, "MISSING_AUTH_HEADER");
    }
}
