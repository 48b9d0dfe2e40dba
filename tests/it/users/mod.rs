//! Users: what they say of themselves, what they prefer, and what they used.

mod chatting;
mod preferences;
mod profile;
mod usage;

/// Where the profile is.
const PROFILE: &str = "/v1/users/me";

/// Where the preferences are.
const PREFERENCES: &str = "/v1/users/me/preferences";

/// Where usage is.
const USAGE: &str = "/v1/users/me/usage";

/// Where the dashboard is.
const DASHBOARD: &str = "/v1/users/me/analytics/dashboard";
