//! Problems are reported together, and secrets stay secret.

use super::super::Settings;
use super::{read, refused};

const SECRET: &str = "s3cr3t-s3cr3t-s3cr3t-s3cr3t-s3cr3t";

#[test]
fn every_bad_value_is_reported_at_once() {
    let bad: Vec<(String, String)> = Settings::catalogue()
        .into_iter()
        .filter(|info| !info.allowed.starts_with("a line of"))
        .filter(|info| !info.allowed.starts_with("the path of"))
        .map(|info| (info.name.to_owned(), "not, [allowed]: anywhere!".to_owned()))
        .collect();
    assert!(bad.len() > 90);
    let errors = Settings::from_pairs(bad.clone()).expect_err("problems");
    let reported: Vec<_> = errors
        .problems()
        .iter()
        .map(|problem| problem.setting.as_str())
        .collect();
    for (name, _) in &bad {
        assert!(reported.contains(&name.as_str()), "{name} is not reported");
    }
    assert_eq!(
        reported.len(),
        bad.len(),
        "no second problem follows from a first"
    );
    assert_eq!(errors.to_string().lines().count(), bad.len() + 1);
}

#[test]
fn production_names_each_setting_to_give() {
    assert_eq!(
        refused(&[("ENVIRONMENT", "production"), ("CORS_ORIGINS", "*")]),
        ["JWT_SECRET_KEY", "LITELLM_URL", "CORS_ORIGINS"]
    );
    let complete = [
        ("ENVIRONMENT", "production"),
        ("JWT_SECRET_KEY", SECRET),
        ("LITELLM_URL", "http://litellm:4000"),
        ("CORS_ORIGINS", "*"),
        ("CORS_CREDENTIALS", "no"),
    ];
    assert!(read(&complete).is_ok());
}

#[test]
fn staging_warns_of_what_production_refuses() {
    let settings = read(&[("ENVIRONMENT", "staging"), ("CORS_ORIGINS", "*")]).expect("settings");
    let warnings = settings.warnings().join("\n");
    for name in ["JWT_SECRET_KEY", "LITELLM_URL", "CORS_ORIGINS"] {
        assert!(warnings.contains(name), "{warnings}");
    }
    assert!(!settings.security.cors_credentials);
}

#[test]
fn settings_are_checked_together() {
    for (pairs, expected) in [
        (
            [("DEFAULT_PAGE_SIZE", "200"), ("MAX_PAGE_SIZE", "100")],
            vec!["DEFAULT_PAGE_SIZE"],
        ),
        // No second problem because of the default that stands in for the first.
        (
            [("DEFAULT_PAGE_SIZE", "200"), ("MAX_PAGE_SIZE", "many")],
            vec!["MAX_PAGE_SIZE"],
        ),
        (
            [("DEFAULT_MAX_TOKENS", "9"), ("MAX_OUTPUT_TOKENS", "8")],
            vec!["DEFAULT_MAX_TOKENS"],
        ),
        ([("PORT", "9090"), ("METRICS_PORT", "9090")], vec!["METRICS_PORT"]),
        ([("PORT", "0"), ("METRICS_PORT", "0")], vec![]),
        (
            [("PROFILE_SOURCE", "supabase"), ("SUPABASE_ANON_KEY", "key")],
            vec!["SUPABASE_URL"],
        ),
        (
            [("SPEND_SYNC", "write"), ("SUPABASE_SECRET_KEY", "key")],
            vec!["SPEND_SYNC"],
        ),
    ] {
        assert_eq!(refused(&pairs), expected, "{pairs:?}");
    }
}

#[test]
fn a_limit_below_its_default_is_explained() {
    let text = read(&[("MAX_PAGE_SIZE", "10")])
        .expect_err("a problem")
        .to_string();
    assert!(
        text.contains(
            "DEFAULT_PAGE_SIZE: given \"20\" (the default); allowed: at most MAX_PAGE_SIZE, which is 10"
        ),
        "{text}"
    );
}

#[test]
fn what_would_move_data_elsewhere_is_refused() {
    let errors = read(&[("EDGE_FUNCTION_URL", "https://p.supabase.co/functions/v1")]).expect_err("a problem");
    assert_eq!(errors.problems().len(), 1);
    assert!(
        errors.to_string().contains("not supported by this release"),
        "{errors}"
    );
}

#[test]
fn what_has_no_effect_yet_is_named() {
    let settings = read(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318"),
        ("JWKS_REFRESH_SECONDS", "600"),
        ("SUPABASE_PUBLISHABLE_KEY", "key"),
        ("PORT", "9000"),
    ])
    .expect("settings");
    assert_eq!(
        settings.not_yet_effective(),
        ["SUPABASE_ANON_KEY", "OTEL_EXPORTER_OTLP_ENDPOINT"]
    );
}

#[test]
fn no_secret_is_printable() {
    let redis = format!("redis://:{SECRET}@cache:6379");
    let database = format!("postgres://user:{SECRET}@db/chat");
    let pairs: Vec<(String, String)> = Settings::catalogue()
        .into_iter()
        .filter(|info| info.secret)
        .map(|info| {
            let value = match info.name {
                "REDIS_URL" => &redis,
                "DATABASE_URL" => &database,
                _ => SECRET,
            };
            (info.name.to_owned(), value.to_owned())
        })
        .collect();
    assert!(pairs.len() > 10);
    let settings = Settings::from_pairs(pairs).expect("settings");
    let printed = format!("{settings:?}");
    assert!(!printed.contains(SECRET), "{printed}");
    let as_bytes = format!("{:?}", SECRET.as_bytes());
    assert!(!printed.contains(&as_bytes), "{printed}");
}

#[test]
fn no_problem_shows_a_secret() {
    let with_space = format!("{SECRET} {SECRET}");
    let mut pairs: Vec<(String, String)> = Settings::catalogue()
        .into_iter()
        .filter(|info| info.secret)
        .map(|info| (info.name.to_owned(), with_space.clone()))
        .collect();
    pairs.push(("LITELLM_URL".to_owned(), format!("http://user:{SECRET}@litellm")));
    pairs.push(("METRICS_TOKEN".to_owned(), SECRET.to_owned()));
    let errors = Settings::from_pairs(pairs).expect_err("problems");
    for printed in [errors.to_string(), format!("{errors:?}")] {
        assert!(printed.contains("METRICS_TOKEN") && printed.contains("[REDACTED]"));
        assert!(!printed.contains(SECRET), "{printed}");
    }
}

#[test]
fn long_values_are_cut_and_kept_on_one_line() {
    let value = format!("line\n{}", "x".repeat(10_000));
    let text = read(&[("PORT", &value)]).expect_err("a problem").to_string();
    assert!(text.len() < 400 && text.contains("line\\n"), "{text}");
}
