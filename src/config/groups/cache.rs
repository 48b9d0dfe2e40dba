//! Redis and the in-process cache.

use secrecy::SecretString;

use crate::config::catalogue::{derived, is, settings, unset};
use crate::config::reader::Reader;
use crate::config::sections::CacheSettings;
use crate::config::syntax::{Flag, Milliseconds, RedisUrl, Seconds, Secret, Whole};

settings! {
    Cache:
    REDIS_ENABLED: Flag = Flag, derived("`true` when `REDIS_URL` is given, else `false`", "true"),
        "share caches and limits between instances by Redis";
    REDIS_URL: RedisUrl = RedisUrl, derived("`redis://localhost:6379/0`", "redis://localhost:6379/0"),
        "where Redis is";
    REDIS_PASSWORD: Secret = Secret, unset(""),
        "password for Redis, if the URL holds none";
    REDIS_MAX_CONNECTIONS: Whole<u32> = Whole::new(3, 1000), is("10"),
        "connections to Redis at most; one instance opens three: for requests, for logs of streams, for messages";
    REDIS_RETRY_ATTEMPTS: Whole<u32> = Whole::new(0, 100), is("3"),
        "quick reconnects before Redis is tried once a second; not repeats of an operation";
    REDIS_TIMEOUT_MS: Milliseconds = Milliseconds::new(1, 10_000), is("50"),
        "milliseconds for one operation, after which the instance goes on without Redis";
    CACHE_TTL_DEFAULT: Seconds = Seconds::new(1.0, 604_800.0), is("3600"),
        "seconds that a value is kept where no other setting says so", later();
    CACHE_TTL_USER_PROFILE: Seconds = Seconds::new(1.0, 604_800.0), is("1800"),
        "seconds that a user's profile is kept";
    CACHE_TTL_MODELS: Seconds = Seconds::new(1.0, 604_800.0), is("3600"),
        "seconds after which the list of models is read again";
    CACHE_TTL_CONVERSATIONS: Seconds = Seconds::new(1.0, 604_800.0), is("300"),
        "seconds that lists of conversations and single ones are kept";
    CACHE_MAX_ENTRIES: Whole<u64> = Whole::new(1, 10_000_000), is("10000"),
        "entries of each in-process cache; one of more than 4 KiB counts several times";
}

/// The usual address of a Redis on this machine.
const LOCAL_REDIS: &str = "redis://localhost:6379/0";

pub fn read(reader: &mut Reader) -> CacheSettings {
    let redis_url = reader.optional(&REDIS_URL);
    CacheSettings {
        redis_enabled: reader.optional(&REDIS_ENABLED).unwrap_or(redis_url.is_some()),
        redis_url: redis_url.unwrap_or_else(|| SecretString::from(LOCAL_REDIS)),
        redis_password: reader.optional(&REDIS_PASSWORD),
        redis_max_connections: reader.value(&REDIS_MAX_CONNECTIONS),
        redis_retry_attempts: reader.value(&REDIS_RETRY_ATTEMPTS),
        redis_timeout: reader.value(&REDIS_TIMEOUT_MS),
        ttl_default: reader.value(&CACHE_TTL_DEFAULT),
        ttl_user_profile: reader.value(&CACHE_TTL_USER_PROFILE),
        ttl_models: reader.value(&CACHE_TTL_MODELS),
        ttl_conversations: reader.value(&CACHE_TTL_CONVERSATIONS),
        max_entries: reader.value(&CACHE_MAX_ENTRIES),
    }
}
