//! Metrics, logs, traces and health checks.

use crate::config::catalogue::{derived, is, settings, unset};
use crate::config::reader::Reader;
use crate::config::sections::MonitoringSettings;
use crate::config::syntax::{File, Flag, HttpUrl, Seconds, Whole};

settings! {
    Monitoring:
    ENABLE_METRICS: Flag = Flag, is("true"),
        "/metrics for Prometheus";
    METRICS_PORT: Whole<u16> = Whole::new(0, 65_535), unset("9090"),
        "port that then serves /metrics alone; 0 picks a free one";
    METRICS_USER_LABEL_LIMIT: Whole<usize> = Whole::new(0, 1000), is("100"),
        "users that metrics name by id, the rest being `other`; 0 leaves users out";
    ENABLE_STRUCTURED_LOGGING: Flag = Flag,
        derived("`false` on a terminal or with `DEBUG=true`, else `true`", "true"),
        "logs as JSON lines instead of readable ones";
    LOG_FILE: File = File, unset("logs/app.log"),
        "file for JSON lines as well; a new one each day, old ones are kept";
    OTEL_EXPORTER_OTLP_ENDPOINT: HttpUrl = HttpUrl, unset("http://localhost:4318"),
        "collector of traces (OTLP over HTTP)", later();
    HEALTH_CHECK_INTERVAL: Seconds = Seconds::new(0.05, 3600.0), is("30"),
        "seconds that the result of a health check is reused";
    HEALTH_CHECK_TIMEOUT: Seconds = Seconds::new(0.05, 60.0), is("5"),
        "seconds for one health check";
}

pub fn read(reader: &mut Reader) -> MonitoringSettings {
    MonitoringSettings {
        metrics: reader.value(&ENABLE_METRICS),
        metrics_port: reader.optional(&METRICS_PORT),
        user_label_limit: reader.value(&METRICS_USER_LABEL_LIMIT),
        structured_logging: reader.optional(&ENABLE_STRUCTURED_LOGGING),
        log_file: reader.optional(&LOG_FILE),
        otlp_endpoint: reader.optional(&OTEL_EXPORTER_OTLP_ENDPOINT),
        health_check_interval: reader.value(&HEALTH_CHECK_INTERVAL),
        health_check_timeout: reader.value(&HEALTH_CHECK_TIMEOUT),
    }
}
