use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use chrono::TimeDelta;
use futures_util::future::join_all;
use secrecy::ExposeSecret as _;
use uuid::Uuid;

use super::*;
use crate::models::ids::UserId;
use crate::models::scope::Scope;
use crate::services::api_keys::{ApiKeyChanges, ApiKeyError, NewApiKey, NewSecret};

/// A table with one key, or none, or one that does not answer.
struct Table {
    found: Mutex<Result<Option<KeyRecord>, DatabaseError>>,
    finds: AtomicUsize,
    uses: AtomicUsize,
}

#[async_trait]
impl ApiKeyRecords for Table {
    async fn create(&self, _: &Caller, _: NewApiKey, _: u32) -> Result<ApiKey, ApiKeyError> {
        unreachable!("nothing is made by verifying")
    }

    async fn list(&self, _: UserId) -> Result<Vec<ApiKey>, DatabaseError> {
        unreachable!("nothing is listed by verifying")
    }

    async fn update(
        &self,
        _: UserId,
        _: ApiKeyId,
        _: ApiKeyChanges,
    ) -> Result<Option<ApiKey>, DatabaseError> {
        unreachable!("nothing is changed by verifying")
    }

    async fn revoke(&self, _: UserId, _: ApiKeyId) -> Result<Option<ApiKey>, DatabaseError> {
        unreachable!("nothing is revoked by verifying")
    }

    async fn find(&self, _: &PublicId) -> Result<Option<KeyRecord>, DatabaseError> {
        self.finds.fetch_add(1, Ordering::Relaxed);
        // So that others come to ask while this one waits.
        tokio::task::yield_now().await;
        self.found.lock().expect("a table").clone()
    }

    async fn record_use(&self, _: ApiKeyId, _: DateTime<Utc>) -> Result<(), DatabaseError> {
        self.uses.fetch_add(1, Ordering::Relaxed);
        Err(DatabaseError::Closed)
    }
}

/// A verifier of one key.
struct Fixture {
    table: Arc<Table>,
    verifier: ApiKeyVerifier,
    tracker: TaskTracker,
    record: KeyRecord,
    key: String,
}

impl Fixture {
    fn new() -> Self {
        let secret = NewSecret::generate().expect("random numbers");
        let record = KeyRecord {
            id: ApiKeyId(Uuid::from_u128(1)),
            user_id: UserId(Uuid::from_u128(2)),
            hash: secret.hash,
            scopes: [Scope::Chat].into_iter().collect(),
            state: KeyState::Active,
            expires_at: None,
        };
        let table = Arc::new(Table {
            found: Mutex::new(Ok(Some(record.clone()))),
            finds: AtomicUsize::new(0),
            uses: AtomicUsize::new(0),
        });
        let tracker = TaskTracker::new();
        let verifier = ApiKeyVerifier::new(ApiKeyParts {
            records: table.clone(),
            enabled: true,
            remembered: 100,
            tracker: tracker.clone(),
            metrics: Arc::new(Metrics::new(0).expect("families")),
            clock: Clock::system(),
        });
        Self {
            table,
            verifier,
            tracker,
            record,
            key: secret.key.expose_secret().to_owned(),
        }
    }

    fn answer(&self, found: Result<Option<KeyRecord>, DatabaseError>) {
        *self.table.found.lock().expect("a table") = found;
    }

    /// The code of the refusal.
    async fn refused(&self) -> Option<ErrorCode> {
        match self.verifier.verify(&self.key).await {
            Ok(_) => None,
            Err(AuthFailure::Refused(refusal)) => Some(ApiError::from(refusal).code()),
            Err(AuthFailure::Undecided(error)) => Some(error.code()),
        }
    }

    fn finds(&self) -> usize {
        self.table.finds.load(Ordering::Relaxed)
    }
}

