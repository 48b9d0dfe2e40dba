//! Tokens, CORS, proxies and body sizes.

use crate::config::catalogue::{derived, is, settings, unset};
use crate::config::reader::Reader;
use crate::config::sections::{Environment, SecuritySettings};
use crate::config::syntax::{
    Algorithms, Cidrs, Flag, HttpUrl, JwtSecret, Origins, Seconds, Secret, Text, Whole,
};

settings! {
    Security:
    JWT_SECRET_KEY: JwtSecret = JwtSecret, unset(""),
        "secret of the tokens, as Supabase shows it; in development one is generated into DATA_DIR";
    JWT_ALGORITHM: Algorithms = Algorithms, is("HS256"),
        "algorithms that tokens may be signed with";
    JWT_AUDIENCE: Text = Text::up_to(200), is("authenticated"),
        "audience that a token must name";
    JWT_ISSUER: Text = Text::up_to(500), unset("https://project.supabase.co/auth/v1"),
        "issuer that a token must name";
    SUPABASE_JWKS_URL: HttpUrl = HttpUrl,
        derived("`SUPABASE_URL` and `/auth/v1/.well-known/jwks.json`", "https://project.supabase.co/auth/v1/.well-known/jwks.json"),
        "public keys of the tokens", later();
    JWKS_REFRESH_SECONDS: Seconds = Seconds::new(1.0, 86_400.0), is("600"),
        "seconds until those keys are fetched again", later();
    CORS_ORIGINS: Origins = Origins,
        derived("`http://localhost:3000` in development, else none", "http://localhost:3000"),
        "origins of the browsers' pages that may call";
    CORS_CREDENTIALS: Flag = Flag, is("true"),
        "whether those pages may send credentials; never together with CORS_ORIGINS=*";
    TRUSTED_PROXIES: Cidrs = Cidrs, unset("10.0.0.0/8"),
        "proxies whose X-Forwarded-For is believed";
    METRICS_TOKEN: Secret = Secret, unset(""),
        "bearer token that /metrics asks for";
    MAX_BODY_BYTES: Whole<usize> = Whole::new(1024, 104_857_600), is("1048576"),
        "largest body of a request";
    MAX_IMPORT_BYTES: Whole<usize> = Whole::new(1024, 4_294_967_295), is("268435456"),
        "largest body of an import";
}

/// Where the usual development server of a frontend is.
const DEVELOPMENT_ORIGIN: &str = "http://localhost:3000";

/// Where a Supabase project publishes its keys.
const JWKS_PATH: &str = "/auth/v1/.well-known/jwks.json";

pub fn read(reader: &mut Reader, environment: Environment, supabase_url: Option<&str>) -> SecuritySettings {
    SecuritySettings {
        jwt_secret: reader.optional(&JWT_SECRET_KEY),
        jwt_algorithms: reader.value(&JWT_ALGORITHM),
        jwt_audience: reader.value(&JWT_AUDIENCE),
        jwt_issuer: reader.optional(&JWT_ISSUER),
        jwks_url: reader
            .optional(&SUPABASE_JWKS_URL)
            .or_else(|| supabase_url.map(|url| format!("{url}{JWKS_PATH}"))),
        jwks_refresh: reader.value(&JWKS_REFRESH_SECONDS),
        cors_origins: reader
            .optional(&CORS_ORIGINS)
            .unwrap_or_else(|| usual_origins(environment)),
        cors_credentials: reader.value(&CORS_CREDENTIALS),
        trusted_proxies: reader.value(&TRUSTED_PROXIES),
        metrics_token: reader.optional(&METRICS_TOKEN),
        max_body_bytes: reader.value(&MAX_BODY_BYTES),
        max_import_bytes: reader.value(&MAX_IMPORT_BYTES),
    }
}

fn usual_origins(environment: Environment) -> Vec<String> {
    match environment {
        Environment::Development => vec![DEVELOPMENT_ORIGIN.to_owned()],
        Environment::Staging | Environment::Production => Vec::new(),
    }
}
