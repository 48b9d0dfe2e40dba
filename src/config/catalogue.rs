//! What a setting is: the single declaration that code, documentation and `.env.example` follow.

use super::syntax::Syntax;

/// The section of the documentation that a setting belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// Identity, address and life cycle of the process.
    Application,
    /// The SQL database that this installation owns.
    Database,
    /// Supabase and its Edge Functions.
    Supabase,
    /// The model server and the limits of a model call.
    Models,
    /// Redis and the in-process cache.
    Cache,
    /// Tokens, CORS, proxies and body sizes.
    Security,
    /// Pools, concurrency, time limits and streams.
    Load,
    /// Limits of the product.
    Business,
    /// What is switched on.
    Features,
    /// Metrics, logs, traces and health checks.
    Monitoring,
}

impl Group {
    /// The heading of the group in the documentation and in `.env.example`.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Application => "Application",
            Self::Database => "Own database",
            Self::Supabase => "Supabase",
            Self::Models => "Models",
            Self::Cache => "Cache",
            Self::Security => "Security",
            Self::Load => "Load",
            Self::Business => "Business rules",
            Self::Features => "Features",
            Self::Monitoring => "Monitoring",
        }
    }
}

/// What holds when a setting is not given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DefaultValue {
    /// This text, as if it had been given.
    Text(&'static str),
    /// A value that follows from something else.
    Derived {
        /// In words, for the documentation.
        from: &'static str,
        /// What `.env.example` shows behind a comment sign.
        example: &'static str,
    },
    /// Nothing: what the setting is for is then off.
    Unset {
        /// What `.env.example` shows behind a comment sign; empty for secrets.
        example: &'static str,
    },
}

/// A setting as documentation shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingInfo {
    /// The name of the variable.
    pub name: &'static str,
    /// Other names for the same setting.
    pub aliases: &'static [&'static str],
    /// Where it belongs.
    pub group: Group,
    /// What holds when it is not given.
    pub default: DefaultValue,
    /// One line about it.
    pub about: &'static str,
    /// The values it takes, with their bounds.
    pub allowed: String,
    /// Whether its value must never be shown.
    pub secret: bool,
    /// Whether this release reads it without using it.
    pub later: bool,
}

/// A setting and the syntax of its value.
pub(super) struct Setting<S> {
    pub name: &'static str,
    pub aliases: &'static [&'static str],
    pub group: Group,
    pub default: DefaultValue,
    pub about: &'static str,
    pub later: bool,
    pub syntax: S,
}

impl<S> Setting<S> {
    pub const fn new(
        name: &'static str,
        group: Group,
        syntax: S,
        default: DefaultValue,
        about: &'static str,
    ) -> Self {
        Self {
            name,
            aliases: &[],
            group,
            default,
            about,
            later: false,
            syntax,
        }
    }

    /// Marks a setting that this release reads but does not use yet.
    pub const fn later(mut self) -> Self {
        self.later = true;
        self
    }

    /// Gives the setting further names.
    pub const fn aliases(mut self, aliases: &'static [&'static str]) -> Self {
        self.aliases = aliases;
        self
    }

    /// The text of the default, where it is one.
    pub const fn default_text(&self) -> Option<&'static str> {
        match self.default {
            DefaultValue::Text(text) => Some(text),
            DefaultValue::Derived { .. } | DefaultValue::Unset { .. } => None,
        }
    }
}

impl<S: Syntax> Setting<S> {
    pub fn info(&self) -> SettingInfo {
        SettingInfo {
            name: self.name,
            aliases: self.aliases,
            group: self.group,
            default: self.default,
            about: self.about,
            allowed: self.syntax.allowed(),
            secret: S::SECRET,
            later: self.later,
        }
    }
}

/// A default that is written like a given value.
pub(super) const fn is(text: &'static str) -> DefaultValue {
    DefaultValue::Text(text)
}

/// No default.
pub(super) const fn unset(example: &'static str) -> DefaultValue {
    DefaultValue::Unset { example }
}

/// A default that follows from something else.
pub(super) const fn derived(from: &'static str, example: &'static str) -> DefaultValue {
    DefaultValue::Derived { from, example }
}

/// Declares the settings of a group: `NAME: Syntax = value, default, "about", options…;`. Makes a static of each
/// and a function that lists them all, so that none can be declared and then forgotten in the documentation.
macro_rules! settings {
    ($group:ident: $(
        $name:ident: $syntax:ty = $value:expr, $default:expr, $about:literal
        $(, $option:ident($($argument:expr)?))*;
    )+) => {
        $(pub(in crate::config) static $name: $crate::config::catalogue::Setting<$syntax> =
            $crate::config::catalogue::Setting::new(
                stringify!($name),
                $crate::config::catalogue::Group::$group,
                $value,
                $default,
                $about,
            )$(.$option($($argument)?))*;)+

        /// The settings of this group, in the order of the documentation.
        pub(in crate::config) fn catalogue() -> Vec<$crate::config::catalogue::SettingInfo> {
            vec![$($name.info()),+]
        }
    };
}

pub(super) use settings;
