//! Usage: its sums are those of the ledger, whatever is in it and wherever one looks at it from.

use std::collections::BTreeMap;

use ai_chat_orchestrator::models::analytics::{Dashboard, GroupBy, Period, Usage, UsageFigures};
use ai_chat_orchestrator::models::ids::{StreamId, UserId};
use ai_chat_orchestrator::models::message::MessageStatus;
use ai_chat_orchestrator::models::money::Money;
use ai_chat_orchestrator::services::analytics::{AnalyticsParts, AnalyticsService, Feature, FeatureCount};
use ai_chat_orchestrator::services::auth::Caller;
use ai_chat_orchestrator::services::billing::{AnswerUsage, UsageEvent};
use ai_chat_orchestrator::utils::clock::Clock;
use chrono::{DateTime, Datelike as _, Days, NaiveDate, TimeDelta, Timelike as _, Utc};
use chrono_tz::Tz;
use futures_util::future::join_all;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use crate::store::databases::TestStore;

/// Where users are, and when they look: soon after midnight, and soon after clocks were changed by an hour or by half of
/// one, forward and back.
const VIEWS: [(Tz, &str); 7] = [
    (Tz::UTC, "2026-11-23T00:00:00Z"),
    (Tz::Asia__Kathmandu, "2026-11-22T18:20:00Z"),
    (Tz::Australia__Lord_Howe, "2026-10-04T11:59:59Z"),
    (Tz::Australia__Lord_Howe, "2026-04-05T20:00:00Z"),
    (Tz::America__New_York, "2026-11-02T07:30:00Z"),
    (Tz::America__New_York, "2026-03-09T12:00:00Z"),
    (Tz::Africa__Cairo, "2026-04-25T09:00:00Z"),
];

const PERIODS: [Period; 6] = [
    Period::Hours24,
    Period::Days7,
    Period::Days30,
    Period::Days90,
    Period::Year,
    Period::All,
];

const MODELS: [&str; 3] = ["a-model", "another", "夜"];

/// Events of each user.
const EVENTS: usize = 120;

/// What is in the ledger of a user who looks at it from somewhere.
struct View {
    user: UserId,
    zone: Tz,
    now: DateTime<Utc>,
    events: Vec<UsageEvent>,
}

impl View {
    /// Events up to now, half of them within the last two days.
    fn random(store: &TestStore, (zone, now): (Tz, &str), random: &mut StdRng) -> Self {
        let (user, now) = (UserId::new(&store.clock), now.parse().expect("a time"));
        let events = (0..EVENTS)
            .map(|n| {
                let most = if n % 2 == 0 { 2 } else { 500 } * TimeDelta::days(1).num_milliseconds();
                let before = TimeDelta::milliseconds(random.random_range(0..most));
                event(store, user, now - before, random)
            })
            .collect();
        Self {
            user,
            zone,
            now,
            events,
        }
    }

    fn service(&self, store: &TestStore) -> AnalyticsService {
        let now = self.now;
        AnalyticsService::new(AnalyticsParts {
            sums: store.usage_sums.clone(),
            enabled: true,
            clock: Clock::from_fn(move || now),
        })
    }

    async fn usage(&self, store: &TestStore, period: Period, model: Option<&str>, by: GroupBy) -> Usage {
        let usage = self
            .service(store)
            .usage(self.user, period, model, by, self.zone)
            .await;
        usage.expect("usage")
    }

    async fn dashboard(&self, store: &TestStore, period: Period) -> Dashboard {
        let dashboard = self.service(store).dashboard(self.user, period, self.zone).await;
        dashboard.expect("a dashboard")
    }

    fn day(&self, at: DateTime<Utc>) -> NaiveDate {
        at.with_timezone(&self.zone).date_naive()
    }

    /// The events of the period, of one model or of all, found one by one.
    fn within(&self, period: Period, model: Option<&str>) -> Vec<&UsageEvent> {
        let days = |days: u64| self.day(self.now) - Days::new(days - 1);
        let begun = |event: &UsageEvent| {
            let day = self.day(event.created_at);
            match period {
                Period::Hours24 => {
                    let quarter = 15 * 60 * 1_000;
                    let from = (self.now - TimeDelta::days(1)).timestamp_millis() / quarter * quarter;
                    event.created_at.timestamp_millis() >= from
                }
                Period::Days7 => day >= days(7),
                Period::Days30 => day >= days(30),
                Period::Days90 => day >= days(90),
                Period::Year => day >= days(365),
                Period::All => true,
            }
        };
        let events = self.events.iter();
        events
            .filter(|event| begun(event) && model.is_none_or(|model| model == &*event.model))
            .collect()
    }

