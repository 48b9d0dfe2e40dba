-- Times are whole milliseconds (UTC), money is nano-dollars. What is JSON is `json` and never `jsonb`: it has to come
-- back byte for byte as it was given (order of keys, duplicates, 1.0 and 1, numbers of any size), as it does from SQLite.

CREATE TABLE users (
    id                    uuid        PRIMARY KEY,
    -- As the last token said that had one.
    email                 text,
    role                  text        NOT NULL DEFAULT 'user',
    display_name          text,
    avatar_url            text,
    metadata              json        NOT NULL DEFAULT '{}',
    -- What users prefer; null: they have not said.
    timezone              text,
    language              text,
    default_model         text,
    default_temperature   double precision,
    default_max_tokens    bigint,
    theme                 text        CHECK (theme IN ('light', 'dark', 'system')),
    enable_streaming      boolean,
    max_context_messages  bigint,
    custom_system_message text,
    low_balance_alerts    boolean,
    created_at            timestamptz NOT NULL,
    updated_at            timestamptz NOT NULL
);

CREATE TABLE conversations (
    id               uuid        PRIMARY KEY,
    user_id          uuid        NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    title            text,
    -- The title as it is searched: tokens that the service made, separated by spaces. Sorted by code points, as SQLite
    -- does, whatever the locale of this database.
    search_title     text        NOT NULL DEFAULT '' COLLATE "C",
    model            text,
    status           text        NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'archived')),
    system_message   text,
    metadata         json        NOT NULL DEFAULT '{}',
    active_branch_id uuid        NOT NULL,
    message_count    bigint      NOT NULL DEFAULT 0,
    branch_count     bigint      NOT NULL DEFAULT 1,
    total_tokens     bigint      NOT NULL DEFAULT 0,
    total_cost       bigint      NOT NULL DEFAULT 0,
    preview          text,
    -- What it is a copy of, if it was imported.
    imported_from    text,
    -- Stands for what its source said of it when it was last imported.
    source_hash      bigint,
    created_at       timestamptz NOT NULL,
    updated_at       timestamptz NOT NULL,
    last_message_at  timestamptz
);

-- The orders that lists usually have; others sort what one user has.
CREATE INDEX conversations_by_update ON conversations (user_id, updated_at, id);
CREATE INDEX conversations_by_status ON conversations (user_id, status, updated_at, id);
CREATE INDEX conversations_by_creation ON conversations (user_id, created_at, id);
CREATE INDEX conversations_by_search_title ON conversations (user_id, search_title);
CREATE UNIQUE INDEX conversations_one_copy ON conversations (user_id, imported_from) WHERE imported_from IS NOT NULL;

CREATE INDEX conversations_by_active_branch ON conversations (active_branch_id);

CREATE TABLE branches (
    id                uuid        PRIMARY KEY,
    conversation_id   uuid        NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
    name              text        NOT NULL,
    status            text        NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'merged', 'abandoned')),
    is_main           boolean     NOT NULL,
    -- Where the branch leaves its tree: the last message that it shares with the one it was forked from.
    parent_message_id uuid,
    head_message_id   uuid,
    -- The branch of the source that it is a copy of, if it was imported.
    source_id         text,
    created_at        timestamptz NOT NULL,
    updated_at        timestamptz NOT NULL
);

CREATE INDEX branches_by_conversation ON branches (conversation_id, id);
CREATE UNIQUE INDEX branches_one_main ON branches (conversation_id) WHERE is_main;
CREATE INDEX branches_by_parent ON branches (parent_message_id);
CREATE INDEX branches_by_head ON branches (head_message_id);

