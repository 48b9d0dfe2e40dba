//! What texts become.

use std::path::PathBuf;
use std::time::Duration;

use jsonwebtoken::Algorithm;
use proptest::prelude::*;
use secrecy::ExposeSecret as _;

use super::super::{DatabaseUrl, Environment, ModelFallback, Settings};
use super::{read, refused};

#[test]
fn names_in_any_case_quotes_and_empty_values() {
    let settings = read(&[
        ("port", "\"9000\""),
        ("App_Name", "'My Chat'"),
        ("HOST", ""),
        ("DEBUG", " YES "),
        ("LITELLM_URL", "\"\""),
    ])
    .expect("settings");
    assert_eq!(settings.app.port, 9000);
    assert_eq!(settings.app.name, "My Chat");
    assert_eq!(settings.app.host, "0.0.0.0");
    assert!(settings.app.debug);
    assert_eq!(settings.app.log_level, "DEBUG");
    assert_eq!(settings.models.litellm_url, None);
}

#[test]
fn booleans() {
    for (text, expected) in [
        ("true", true),
        ("1", true),
        ("Yes", true),
        ("false", false),
        ("0", false),
        ("no", false),
    ] {
        let settings = read(&[("ENABLE_DOCS", text)]).expect("settings");
        assert_eq!(settings.features.docs, expected, "{text}");
    }
    assert_eq!(refused(&[("ENABLE_DOCS", "on")]), ["ENABLE_DOCS"]);
}

#[test]
fn durations_and_money_are_exact() {
    let settings = read(&[
        ("LITELLM_TIMEOUT", "0.25"),
        ("SHUTDOWN_TIMEOUT", "0"),
        ("REDIS_TIMEOUT_MS", "75"),
        ("MIN_BALANCE_THRESHOLD", "0.000000001"),
        ("DEFAULT_USER_BUDGET", "0.1"),
    ])
    .expect("settings");
    assert_eq!(settings.models.idle_timeout, Duration::from_millis(250));
    assert_eq!(settings.app.shutdown_timeout, Duration::ZERO);
    assert_eq!(settings.cache.redis_timeout, Duration::from_millis(75));
    assert_eq!(settings.business.min_balance_threshold_nano, 1);
    assert_eq!(settings.business.default_user_budget_nano, Some(100_000_000));
    let unlimited = read(&[("DEFAULT_USER_BUDGET", "unlimited")]).expect("settings");
    assert_eq!(unlimited.business.default_user_budget_nano, None);
}

#[test]
fn bounds_are_included_and_said() {
    assert_eq!(refused(&[("PORT", "65535")]), [] as [&str; 0]);
    for bad in [
        "65536",
        "-1",
        "+1",
        "1_000",
        "1e3",
        "0x10",
        "99999999999999999999",
    ] {
        assert_eq!(refused(&[("PORT", bad)]), ["PORT"], "{bad}");
    }
    for bad in ["NaN", "inf", "1e2", "-1", ".", "1.2.3", "3601"] {
        assert_eq!(refused(&[("LITELLM_TIMEOUT", bad)]), ["LITELLM_TIMEOUT"], "{bad}");
    }
    let text = read(&[("PORT", "http")]).expect_err("a problem").to_string();
    assert!(
        text.contains("PORT: given \"http\"; allowed: a whole number from 0 to 65535"),
        "{text}"
    );
}

#[test]
fn lists() {
    for text in [
        "https://a.example, http://localhost:5173,",
        r#"["https://a.example","http://localhost:5173"]"#,
    ] {
        let settings = read(&[("CORS_ORIGINS", text)]).expect("settings");
        assert_eq!(
            settings.security.cors_origins,
            ["https://a.example", "http://localhost:5173"]
        );
    }
    for bad in [
        "https://a.example/",
        "*, https://a.example",
        "https://*.example",
        "a.example",
        "https://A.example",
        "[1]",
        "null",
    ] {
        assert_eq!(refused(&[("CORS_ORIGINS", bad)]), ["CORS_ORIGINS"], "{bad}");
    }
    let settings = read(&[
        ("TRUSTED_PROXIES", "10.0.0.0/8, ::1"),
        ("JWT_ALGORITHM", "HS512,hs256,HS512"),
    ])
    .expect("settings");
    assert!(settings.security.trusts("10.1.2.3".parse().expect("an address")));
    assert!(settings.security.trusts("::1".parse().expect("an address")));
    assert!(!settings.security.trusts("::2".parse().expect("an address")));
    assert_eq!(
        settings.security.jwt_algorithms,
        [Algorithm::HS512, Algorithm::HS256]
    );
    assert_eq!(
        refused(&[("JWT_ALGORITHM", "none"), ("TRUSTED_PROXIES", "all")]),
        ["JWT_ALGORITHM", "TRUSTED_PROXIES"]
    );
}

#[test]
fn fallbacks() {
    let settings = read(&[("FALLBACK_MODELS", "big = small | other, x=y")]).expect("settings");
    let entry = |model: &str, fallbacks: &[&str]| ModelFallback {
        model: model.to_owned(),
        fallbacks: fallbacks.iter().map(|&name| name.to_owned()).collect(),
    };
    assert_eq!(
        settings.models.fallbacks,
        [entry("big", &["small", "other"]), entry("x", &["y"])]
    );
    for bad in [
        "big",
        "big=",
        "=small",
        "big=big",
        "big=a||b",
        "big=a,big=b",
        "m=1|2|3|4|5|6|7|8|9",
    ] {
        assert_eq!(refused(&[("FALLBACK_MODELS", bad)]), ["FALLBACK_MODELS"], "{bad}");
    }
}