    fn group(&self, event: &UsageEvent, by: GroupBy) -> String {
        let local = event.created_at.with_timezone(&self.zone);
        match by {
            GroupBy::Day => local.format("%Y-%m-%d").to_string(),
            GroupBy::Hour => local.format("%Y-%m-%dT%H:00:00%:z").to_string(),
            GroupBy::Model => event.model.to_string(),
        }
    }

    async fn check(&self, store: &TestStore) {
        for period in PERIODS {
            for model in [None, Some(MODELS[0])] {
                for by in [GroupBy::Day, GroupBy::Hour, GroupBy::Model] {
                    if by == GroupBy::Hour && matches!(period, Period::Year | Period::All) {
                        continue;
                    }
                    let usage = self.usage(store, period, model, by).await;
                    self.check_usage(&usage, model);
                }
            }
            self.check_dashboard(&self.dashboard(store, period).await);
        }
    }

    fn check_usage(&self, usage: &Usage, model: Option<&str>) {
        let what = format!(
            "{:?} of {model:?} by {:?} in {}",
            usage.period, usage.group_by, self.zone
        );
        let events = self.within(usage.period, model);
        assert_eq!(usage.totals, recount(&events), "{what}");
        let mut expected: BTreeMap<String, Vec<&UsageEvent>> = BTreeMap::new();
        for event in events {
            expected
                .entry(self.group(event, usage.group_by))
                .or_default()
                .push(event);
        }
        let expected: BTreeMap<String, UsageFigures> = expected
            .into_iter()
            .map(|(group, events)| (group, recount(&events)))
            .collect();
        let mut shown = BTreeMap::new();
        for item in &usage.items {
            let twice = shown.insert(item.group.clone(), item.figures);
            assert_eq!(twice, None, "{} is there once: {what}", item.group);
        }
        if usage.group_by == GroupBy::Day {
            let days: Vec<_> = usage.items.iter().map(|item| item.group.clone()).collect();
            assert!(days.is_sorted(), "{what}");
            assert_eq!(days.last(), Some(&self.day(self.now).to_string()), "{what}");
        }
        shown.retain(|_, figures| *figures != UsageFigures::default());
        assert_eq!(shown, expected, "{what}");
    }

    fn check_dashboard(&self, shown: &Dashboard) {
        let what = format!("{:?} in {}", shown.period, self.zone);
        let events = self.within(shown.period, None);
        assert_eq!(shown.totals, recount(&events), "{what}");
        for day in &shown.tokens_over_time {
            let of_day = of(&events, |event| self.day(event.created_at) == day.date);
            let figures = recount(&of_day);
            let expected = (figures.requests, figures.prompt_tokens, figures.completion_tokens);
            assert_eq!(
                (day.requests, day.prompt_tokens, day.completion_tokens),
                expected,
                "{what}"
            );
        }
        for day in &shown.cost.by_day {
            let of_day = of(&events, |event| self.day(event.created_at) == day.date);
            assert_eq!(day.cost_usd, recount(&of_day).cost_usd, "{what}");
        }
        let used = MODELS.map(|model| (model, recount(&of(&events, |event| &*event.model == model))));
        for (model, figures) in used.into_iter().filter(|(_, figures)| figures.requests > 0) {
            let share = shown.models.iter().find(|share| share.model == model);
            let share = share.unwrap_or_else(|| panic!("no {model}: {what}"));
            assert_eq!(
                (share.requests, share.total_tokens),
                (figures.requests, figures.total_tokens)
            );
            assert!((share.share * events.len() as f64 - figures.requests as f64).abs() < 1e-6);
            let cost = shown.cost.by_model.iter().find(|cost| cost.model == model);
            assert_eq!(cost.map(|cost| cost.cost_usd), Some(figures.cost_usd), "{what}");
        }
        for hour in &shown.conversation_patterns.by_hour {
            let of_hour = of(&events, |event| {
                event.created_at.with_timezone(&self.zone).hour() == hour.hour
            });
            assert_eq!(hour.requests, of_hour.len() as u64, "hour {}: {what}", hour.hour);
        }
        for weekday in &shown.conversation_patterns.by_weekday {
            let of_weekday = of(&events, |event| {
                self.day(event.created_at).weekday().number_from_monday() == weekday.weekday
            });
            assert_eq!(weekday.requests, of_weekday.len() as u64, "{weekday:?}: {what}");
        }
        let runs = self.runs();
        assert_eq!(
            shown.streaks.longest,
            runs.iter().copied().max().unwrap_or_default(),
            "{what}"
        );
    }