CREATE TABLE messages (
    id                uuid        PRIMARY KEY,
    -- Grows with every message that is written, so that a parent always has a smaller one than its children.
    number            bigint      NOT NULL GENERATED ALWAYS AS IDENTITY UNIQUE,
    conversation_id   uuid        NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
    branch_id         uuid        NOT NULL REFERENCES branches (id),
    parent_id         uuid        REFERENCES messages (id),
    -- 1 at the root: the length of the path that ends here, so that counting a path needs no walk.
    depth             bigint      NOT NULL,
    -- An ancestor further up, and its depth (0: none), chosen so that the ancestor at any depth is found in a
    -- logarithmic number of steps.
    jump_id           uuid        REFERENCES messages (id),
    jump_depth        bigint      NOT NULL,
    role              text        NOT NULL CHECK (role IN ('user', 'assistant', 'system', 'tool')),
    content           text        NOT NULL,
    -- OpenAI content parts, where the message is more than text.
    parts             json,
    model             text,
    status            text        NOT NULL DEFAULT 'completed'
                      CHECK (status IN ('completed', 'streaming', 'cancelled', 'interrupted', 'failed')),
    finish_reason     text,
    prompt_tokens     bigint,
    completion_tokens bigint,
    total_tokens      bigint,
    usage_estimated   boolean     NOT NULL DEFAULT false,
    cost              bigint,
    latency_ms        bigint,
    first_token_ms    bigint,
    tool_calls        json,
    tool_call_id      text,
    reasoning         text,
    metadata          json        NOT NULL DEFAULT '{}',
    edited            boolean     NOT NULL DEFAULT false,
    -- For a copy that a merge made: the message that it is a copy of in the end.
    origin_id         uuid,
    -- The message of the source that it is a copy of, if it was imported.
    source_id         text,
    -- Stands for the text that it was last imported with: as long as it has that, it follows its source.
    source_hash       bigint,
    created_at        timestamptz NOT NULL,
    updated_at        timestamptz NOT NULL
);

CREATE INDEX messages_by_conversation ON messages (conversation_id, number);
-- Imported ones were not made in the order in which they were stored.
CREATE INDEX messages_by_time ON messages (conversation_id, created_at);
-- With the conversation, because the parent of all roots is the same: none.
CREATE INDEX messages_by_parent ON messages (parent_id, conversation_id);
CREATE INDEX messages_by_branch ON messages (branch_id);
CREATE INDEX messages_by_jump ON messages (jump_id);

-- How many answers of a conversation each model gave: what statistics add up, instead of reading all that a user ever
-- wrote. There may be none left of a model. A copy that a merge made is no answer more.
CREATE TABLE answer_counts (
    conversation_id uuid   NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
    model           text   NOT NULL,
    answers         bigint NOT NULL,
    PRIMARY KEY (conversation_id, model)
);

CREATE FUNCTION count_added_answers() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO answer_counts (conversation_id, model, answers)
    SELECT conversation_id, model, count(*) FROM added
    WHERE role = 'assistant' AND model IS NOT NULL AND origin_id IS NULL
    GROUP BY conversation_id, model
    ON CONFLICT (conversation_id, model) DO UPDATE SET answers = answer_counts.answers + excluded.answers;
    RETURN NULL;
END
$$;
CREATE FUNCTION count_removed_answers() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE answer_counts SET answers = answer_counts.answers - gone.answers
    FROM (SELECT conversation_id, model, count(*) AS answers FROM removed
          WHERE role = 'assistant' AND origin_id IS NULL GROUP BY conversation_id, model) gone
    WHERE answer_counts.conversation_id = gone.conversation_id AND answer_counts.model = gone.model;
    RETURN NULL;
END
$$;
CREATE FUNCTION count_renamed_answer() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE answer_counts SET answers = answers - 1 WHERE conversation_id = old.conversation_id AND model = old.model;
    INSERT INTO answer_counts (conversation_id, model, answers)
    SELECT new.conversation_id, new.model, 1 WHERE new.model IS NOT NULL
    ON CONFLICT (conversation_id, model) DO UPDATE SET answers = answer_counts.answers + 1;
    RETURN NULL;
END
$$;
CREATE TRIGGER messages_count_insert AFTER INSERT ON messages
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION count_added_answers();
CREATE TRIGGER messages_count_delete AFTER DELETE ON messages
    REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION count_removed_answers();
