//! Checks that look at several settings together, and what this release or production refuse.

use super::catalogue::Setting;
use super::groups::business::{DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE};
use super::groups::models::{DEFAULT_MAX_TOKENS, LITELLM_URL, MAX_OUTPUT_TOKENS};
use super::groups::monitoring::METRICS_PORT;
use super::groups::security::{CORS_CREDENTIALS, CORS_ORIGINS, JWT_SECRET_KEY};
use super::groups::supabase::{
    EDGE_FUNCTION_URL, PROFILE_SOURCE, SPEND_SYNC, SUPABASE_ANON_KEY, SUPABASE_SERVICE_KEY, SUPABASE_URL,
};
use super::reader::Reader;
use super::sections::{Environment, ProfileSource, Settings, SpendSync};
use super::syntax::Syntax;

/// Every check. A setting that already has a problem is not checked further.
pub fn run(settings: &mut Settings, reader: &mut Reader) {
    this_release(settings, reader);
    limits(settings, reader);
    ports(settings, reader);
    profiles(settings, reader);
    development_defaults(settings, reader);
    any_origin(settings, reader);
}

/// Where data lives is refused rather than ignored: it would quietly be kept elsewhere.
fn this_release(settings: &Settings, reader: &mut Reader) {
    if settings.supabase.edge_function_url.is_some() {
        reader.refuse(
            &EDGE_FUNCTION_URL,
            "nothing: Edge Functions are not supported by this release; remove it",
        );
    }
}

/// A default that requests get must not be above what requests may ask for.
fn limits(settings: &Settings, reader: &mut Reader) {
    let (size, max_size) = (
        settings.business.default_page_size,
        settings.business.max_page_size,
    );
    if size > max_size {
        at_most(reader, &DEFAULT_PAGE_SIZE, &MAX_PAGE_SIZE, max_size);
    }
    let (tokens, max_tokens) = (
        settings.models.default_max_tokens,
        settings.models.max_output_tokens,
    );
    if tokens > max_tokens {
        at_most(reader, &DEFAULT_MAX_TOKENS, &MAX_OUTPUT_TOKENS, max_tokens);
    }
}

fn at_most<S: Syntax>(reader: &mut Reader, setting: &Setting<S>, limit: &Setting<S>, value: u32) {
    if reader.sound(&[setting.name, limit.name]) {
        reader.refuse(setting, format!("at most {}, which is {value}", limit.name));
    }
}

/// Port 0 is another port each time.
fn ports(settings: &Settings, reader: &mut Reader) {
    let port = settings.app.port;
    if port != 0 && settings.monitoring.metrics_port == Some(port) {
        reader.refuse(&METRICS_PORT, format!("another port than PORT, which is {port}"));
    }
}

/// Profiles that live in Supabase need a way to get there.
fn profiles(settings: &Settings, reader: &mut Reader) {
    let supabase = &settings.supabase;
    let in_supabase = supabase.profile_source == ProfileSource::Supabase;
    // Of Edge Functions everything is refused already.
    if in_supabase && supabase.edge_function_url.is_none() {
        if supabase.url.is_none() {
            needed(reader, &SUPABASE_URL, "by PROFILE_SOURCE=supabase");
        }
        if supabase.anon_key.is_none() {
            needed(reader, &SUPABASE_ANON_KEY, "by PROFILE_SOURCE=supabase");
        }
    }
    if supabase.spend_sync == SpendSync::Write {
        if !in_supabase && reader.sound(&[PROFILE_SOURCE.name]) {
            reader.refuse(&SPEND_SYNC, "write only together with PROFILE_SOURCE=supabase");
        }
        if supabase.service_key.is_none() {
            needed(reader, &SUPABASE_SERVICE_KEY, "by SPEND_SYNC=write");
        }
    }
}

/// What a developer gets for nothing and real users must not meet: refused in production, warned of in staging.
fn development_defaults(settings: &Settings, reader: &mut Reader) {
    if settings.security.jwt_secret.is_none() {
        outgrow(
            settings,
            reader,
            &JWT_SECRET_KEY,
            "in production: the secret of the tokens",
        );
    }
    if settings.models.is_demo() {
        outgrow(
            settings,
            reader,
            &LITELLM_URL,
            "in production: the model server, in place of the built-in demo model; or the key of a provider",
        );
    }
}

fn outgrow<S: Syntax>(settings: &Settings, reader: &mut Reader, setting: &Setting<S>, reason: &str) {
    match settings.app.environment {
        Environment::Development => {}
        Environment::Staging => reader.warn(format!(
            "{} is not given; production would refuse to start",
            setting.name
        )),
        Environment::Production => needed(reader, setting, reason),
    }
}

fn needed<S: Syntax>(reader: &mut Reader, setting: &Setting<S>, reason: &str) {
    if reader.sound(&[setting.name]) {
        reader.refuse(setting, reason);
    }
}

/// Browsers refuse credentials together with `*`, and answering each origin by its name would open the service to
/// all of them. So outside production `*` switches credentials off, and production asks for a decision.
fn any_origin(settings: &mut Settings, reader: &mut Reader) {
    let any = settings.security.cors_origins.iter().any(|origin| origin == "*");
    if !any || !settings.security.cors_credentials {
        return;
    }
    if settings.app.environment == Environment::Production {
        if reader.sound(&[CORS_CREDENTIALS.name]) {
            reader.refuse(
                &CORS_ORIGINS,
                "in production: the origins by name, or CORS_CREDENTIALS=false",
            );
        }
        return;
    }
    settings.security.cors_credentials = false;
    reader.warn("CORS_ORIGINS=* switches CORS_CREDENTIALS off".to_owned());
}