#[tokio::test]
async fn of_many_requests_at_once_one_asks_and_one_use_is_recorded() {
    let fixture = Fixture::new();
    let callers = join_all((0..100).map(|_| fixture.verifier.verify(&fixture.key))).await;
    for caller in callers {
        let caller = caller.expect("a caller");
        assert_eq!(caller.user_id, fixture.record.user_id);
        assert_eq!(caller.scopes, fixture.record.scopes);
        assert_eq!(caller.credential, Credential::ApiKey(fixture.record.id));
    }
    assert_eq!(fixture.finds(), 1);
    fixture.tracker.close();
    fixture.tracker.wait().await;
    assert_eq!(fixture.table.uses.load(Ordering::Relaxed), 1);
    let metrics = fixture.verifier.parts.metrics.render().expect("metrics");
    for sample in [
        r#"cache_operations_total{backend="memory",namespace="api_keys",operation="get",result="miss"} 1"#,
        r#"cache_operations_total{backend="memory",namespace="api_keys",operation="get",result="hit"} 99"#,
        r#"best_effort_failures_total{operation="api_key_last_use"} 1"#,
    ] {
        assert!(metrics.contains(sample), "{sample}: {metrics}");
    }
}

#[tokio::test]
async fn what_is_remembered_ends_in_time_and_when_it_is_forgotten() {
    let fixture = Fixture::new();
    assert!(REMEMBERED_FOR + READ_WITHIN < Duration::from_secs(5));
    assert_eq!(fixture.refused().await, None);
    fixture.answer(Ok(Some(KeyRecord {
        state: KeyState::Revoked,
        ..fixture.record.clone()
    })));
    assert_eq!(fixture.refused().await, None);
    let id = PublicId::of_key(&fixture.key).expect("a key");
    let changed = ApiKey {
        id: fixture.record.id,
        name: String::new(),
        prefix: PublicId::prefix_of(id.as_str()),
        scopes: Vec::new(),
        is_active: true,
        expires_at: None,
        last_used_at: None,
        created_at: Clock::system().now(),
    };
    fixture.verifier.forget(&changed).await;
    assert_eq!(fixture.refused().await, Some(ErrorCode::ApiKeyRevoked));
}

#[tokio::test]
async fn a_wrong_secret_learns_nothing_of_the_key() {
    let fixture = Fixture::new();
    let (known, _) = fixture.key.rsplit_once('-').expect("a secret");
    let wrong = format!("{known}-{}", "0".repeat(52));
    for state in [KeyState::Active, KeyState::Inactive, KeyState::Revoked] {
        fixture.answer(Ok(Some(KeyRecord {
            state,
            ..fixture.record.clone()
        })));
        let refusal = fixture.verifier.verify(&wrong).await;
        assert!(
            matches!(refusal, Err(AuthFailure::Refused(AuthError::InvalidApiKey))),
            "{state:?}"
        );
    }
}

#[tokio::test]
async fn a_database_that_does_not_answer_is_no_refusal_and_is_asked_again() {
    let fixture = Fixture::new();
    fixture.answer(Err(DatabaseError::TimedOut));
    assert_eq!(fixture.refused().await, Some(ErrorCode::StoreUnavailable));
    fixture.answer(Err(DatabaseError::corrupt("hash", "too short")));
    assert_eq!(fixture.refused().await, Some(ErrorCode::InternalError));
    fixture.answer(Ok(None));
    assert_eq!(fixture.refused().await, Some(ErrorCode::InvalidApiKey));
    fixture.answer(Ok(Some(fixture.record.clone())));
    assert_eq!(fixture.refused().await, None);
    assert_eq!(fixture.finds(), 4);
}

#[test]
fn an_expiry_counts_to_the_millisecond() {
    let fixture = Fixture::new();
    let now = Clock::system().now();
    for (after_now, expected) in [(1, Ok(())), (0, Err(AuthError::ApiKeyExpired))] {
        let record = KeyRecord {
            expires_at: Some(now + TimeDelta::milliseconds(after_now)),
            ..fixture.record.clone()
        };
        assert_eq!(check(&record, &fixture.key, now), expected);
    }
}