-- The model that answered may be another than the one that was asked.
CREATE TRIGGER messages_count_update AFTER UPDATE OF model ON messages
    FOR EACH ROW WHEN (new.role = 'assistant' AND new.origin_id IS NULL AND new.model IS DISTINCT FROM old.model)
    EXECUTE FUNCTION count_renamed_answer();

-- These point at tables that point back. Deferred, because each of the two rows needs the other; all other constraints
-- hold at once, so that who breaks one is told by the statement that does.
ALTER TABLE conversations
    ADD FOREIGN KEY (active_branch_id) REFERENCES branches (id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE branches
    ADD FOREIGN KEY (parent_message_id) REFERENCES messages (id),
    ADD FOREIGN KEY (head_message_id) REFERENCES messages (id);

-- What is searched: the text of a message as tokens that the service made, separated by spaces.
CREATE TABLE message_texts (
    number          bigint      PRIMARY KEY REFERENCES messages (number) ON DELETE CASCADE,
    user_id         uuid        NOT NULL,
    conversation_id uuid        NOT NULL,
    -- As in the message, neither of which ever changes: a search need not read it.
    message_id      uuid        NOT NULL,
    created_at      timestamptz NOT NULL,
    -- Begins every token of this user in the index, so that nobody's search walks through what others wrote.
    user_key        text        NOT NULL,
    text            text        NOT NULL,
    -- The tokens as they are: none of PostgreSQL's parsers and dictionaries, which drop what people search for. After the
    -- user's key comes the part of the table, 4,096 numbers, so that the newest can be asked for first.
    terms           tsvector    NOT NULL GENERATED ALWAYS AS (
                        array_to_tsvector(string_to_array(
                            user_key || lpad(to_hex(number >> 12), 6, '0')
                            || replace(text, ' ', ' ' || user_key || lpad(to_hex(number >> 12), 6, '0')), ' '))
                    ) STORED
);

-- Without a list of pending entries, which every search would have to read through.
CREATE INDEX message_texts_by_term ON message_texts USING gin (terms) WITH (fastupdate = off);
-- Which parts of the table a user has texts in.
CREATE INDEX message_texts_by_user ON message_texts (user_id, number);
CREATE INDEX message_texts_by_conversation ON message_texts (conversation_id);

-- The instances that serve from this database, and when each was last heard of, by the clock of the database: what
-- their answers are leased by.
CREATE TABLE instances (
    id       uuid        PRIMARY KEY,
    heard_at timestamptz NOT NULL
);

-- One row for each answer: being produced, or how it ended.
CREATE TABLE generations (
    id              uuid        PRIMARY KEY,
    -- Who produces it.
    instance_id     uuid        NOT NULL,
    user_id         uuid        NOT NULL,
    conversation_id uuid        NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
    branch_id       uuid        NOT NULL,
    -- What the turn was appended to, what it asked, and what answers it.
    parent_id       uuid,
    user_message_id uuid        NOT NULL,
    message_id      uuid        NOT NULL,
    model           text        NOT NULL,
    request_id      text        NOT NULL,
    streamed        boolean     NOT NULL,
    -- Bytes of text that the model was sent: what tokens are estimated from if the process stops.
    sent_bytes      bigint      NOT NULL,
    status          text        NOT NULL DEFAULT 'streaming'
                    CHECK (status IN ('completed', 'streaming', 'cancelled', 'interrupted', 'failed')),
    -- Somebody asked another instance to stop it.
    cancelled       boolean     NOT NULL DEFAULT false,
    -- Closed by another than who produced it, who may still bring more of it.
    taken_over      boolean     NOT NULL DEFAULT false,
    -- What its stream ended with, where it is not whole: an error as clients get it.
    error           json,
    started_at      timestamptz NOT NULL,
    ended_at        timestamptz
);

CREATE INDEX generations_by_instance ON generations (instance_id) WHERE status = 'streaming';
CREATE INDEX generations_running ON generations (conversation_id) WHERE status = 'streaming';
CREATE UNIQUE INDEX generations_one_per_question ON generations (user_message_id) WHERE status = 'streaming';
CREATE INDEX generations_by_end ON generations (ended_at);
CREATE INDEX generations_by_conversation ON generations (conversation_id);

-- The text of a running answer, appended as it grows.
CREATE TABLE checkpoints (
    generation_id uuid   NOT NULL REFERENCES generations (id) ON DELETE CASCADE,
    first_event   bigint NOT NULL,
    content       text   NOT NULL,
    reasoning     text   NOT NULL,
    -- An array: for each event from first_event on, how many bytes of content and of reasoning it brought.
    marks         json   NOT NULL,
    -- The tool calls so far, whole, where they changed.
    tool_calls    json,
    PRIMARY KEY (generation_id, first_event)
);

-- The answers that requests with an `Idempotency-Key` led to, for those that repeat them.
CREATE TABLE idempotency_keys (
    user_id      uuid        NOT NULL,
    key          text        NOT NULL,
    -- SHA-256 of the request's body.
    request_hash bytea       NOT NULL,
    stream_id    uuid        NOT NULL,
    created_at   timestamptz NOT NULL,
    PRIMARY KEY (user_id, key)
);

CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at);

