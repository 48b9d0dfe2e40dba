//! The client of Redis against servers that are killed, frozen and started anew.

mod health;
mod logs;
mod messages;
mod outages;
mod requests;
