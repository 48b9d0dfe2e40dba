//! AI Chat Orchestrator.

pub mod app;
pub mod config;
pub mod extract;
pub mod middleware;
pub mod models;
pub mod routers;
pub mod server;
pub mod services;
pub mod state;
pub mod utils;

#[cfg(test)]
mod testing;