-- The usage ledger: what was used, by whom, and what it cost. One row for each time that a model was asked.
CREATE TABLE usage_events (
    -- The stream.
    id                uuid        NOT NULL,
    -- 1 for the first time; the last one is the answer, those before it have the status `retried`.
    attempt           bigint      NOT NULL,
    user_id           uuid        NOT NULL,
    request_id        text        NOT NULL,
    conversation_id   uuid,
    message_id        uuid,
    model             text        NOT NULL,
    status            text        NOT NULL,
    -- Why it was tried again.
    error             text,
    streamed          boolean     NOT NULL,
    prompt_tokens     bigint      NOT NULL,
    completion_tokens bigint      NOT NULL,
    cached_tokens     bigint,
    reasoning_tokens  bigint,
    estimated         boolean     NOT NULL,
    cost              bigint,
    latency_ms        bigint,
    first_token_ms    bigint,
    -- Entered in place of whoever asked the model, who may still come and say what it really was.
    provisional       boolean     NOT NULL DEFAULT false,
    created_at        timestamptz NOT NULL,
    PRIMARY KEY (id, attempt)
);

CREATE INDEX usage_events_by_user ON usage_events (user_id, created_at);
CREATE INDEX usage_events_by_time ON usage_events (created_at);

-- What users may spend, have spent, and have reserved for answers that are being written. Whoever changes one locks its row
-- last of all, after a conversation's.
CREATE TABLE accounts (
    user_id    uuid        PRIMARY KEY,
    -- What may be spent in all; NULL: as much as the user likes.
    max_budget bigint,
    spend      bigint      NOT NULL DEFAULT 0,
    -- The sum of the user's reservations.
    reserved   bigint      NOT NULL DEFAULT 0,
    suspended  boolean     NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);

-- Answers that are being written, what is held back for each, and at which prices (for a million tokens) it was begun.
CREATE TABLE reservations (
    -- The stream.
    id                 uuid        PRIMARY KEY,
    user_id            uuid        NOT NULL,
    instance_id        uuid        NOT NULL,
    amount             bigint      NOT NULL,
    input_price        bigint,
    output_price       bigint,
    cached_input_price bigint,
    model              text        NOT NULL,
    request_id         text        NOT NULL,
    streamed           boolean     NOT NULL,
    -- Bytes of text that the model was sent: what tokens are estimated from if the process stops.
    sent_bytes         bigint      NOT NULL,
    created_at         timestamptz NOT NULL
);

CREATE INDEX reservations_by_instance ON reservations (instance_id, created_at);

-- How balances came about.
CREATE TABLE balance_entries (
    number        bigint      PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    id            uuid        NOT NULL UNIQUE,
    user_id       uuid        NOT NULL,
    kind          text        NOT NULL CHECK (kind IN ('charge', 'credit', 'refund')),
    amount        bigint      NOT NULL,
    -- The budget without what is spent, whatever is reserved; NULL: there is no budget.
    balance_after bigint,
    stream_id     uuid,
    message_id    uuid,
    model         text,
    created_at    timestamptz NOT NULL
);