    /// How many days each run of days with an answer has.
    fn runs(&self) -> Vec<u64> {
        let answered = |day| {
            self.events
                .iter()
                .any(|event| self.day(event.created_at) == day && !is_error(event))
        };
        let first = self.events.iter().map(|event| self.day(event.created_at)).min();
        let mut runs = vec![0];
        for day in first.into_iter().flat_map(|first| first.iter_days().take(600)) {
            match runs.last_mut() {
                Some(run) if answered(day) => *run += 1,
                _ => runs.push(0),
            }
        }
        runs
    }
}

fn is_error(event: &UsageEvent) -> bool {
    matches!(event.status, MessageStatus::Failed | MessageStatus::Interrupted)
}

fn of<'a>(events: &[&'a UsageEvent], is_meant: impl Fn(&UsageEvent) -> bool) -> Vec<&'a UsageEvent> {
    events.iter().copied().filter(|event| is_meant(event)).collect()
}

/// What these events add up to, one by one.
fn recount(events: &[&UsageEvent]) -> UsageFigures {
    let sum = |of: &dyn Fn(&UsageEvent) -> u64| events.iter().map(|event| of(event)).sum::<u64>();
    let mean = |values: Vec<u64>| {
        let count = values.len() as u64;
        (count > 0).then(|| (values.iter().sum::<u64>() + count / 2) / count)
    };
    let cost: i64 = events
        .iter()
        .filter_map(|event| event.usage.cost.map(Money::nano))
        .sum();
    UsageFigures {
        requests: events.len() as u64,
        errors: sum(&|event| u64::from(is_error(event))),
        streamed: sum(&|event| u64::from(event.streamed)),
        prompt_tokens: sum(&|event| event.usage.prompt_tokens),
        completion_tokens: sum(&|event| event.usage.completion_tokens),
        cached_tokens: sum(&|event| event.usage.cached_tokens.unwrap_or_default()),
        reasoning_tokens: sum(&|event| event.usage.reasoning_tokens.unwrap_or_default()),
        total_tokens: sum(&|event| event.usage.total_tokens()),
        cost_usd: Money::from_nano(cost),
        latency_ms: mean(events.iter().filter_map(|event| event.latency_ms).collect()),
        time_to_first_token_ms: mean(events.iter().filter_map(|event| event.first_token_ms).collect()),
    }
}

fn event(store: &TestStore, user: UserId, at: DateTime<Utc>, random: &mut StdRng) -> UsageEvent {
    let some = |random: &mut StdRng, most: u64| random.random_bool(0.7).then(|| random.random_range(0..most));
    UsageEvent {
        id: StreamId::new(&store.clock),
        user_id: user,
        request_id: "request".into(),
        conversation_id: None,
        message_id: None,
        model: MODELS[random.random_range(0..MODELS.len())].into(),
        status: [
            MessageStatus::Completed,
            MessageStatus::Cancelled,
            MessageStatus::Interrupted,
            MessageStatus::Failed,
        ][random.random_range(0..4)],
        streamed: random.random(),
        usage: AnswerUsage {
            prompt_tokens: random.random_range(0..5_000),
            completion_tokens: random.random_range(0..5_000),
            cached_tokens: some(random, 1_000),
            reasoning_tokens: some(random, 1_000),
            estimated: random.random(),
            cost: some(random, 1_000_000).map(|nano| Money::from_nano(i64::try_from(nano).expect("a cost"))),
        },
        attempts: Vec::new(),
        provisional: false,
        latency_ms: some(random, 60_000),
        first_token_ms: some(random, 5_000),
        created_at: at,
    }
}

async fn record(store: &TestStore, events: &[UsageEvent]) {
    let recorded = join_all(events.iter().map(|event| store.ledger.record(event.clone())));
    for recorded in recorded.await {
        recorded.expect("a ledger");
    }
}