#[test]
fn secrets_of_tokens() {
    let text = "an-ordinary-secret-of-enough-bytes";
    let settings = read(&[("JWT_SECRET_KEY", text)]).expect("settings");
    let secret = settings.security.jwt_secret.expect("a secret");
    assert_eq!(secret.expose_secret(), text.as_bytes());

    let bytes = [0xFB_u8; 33];
    for encoded in [
        "base64:+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7+/v7",
        "base64:-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7",
    ] {
        let settings = read(&[("JWT_SECRET_KEY", encoded)]).expect("settings");
        let secret = settings.security.jwt_secret.expect("a secret");
        assert_eq!(secret.expose_secret(), bytes);
    }
    for bad in [
        "too-short",
        "base64:AAAA",
        "base64:not base64, and long enough for a secret",
    ] {
        assert_eq!(refused(&[("JWT_SECRET_KEY", bad)]), ["JWT_SECRET_KEY"], "{bad}");
    }
}

#[test]
fn places_of_the_database() {
    for (text, expected) in [
        ("sqlite:chat.db", "chat.db"),
        ("sqlite://chat.db", "chat.db"),
        ("sqlite:///var/lib/chat.db", "/var/lib/chat.db"),
        ("./here/chat.db", "./here/chat.db"),
    ] {
        let settings = read(&[("DATABASE_URL", text)]).expect("settings");
        let DatabaseUrl::Sqlite(path) = settings.database.url else {
            panic!("{text}")
        };
        assert_eq!(path, PathBuf::from(expected));
    }
    let settings = read(&[("DATA_DIR", "/srv")]).expect("settings");
    let DatabaseUrl::Sqlite(path) = settings.database.url else {
        panic!("not SQLite")
    };
    assert_eq!(path, PathBuf::from("/srv/orchestrator.db"));
    for url in [
        "postgres://user:open-sesame@db/chat?sslmode=require",
        "postgresql://db/chat",
    ] {
        let settings = read(&[("DATABASE_URL", url)]).expect("settings");
        assert!(!format!("{settings:?}").contains("open-sesame"));
        let DatabaseUrl::Postgres(given) = settings.database.url else {
            panic!("not PostgreSQL")
        };
        assert_eq!(given.expose_secret(), url);
    }
    for bad in [
        "sqlite::memory:",
        "sqlite://:memory:",
        "sqlite://a.db?mode=rwc",
        "mysql://host/db",
        "sqlite:",
        "folder/",
        "postgres://",
    ] {
        assert_eq!(refused(&[("DATABASE_URL", bad)]), ["DATABASE_URL"], "{bad}");
    }
}

#[test]
fn urls_lose_their_last_slash() {
    let settings = read(&[
        ("LITELLM_URL", "http://litellm:4000/v1/"),
        ("SUPABASE_URL", "https://p.supabase.co/"),
    ])
    .expect("settings");
    assert_eq!(
        settings.models.litellm_url.as_deref(),
        Some("http://litellm:4000/v1")
    );
    assert_eq!(
        settings.security.jwks_url.as_deref(),
        Some("https://p.supabase.co/auth/v1/.well-known/jwks.json")
    );
    for bad in [
        "litellm:4000",
        "ftp://litellm",
        "http://user:word@litellm",
        "http://litellm?key=1",
        "http://",
    ] {
        assert_eq!(refused(&[("LITELLM_URL", bad)]), ["LITELLM_URL"], "{bad}");
    }
}

#[test]
fn log_levels_and_filters() {
    for good in [
        "info",
        "WARN",
        "off",
        "info,hyper=warn",
        "ai_chat_orchestrator=trace",
    ] {
        assert_eq!(refused(&[("LOG_LEVEL", good)]), [] as [&str; 0], "{good}");
    }
    for bad in ["verbose", "info,verbose", "hyper=loud", "info,,"] {
        assert_eq!(refused(&[("LOG_LEVEL", bad)]), ["LOG_LEVEL"], "{bad}");
    }
    let settings = read(&[("DEBUG", "true"), ("LOG_LEVEL", "warn")]).expect("settings");
    assert_eq!(settings.app.log_level, "warn");
}

#[test]
fn defaults_that_follow_from_other_settings() {
    let settings = read(&[("REDIS_URL", "redis://cache:6379/1")]).expect("settings");
    assert!(settings.cache.redis_enabled);
    let settings = read(&[("REDIS_ENABLED", "true")]).expect("settings");
    assert_eq!(
        settings.cache.redis_url.expose_secret(),
        "redis://localhost:6379/0"
    );
    let settings = read(&[("ENVIRONMENT", "Staging")]).expect("settings");
    assert_eq!(settings.app.environment, Environment::Staging);
    assert!(settings.security.cors_origins.is_empty());
}

proptest! {
    /// Whatever an operator writes, there is an answer and no panic.
    #[test]
    fn any_text_is_read(text in any::<String>(), which in any::<prop::sample::Index>()) {
        let catalogue = Settings::catalogue();
        let name = which.get(&catalogue).name.to_owned();
        let _ = Settings::from_pairs([(name, text)]);
    }

    /// Texts that come near what is allowed reach deeper into the parsers.
    #[test]
    fn near_misses_are_read(text in "[-+0-9a-z.,:;=|*/@?#\\[\\]\"' %{}]{0,40}") {
        let pairs = Settings::catalogue().into_iter().map(|info| (info.name.to_owned(), text.clone()));
        let _ = Settings::from_pairs(pairs);
    }
}