CREATE INDEX balance_entries_by_user ON balance_entries (user_id, number);
CREATE INDEX balance_entries_by_time ON balance_entries (user_id, created_at, kind, amount);

-- What is left of users who were erased, so that coming back is no fresh budget. Nobody's id is here, only its hash.
CREATE TABLE tombstones (
    user_hash  bytea       PRIMARY KEY,
    max_budget bigint,
    spend      bigint      NOT NULL,
    suspended  boolean     NOT NULL,
    erased_at  timestamptz NOT NULL
);

-- Answers that were being written when their user was erased: who brings one is charged for it, once.
CREATE TABLE late_answers (
    -- The stream.
    id                 uuid        PRIMARY KEY,
    user_hash          bytea       NOT NULL,
    -- As reserved.
    input_price        bigint,
    output_price       bigint,
    cached_input_price bigint,
    noted_at           timestamptz NOT NULL
);

CREATE INDEX late_answers_by_age ON late_answers (noted_at);

-- What erased users used, added up.
CREATE TABLE anonymous_usage (
    -- Its beginning (UTC).
    day               timestamptz NOT NULL,
    model             text        NOT NULL,
    requests          bigint      NOT NULL,
    prompt_tokens     bigint      NOT NULL,
    completion_tokens bigint      NOT NULL,
    cost              bigint      NOT NULL,
    PRIMARY KEY (day, model)
);

-- What the ledger adds up to, kept by triggers on it: exact in the transaction that writes an event, whoever does. Of
-- each event there are three sums: those of its model in its quarter of an hour, of all models ('') in its quarter of an
-- hour, and of its model on its day, all in UTC. Every time zone in use is a multiple of a quarter of an hour away from
-- it, so that sums of quarters are sums of anybody's hours and days; the others keep what is read of a year short. Of an
-- event, a trillion tokens of a kind and a million dollars count at most: what a model server makes up cannot soon make a sum
-- overflow, and with it the ledger fail. Of what was taken back, rows of zeros may be left.
-- A request that was tried again counts once.
CREATE TABLE usage_buckets (
    user_id           uuid        NOT NULL,
    -- 15 or 1440.
    minutes           bigint      NOT NULL,
    model             text        NOT NULL COLLATE "C",
    starts_at         timestamptz NOT NULL,
    requests          bigint      NOT NULL,
    -- Of them, those that failed or were interrupted.
    errors            bigint      NOT NULL,
    streamed          bigint      NOT NULL,
    prompt_tokens     bigint      NOT NULL,
    completion_tokens bigint      NOT NULL,
    cached_tokens     bigint      NOT NULL,
    reasoning_tokens  bigint      NOT NULL,
    cost              bigint      NOT NULL,
    latency_sum       bigint      NOT NULL,
    latency_count     bigint      NOT NULL,
    first_token_sum   bigint      NOT NULL,
    first_token_count bigint      NOT NULL,
    PRIMARY KEY (user_id, minutes, model, starts_at)
);