/// Views with their events in the ledger.
async fn views(store: &TestStore) -> Vec<View> {
    let mut random = StdRng::seed_from_u64(7);
    let mut views = Vec::new();
    for view in VIEWS {
        let view = View::random(store, view, &mut random);
        record(store, &view.events).await;
        views.push(view);
    }
    views
}

pub async fn sums_are_those_of_the_ledger(store: &TestStore) {
    for view in views(store).await {
        view.check(store).await;
    }
}

pub async fn an_event_that_is_brought_twice_counts_once(store: &TestStore) {
    let view = View::random(store, VIEWS[1], &mut StdRng::seed_from_u64(1));
    record(store, &view.events).await;
    record(store, &view.events).await;
    view.check(store).await;
}

pub async fn what_is_taken_back_does_not_count(store: &TestStore) {
    let mut views = views(store).await;
    store
        .execute("DELETE FROM usage_events WHERE prompt_tokens % 3 = 0")
        .await;
    for view in &mut views {
        view.events.retain(|event| event.usage.prompt_tokens % 3 != 0);
        view.check(store).await;
    }
    store.execute("DELETE FROM usage_events").await;
    for mut view in views {
        view.events.clear();
        view.check(store).await;
        let none = view.usage(store, Period::All, None, GroupBy::Model).await;
        assert!(none.items.is_empty() && none.from.is_none(), "{none:?}");
    }
}

pub async fn a_cost_that_a_server_made_up_does_not_stop_the_ledger(store: &TestStore) {
    let mut view = View::random(store, VIEWS[0], &mut StdRng::seed_from_u64(2));
    view.events.truncate(3);
    for event in &mut view.events {
        event.usage.cost = Some(Money::from_nano(i64::MAX));
    }
    record(store, &view.events).await;
    let usage = view.usage(store, Period::All, None, GroupBy::Day).await;
    assert_eq!(usage.totals.cost_usd, Money::from_nano(3_000_000_000_000_000));
}

pub async fn features_are_added_up(store: &TestStore) {
    let (one, other) = (UserId::new(&store.clock), UserId::new(&store.clock));
    let today: NaiveDate = "2026-11-23".parse().expect("a day");
    let count = |user, day, feature, uses| FeatureCount {
        user,
        day,
        feature,
        uses,
    };
    let yesterday = today - Days::new(1);
    for user in [one, other] {
        let known = store.profiles.provision(&Caller::signed_in(user, None)).await;
        known.expect("a user");
    }
    for _ in 0..2 {
        let counts = vec![
            count(one, today, Feature::Merge, 2),
            count(one, yesterday, Feature::Merge, 10),
            count(one, today, Feature::Search, 1),
            count(other, today, Feature::Merge, 100),
        ];
        store.usage_sums.add_features(counts).await.expect("counted");
    }
    let read = async |user, since| {
        let features = store.usage_sums.features(user, since).await.expect("features");
        features.into_iter().collect::<BTreeMap<String, u64>>()
    };
    let expected =
        |merges, searches| BTreeMap::from([("merge".to_owned(), merges), ("search".to_owned(), searches)]);
    assert_eq!(read(one, today).await, expected(4, 2));
    assert_eq!(read(one, yesterday).await, expected(24, 2));
    assert_eq!(
        read(other, yesterday).await,
        BTreeMap::from([("merge".to_owned(), 200)])
    );
}

/// Many at once, of one user and in few quarters of an hour, so that they meet; some are taken back meanwhile.
pub async fn nothing_is_lost_between_writers(store: &TestStore) {
    let mut random = StdRng::seed_from_u64(3);
    let mut view = View::random(store, VIEWS[0], &mut random);
    for (n, event) in view.events.iter_mut().enumerate() {
        event.created_at = view.now - TimeDelta::minutes(15 * (1 + n as i64 % 3));
    }
    let (first, second) = view.events.split_at(EVENTS / 2);
    record(store, first).await;
    tokio::join!(
        record(store, second),
        store.execute("DELETE FROM usage_events WHERE prompt_tokens % 3 = 0 AND completion_tokens >= 2500"),
        store.execute("DELETE FROM usage_events WHERE prompt_tokens % 3 = 0 AND completion_tokens < 2500"),
    );
    store
        .execute("DELETE FROM usage_events WHERE prompt_tokens % 3 = 0")
        .await;
    view.events.retain(|event| event.usage.prompt_tokens % 3 != 0);
    view.check(store).await;
}
