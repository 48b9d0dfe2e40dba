//! Tests through the real server.