-- Of one user, one transaction at a time changes the sums, from here to its end: which rows it has locked before others does
-- not matter then, also where it takes an event back and enters another. They would meet at the same rows anyway.
CREATE FUNCTION count_usage() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    sign bigint := CASE TG_OP WHEN 'DELETE' THEN -1 ELSE 1 END;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('usage:' || user_id::text, 0))
    FROM (SELECT DISTINCT user_id FROM changed ORDER BY user_id) AS whose;
    INSERT INTO usage_buckets
        (user_id, minutes, model, starts_at,
         requests, errors, streamed, prompt_tokens, completion_tokens, cached_tokens, reasoning_tokens, cost,
         latency_sum, latency_count, first_token_sum, first_token_count)
    SELECT e.user_id, bucket.minutes, bucket.model, date_bin(bucket.width, e.created_at, timestamptz 'epoch'),
        sign * sum(1), sign * sum((e.status IN ('failed', 'interrupted'))::int), sign * sum(e.streamed::int),
        sign * sum(least(e.prompt_tokens, 1000000000000)), sign * sum(least(e.completion_tokens, 1000000000000)), sign * sum(least(coalesce(e.cached_tokens, 0), 1000000000000)),
        sign * sum(least(coalesce(e.reasoning_tokens, 0), 1000000000000)), sign * sum(least(coalesce(e.cost, 0), 1000000000000000)),
        sign * sum(coalesce(e.latency_ms, 0)), sign * sum((e.latency_ms IS NOT NULL)::int),
        sign * sum(coalesce(e.first_token_ms, 0)), sign * sum((e.first_token_ms IS NOT NULL)::int)
    FROM changed e
    CROSS JOIN LATERAL (VALUES (15, interval '15 minutes', e.model), (15, interval '15 minutes', ''),
                               (1440, interval '24 hours', e.model)) AS bucket (minutes, width, model)
    WHERE e.status <> 'retried'
    GROUP BY 1, 2, 3, 4
    ON CONFLICT (user_id, minutes, model, starts_at) DO UPDATE SET
        requests = usage_buckets.requests + excluded.requests, errors = usage_buckets.errors + excluded.errors,
        streamed = usage_buckets.streamed + excluded.streamed,
        prompt_tokens = usage_buckets.prompt_tokens + excluded.prompt_tokens,
        completion_tokens = usage_buckets.completion_tokens + excluded.completion_tokens,
        cached_tokens = usage_buckets.cached_tokens + excluded.cached_tokens,
        reasoning_tokens = usage_buckets.reasoning_tokens + excluded.reasoning_tokens,
        cost = usage_buckets.cost + excluded.cost, latency_sum = usage_buckets.latency_sum + excluded.latency_sum,
        latency_count = usage_buckets.latency_count + excluded.latency_count,
        first_token_sum = usage_buckets.first_token_sum + excluded.first_token_sum,
        first_token_count = usage_buckets.first_token_count + excluded.first_token_count;
    RETURN NULL;
END
$$;
CREATE TRIGGER usage_events_count_insert AFTER INSERT ON usage_events
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION count_usage();
CREATE TRIGGER usage_events_count_delete AFTER DELETE ON usage_events
    REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION count_usage();

-- How often users used what there is beside chatting, on each day in UTC.
CREATE TABLE feature_uses (
    user_id uuid   NOT NULL,
    feature text   NOT NULL,
    -- Days since 1970.
    day     bigint NOT NULL,
    uses    bigint NOT NULL,
    PRIMARY KEY (user_id, day, feature)
);

-- Answers and charges that could not be stored yet. The payload stands last: what is asked of all of them does not read it.
CREATE TABLE outbox (
    id              uuid        PRIMARY KEY,
    -- Tries so far, and how many of them the store refused instead of not answering.
    attempts        bigint      NOT NULL DEFAULT 0,
    refusals        bigint      NOT NULL DEFAULT 0,
    -- Of a dead letter, which is not tried any more, 'infinity'.
    next_attempt_at timestamptz NOT NULL,
    -- Why the last try failed; nothing of the payload is in it.
    reason          text,
    created_at      timestamptz NOT NULL,
    payload         json        NOT NULL
);

CREATE INDEX outbox_due ON outbox (next_attempt_at);

-- API keys of users. Of the key itself only a hash is kept.
CREATE TABLE api_keys (
    id           uuid        PRIMARY KEY,
    user_id      uuid        NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    name         text        NOT NULL,
    -- The part of the key that finds it, and that everybody may see.
    public_id    text        NOT NULL UNIQUE,
    -- SHA-256 of the whole key.
    hash         bytea       NOT NULL,
    -- Names with spaces between them.
    scopes       text        NOT NULL,
    is_active    boolean     NOT NULL DEFAULT true,
    expires_at   timestamptz,
    last_used_at timestamptz,
    -- A revoked key is shown nowhere. It stays for a while, so that who still uses it is told that it is revoked.
    revoked_at   timestamptz,
    created_at   timestamptz NOT NULL
);

CREATE INDEX api_keys_by_user ON api_keys (user_id, created_at, id);
