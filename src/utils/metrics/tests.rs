use std::collections::{BTreeMap, HashSet};

use super::*;

/// Lines of each family.
fn series(text: &str) -> BTreeMap<&str, usize> {
    let mut series = BTreeMap::new();
    let mut family = "";
    for line in text.lines() {
        if let Some(declared) = line.strip_prefix("# TYPE ") {
            family = declared.split(' ').next().unwrap_or_default();
        } else if !line.starts_with('#') {
            *series.entry(family).or_default() += 1;
        }
    }
    series
}

/// The sum of all samples of a family without fractions.
fn sum(text: &str, family: &str) -> u64 {
    let samples = text
        .lines()
        .filter(|line| line.starts_with(&format!("{family}{{")));
    let values = samples.map(|line| line.rsplit(' ').next().expect("a value"));
    values.map(|value| value.parse::<u64>().expect("a count")).sum()
}

#[test]
fn ten_thousand_users_and_models_stay_within_the_limit() {
    let metrics = Metrics::new(1000).expect("families");
    let (mut users, mut models) = (HashSet::new(), HashSet::new());
    for n in 0..10_000 {
        let (user, model) = (format!("user-{n}"), format!("model-{n}"));
        let (user, model) = (metrics.user_label(&user), metrics.model_label(&model));
        users.insert(user.to_owned());
        models.insert(model.to_owned());
    }
    assert_eq!((users.len(), models.len()), (1001, 201));
    // Every model with every tenth user, ended in every way.
    for model in &models {
        for user in users.iter().step_by(10) {
            for status in ["completed", "cancelled", "interrupted", "failed"] {
                let labels = [model.as_str(), user, status, "true"];
                metrics.chat_completions.with_label_values(&labels).inc();
            }
        }
        for kind in ["input", "output", "cached", "reasoning"] {
            metrics.chat_tokens.with_label_values(&[model, kind]).inc();
        }
        metrics
            .chat_completion_duration
            .with_label_values(&[model])
            .observe(1.0);
        metrics
            .chat_time_to_first_token
            .with_label_values(&[model])
            .observe(1.0);
        metrics.revenue_usd.with_label_values(&[model]).inc_by(1.0);
    }
    let text = metrics.render().expect("a text");
    for (family, count) in series(&text) {
        assert!(count <= 2000, "{family} has {count} series");
    }
    assert_eq!(
        sum(&text, "chat_completions_total"),
        201 * 101 * 4,
        "every answer is counted"
    );
    assert_eq!(sum(&text, "chat_tokens_total"), 201 * 4);
    assert_eq!(sum(&text, "chat_completion_duration_seconds_count"), 201);
    assert_eq!(sum(&text, "revenue_total_usd"), 201);
}

#[test]
fn odd_methods_on_every_route_stay_within_the_limit() {
    let metrics = Metrics::new(100).expect("families");
    let methods = [
        "GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "OTHER",
    ];
    for endpoint in 0..100 {
        let endpoint = format!("/v1/route-{endpoint}");
        for method in methods {
            for status in 0..20 {
                let labels = [method, endpoint.as_str(), &(400 + status).to_string()];
                metrics.http_requests.with_label_values(&labels).inc();
            }
            let times = metrics
                .http_request_duration
                .with_label_values(&[method, &endpoint]);
            times.observe(0.01);
        }
    }
    let text = metrics.render().expect("a text");
    for (family, count) in series(&text) {
        assert!(count <= 2000, "{family} has {count} series");
    }
    assert_eq!(sum(&text, "http_requests_total"), 100 * 8 * 20);
    assert_eq!(sum(&text, "http_request_duration_seconds_count"), 100 * 8);
}

#[test]
fn the_label_of_users_is_there_only_if_some_are_named() {
    for (limit, shown) in [(0, false), (1, true)] {
        let metrics = Metrics::new(limit).expect("families");
        let labels = ["model", metrics.user_label("somebody"), "completed", "true"];
        metrics.chat_completions.with_label_values(&labels).inc();
        let text = metrics.render().expect("a text");
        assert_eq!(text.contains("user="), shown, "{text}");
        assert_eq!(sum(&text, "chat_completions_total"), 1);
    }
}
