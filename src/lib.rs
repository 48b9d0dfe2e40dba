//! AI Chat Orchestrator.

pub mod config;
pub mod models;
pub mod services;
pub mod utils;
