//! What a store costs at scale: `cargo bench --bench scale -- --store sqlite`. Without `--store` it only says so.
//!
//! It fills a database with two users who have the same amount of everything, and with one conversation of 10,000
//! messages in 200 branches, and then measures what the first user does. Each line of the table is one request of the
//! API without HTTP: the store's method, its transaction and its connection included. The requests are run in random
//! order, so that none is measured right after itself.
//!
//! - [`options`]: what can be asked for
//! - [`stores`]: the databases
//! - [`text`], [`data`], [`fill`]: what is in them, the same at every run
//! - [`conversation`], [`user`]: what is measured
//! - [`probe`]: how it is measured

#![expect(clippy::print_stdout, reason = "a benchmark prints what it measured")]

mod conversation;
mod data;
mod fill;
mod options;
mod probe;
mod stores;
mod text;
mod user;

use std::error::Error;
use std::sync::Arc;

use ai_chat_orchestrator::services::conversations::{ConversationStore, StoreLimits};
use ai_chat_orchestrator::services::sql::{SqlConversations, SqlDatabase};
use clap::Parser as _;

use data::Corpus;
use fill::Large;
use options::{Options, StoreKind};

/// Whatever ends the benchmark early.
type Failure = Box<dyn Error>;

/// Raised as far as settings go, but for the context, which has its default.
const LIMITS: StoreLimits = StoreLimits {
    conversations: 1_000_000,
    branches: 1_000,
    messages: 100_000,
    context_messages: 100,
    new_user_budget: None,
};

/// What is told to whoever names no database.
const USAGE: &str = "scale: takes minutes and gigabytes of disk, and is run only on a database that is named: \
                     cargo bench --bench scale -- --store sqlite (or postgres; more with --help)";

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let options = Options::parse();
    let Some(store) = options.store else {
        println!("{USAGE}");
        return Ok(());
    };
    match store {
        StoreKind::Sqlite => {
            let place = stores::Sqlite::open(options.keep.as_deref()).await?;
            let filled = fill(&place.database, &options).await?;
            println!("{}", stores::size(place.bytes()?));
            measure(&place.database, &filled, &options).await
        }
        StoreKind::Postgres => {
            let place = stores::Postgres::open(options.keep.as_deref()).await?;
            let measured = async {
                let filled = fill(&place.database, &options).await?;
                place.tidy().await?;
                println!("{}", stores::size(place.bytes().await?));
                measure(&place.database, &filled, &options).await
            };
            let measured = measured.await;
            place.close().await?;
            measured
        }
    }
}

/// What is there to be measured.
struct Filled {
    store: Arc<dyn ConversationStore>,
    corpus: Corpus,
    large: Large,
}

async fn fill<D: SqlDatabase>(database: &D, options: &Options) -> Result<Filled, Failure> {
    let store = Arc::new(SqlConversations::new(database.clone(), LIMITS));
    let corpus = Corpus::new(options.messages / options.conversations.max(1));
    let large = fill::fill(&*store, &corpus, options.conversations).await?;
    Ok(Filled { store, corpus, large })
}

async fn measure<D: SqlDatabase>(database: &D, filled: &Filled, options: &Options) -> Result<(), Failure> {
    let mut probes = conversation::probes(database, &filled.store, &filled.large);
    probes.extend(user::probes(&filled.store, &filled.corpus, &filled.large));
    println!("{}", probe::run(&probes, options.runs).await?);
    Ok(())
}
