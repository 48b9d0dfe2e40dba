//! Supabase and its Edge Functions.

use crate::config::catalogue::{derived, is, settings, unset};
use crate::config::reader::Reader;
use crate::config::sections::{ProfileSource, SpendSync, SupabaseSettings};
use crate::config::syntax::{Choice, FunctionName, FunctionNames, HttpUrl, Seconds, Secret, Whole};

settings! {
    Supabase:
    SUPABASE_URL: HttpUrl = HttpUrl, unset("https://project.supabase.co"),
        "base URL of the Supabase project", later();
    SUPABASE_ANON_KEY: Secret = Secret, unset(""),
        "public key of the project", aliases(&["SUPABASE_PUBLISHABLE_KEY"]), later();
    SUPABASE_SERVICE_KEY: Secret = Secret, unset(""),
        "secret key of the project, used for SPEND_SYNC=write alone", aliases(&["SUPABASE_SECRET_KEY"]), later();
    EDGE_FUNCTION_URL: HttpUrl = HttpUrl, unset("https://project.supabase.co/functions/v1"),
        "base URL of the Edge Functions; refused until a release supports it";
    EDGE_CONVERSATION_FUNCTION: FunctionName = FunctionName, is("conversation-manager"),
        "Edge Function that keeps the conversations", later();
    EDGE_TIMEOUT: Seconds = Seconds::new(0.05, 600.0), is("30"),
        "seconds for one call of an Edge Function", later();
    EDGE_MAX_RETRIES: Whole<u32> = Whole::new(0, 10), is("3"),
        "repeats of a call that is safe to repeat", later();
    EDGE_ALLOWED_FUNCTIONS: FunctionNames = FunctionNames, unset("summarize,translate"),
        "Edge Functions that clients may call through this service", later();
    PROFILE_SOURCE: Choice<ProfileSource> = Choice(&[
        ("supabase", ProfileSource::Supabase),
        ("sql", ProfileSource::Sql),
    ]), derived("`supabase` when `EDGE_FUNCTION_URL` is given, else `sql`", "sql"),
        "where user profiles come from", later();
    SPEND_SYNC: Choice<SpendSync> = Choice(&[
        ("external", SpendSync::External),
        ("write", SpendSync::Write),
    ]), is("external"),
        "who moves the spend of a Supabase profile: the billing beside LiteLLM, or this service", later();
}

pub fn read(reader: &mut Reader) -> SupabaseSettings {
    let edge_function_url = reader.optional(&EDGE_FUNCTION_URL);
    let usual_source = if edge_function_url.is_some() {
        ProfileSource::Supabase
    } else {
        ProfileSource::Sql
    };
    SupabaseSettings {
        url: reader.optional(&SUPABASE_URL),
        anon_key: reader.optional(&SUPABASE_ANON_KEY),
        service_key: reader.optional(&SUPABASE_SERVICE_KEY),
        edge_function_url,
        conversation_function: reader.value(&EDGE_CONVERSATION_FUNCTION),
        timeout: reader.value(&EDGE_TIMEOUT),
        max_retries: reader.value(&EDGE_MAX_RETRIES),
        allowed_functions: reader.value(&EDGE_ALLOWED_FUNCTIONS),
        profile_source: reader.optional(&PROFILE_SOURCE).unwrap_or(usual_source),
        spend_sync: reader.value(&SPEND_SYNC),
    }
}
