//! AI Chat Orchestrator: one binary between chat frontends, language models and stored conversations.
//!
//! The house, from the front door down; imports run this way only:
//!
//! - [`cli`]: the commands; [`serve`] starts a server and stops it again, on the services that `wiring` makes
//! - [`app`]: the router with all routes and middleware, over one [`state`]; [`server`] accepts the connections
//! - [`routers`]: handlers, one file per domain; [`middleware`] and [`extract`] around them
//! - [`services`]: what the service does, free of HTTP
//! - [`models`]: wire types; [`config`]: settings; [`utils`]: what knows of no service
//!
//! `docs/architecture.md` tells why.

pub mod app;
pub mod cli;
pub mod config;
pub mod extract;
pub mod middleware;
pub mod models;
pub mod routers;
pub mod serve;
pub mod server;
pub mod services;
pub mod state;
pub mod utils;
mod wiring;

#[cfg(test)]
mod testing;
