//! What the fields of a user may hold.

use std::str::FromStr as _;

use chrono_tz::Tz;
use icu_locale_core::Locale;
use reqwest::Url;

use super::UserChanges;
use crate::services::conversations::{MAX_MODEL_CHARS, MAX_SYSTEM_MESSAGE_CHARS, check_metadata};
use crate::utils::errors::FieldErrors;
use crate::utils::validation::{check_length, check_printable};

/// Characters of a display name.
const MAX_NAME_CHARS: usize = 100;

/// Characters of a URL.
const MAX_URL_CHARS: usize = 2_000;

/// Characters of a language tag: those in use have fewer than a third of it.
const MAX_LANGUAGE_CHARS: usize = 100;

/// What preferences may ask for at most: what a chat request may.
#[derive(Debug, Clone, Copy)]
pub struct UserLimits {
    /// `MAX_TEMPERATURE`.
    pub temperature: f64,
    /// `MAX_OUTPUT_TOKENS`.
    pub output_tokens: u32,
    /// `MAX_CONTEXT_MESSAGES`.
    pub context_messages: u32,
}

/// The time zone of that name.
///
/// # Errors
/// A field error if the IANA's database has none.
pub fn parse_timezone(errors: &mut FieldErrors, field: &str, name: &str) -> Option<Tz> {
    let zone = Tz::from_str(name).ok();
    errors.check(zone.is_some(), field, || {
        "must be a time zone of the IANA's database, such as Europe/Vienna".to_owned()
    });
    zone
}

/// What is wrong with the changes of a user.
pub(super) fn check(changes: &UserChanges, limits: &UserLimits) -> FieldErrors {
    let mut errors = FieldErrors::default();
    if let Some(name) = given(&changes.display_name) {
        check_length(&mut errors, "display_name", name, 1, MAX_NAME_CHARS);
        check_printable(&mut errors, "display_name", name);
    }
    if let Some(url) = given(&changes.avatar_url) {
        errors.check(is_web_address(url), "avatar_url", || {
            format!("must be an http(s) URL of at most {MAX_URL_CHARS} characters")
        });
    }
    if let Some(metadata) = given(&changes.metadata) {
        check_metadata(&mut errors, metadata);
    }
    if let Some(name) = given(&changes.timezone) {
        parse_timezone(&mut errors, "timezone", name);
    }
    if let Some(tag) = given(&changes.language) {
        errors.check(is_language_tag(tag), "language", || {
            "must be a BCP 47 language tag, such as en or de-AT".to_owned()
        });
    }
    if let Some(model) = given(&changes.default_model) {
        check_length(&mut errors, "default_model", model, 1, MAX_MODEL_CHARS);
        errors.check(!model.chars().any(char::is_control), "default_model", || {
            "must not hold control characters".to_owned()
        });
    }
    if let Some(temperature) = given(&changes.default_temperature) {
        let allowed = 0.0..=limits.temperature;
        errors.check(allowed.contains(temperature), "default_temperature", || {
            format!("must be between 0 and {}", limits.temperature)
        });
    }
    if let Some(tokens) = given(&changes.default_max_tokens) {
        let allowed = 1..=u64::from(limits.output_tokens);
        errors.check(allowed.contains(tokens), "default_max_tokens", || {
            format!("must be between 1 and {}", limits.output_tokens)
        });
    }
    if let Some(messages) = given(&changes.max_context_messages) {
        let allowed = 1..=limits.context_messages;
        errors.check(allowed.contains(messages), "max_context_messages", || {
            format!("must be between 1 and {}", limits.context_messages)
        });
    }
    if let Some(text) = given(&changes.custom_system_message) {
        let max = MAX_SYSTEM_MESSAGE_CHARS;
        check_length(&mut errors, "custom_system_message", text, 0, max);
    }
    errors
}

/// The value that a field is given, if it is given one.
fn given<T>(change: &Option<Option<T>>) -> Option<&T> {
    change.as_ref().and_then(Option::as_ref)
}

fn is_web_address(text: &str) -> bool {
    let scheme_follows = |url: &Url| matches!(url.scheme(), "http" | "https") && url.has_host();
    text.len() <= MAX_URL_CHARS
        && !text.chars().any(|c| c.is_control() || c.is_whitespace())
        && Url::parse(text).is_ok_and(|url| scheme_follows(&url))
}

/// Whether it is well-formed; underlines are another notation's.
fn is_language_tag(tag: &str) -> bool {
    tag.len() <= MAX_LANGUAGE_CHARS && !tag.contains('_') && Locale::try_from_str(tag).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn language_tags_are_those_of_bcp_47() {
        for tag in [
            "en",
            "de-AT",
            "zh-Hant-TW",
            "sr-Latn-RS",
            "es-419",
            "sl-rozaj",
            "en-US-u-hc-h12",
            "de-x-lerche",
        ] {
            assert!(is_language_tag(tag), "{tag}");
        }
        for tag in [
            "",
            "e",
            "english language",
            "de_AT",
            "de-",
            "-de",
            "de--AT",
            "de-ATTTTTTTTT",
            "日本語",
        ] {
            assert!(!is_language_tag(tag), "{tag}");
        }
        assert!(!is_language_tag(&format!("en-x-{}", "a-".repeat(60))));
    }

    #[test]
    fn pictures_are_on_the_web() {
        for url in ["https://example.com/a.png?b=c", "http://[::1]:8080/ä"] {
            assert!(is_web_address(url), "{url}");
        }
        for url in [
            "",
            "example.com",
            "//example.com/a.png",
            "javascript:alert(1)",
            "data:image/png;base64,AA",
            "https://",
            "https://a b/",
            " https://example.com",
            &format!("https://example.com/{}", "a".repeat(MAX_URL_CHARS)),
        ] {
            assert!(!is_web_address(url), "{url}");
        }
    }

    #[test]
    fn time_zones_are_those_of_the_iana() {
        let is_zone = |name: &str| {
            let mut errors = FieldErrors::default();
            let zone = parse_timezone(&mut errors, "timezone", name);
            assert_eq!(zone.is_some(), errors.into_result().is_ok());
            zone.is_some()
        };
        for name in ["UTC", "Asia/Kathmandu", "Australia/Lord_Howe", "America/New_York"] {
            assert!(is_zone(name), "{name}");
        }
        for name in ["", "Vienna", "Mars/Olympus", "+02:00", "Europe/Vienna "] {
            assert!(!is_zone(name), "{name}");
        }
    }
}
