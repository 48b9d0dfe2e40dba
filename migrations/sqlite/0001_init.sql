-- Times are milliseconds since 1970 (UTC), money is nano-dollars, ids are 16-byte UUIDs.

CREATE TABLE users (
    id                    BLOB    NOT NULL PRIMARY KEY,
    -- As the last token said that had one.
    email                 TEXT,
    role                  TEXT    NOT NULL DEFAULT 'user',
    display_name          TEXT,
    avatar_url            TEXT,
    metadata              TEXT    NOT NULL DEFAULT '{}',
    -- What users prefer; null: they have not said.
    timezone              TEXT,
    language              TEXT,
    default_model         TEXT,
    default_temperature   REAL,
    default_max_tokens    INTEGER,
    theme                 TEXT CHECK (theme IN ('light', 'dark', 'system')),
    enable_streaming      INTEGER,
    max_context_messages  INTEGER,
    custom_system_message TEXT,
    low_balance_alerts    INTEGER,
    created_at            INTEGER NOT NULL,
    updated_at            INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE conversations (
    id               BLOB    NOT NULL PRIMARY KEY,
    user_id          BLOB    NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    title            TEXT,
    -- The title as it is searched: tokens that the service made, separated by spaces.
    search_title     TEXT    NOT NULL DEFAULT '',
    model            TEXT,
    status           TEXT    NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'archived')),
    system_message   TEXT,
    metadata         TEXT    NOT NULL DEFAULT '{}',
    -- Deferred, because each of the two rows needs the other; all other constraints hold at once, so that who breaks
    -- one is told, and nobody else whose work is in the same commit.
    active_branch_id BLOB    NOT NULL REFERENCES branches (id) DEFERRABLE INITIALLY DEFERRED,
    message_count    INTEGER NOT NULL DEFAULT 0,
    branch_count     INTEGER NOT NULL DEFAULT 1,
    total_tokens     INTEGER NOT NULL DEFAULT 0,
    total_cost       INTEGER NOT NULL DEFAULT 0,
    preview          TEXT,
    -- What it is a copy of, if it was imported.
    imported_from    TEXT,
    -- Stands for what its source said of it when it was last imported.
    source_hash      INTEGER,
    created_at       INTEGER NOT NULL,
    updated_at       INTEGER NOT NULL,
    last_message_at  INTEGER
) STRICT;

-- The orders that lists usually have; others sort what one user has.
CREATE INDEX conversations_by_update ON conversations (user_id, updated_at, id);
CREATE INDEX conversations_by_status ON conversations (user_id, status, updated_at, id);
CREATE INDEX conversations_by_creation ON conversations (user_id, created_at, id);
-- Also what is read to search titles.
CREATE INDEX conversations_by_search_title ON conversations (user_id, search_title, id);
CREATE UNIQUE INDEX conversations_one_copy ON conversations (user_id, imported_from) WHERE imported_from IS NOT NULL;

CREATE INDEX conversations_by_active_branch ON conversations (active_branch_id);

CREATE TABLE branches (
    id                BLOB    NOT NULL PRIMARY KEY,
    conversation_id   BLOB    NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
    name              TEXT    NOT NULL,
    status            TEXT    NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'merged', 'abandoned')),
    is_main           INTEGER NOT NULL CHECK (is_main IN (0, 1)),
    -- Where the branch leaves its tree: the last message that it shares with the one it was forked from.
    parent_message_id BLOB REFERENCES messages (id),
    head_message_id   BLOB REFERENCES messages (id),
    -- The branch of the source that it is a copy of, if it was imported.
    source_id         TEXT,
    created_at        INTEGER NOT NULL,
    updated_at        INTEGER NOT NULL
) STRICT;

CREATE INDEX branches_by_conversation ON branches (conversation_id, id);
CREATE UNIQUE INDEX branches_one_main ON branches (conversation_id) WHERE is_main = 1;
CREATE INDEX branches_by_parent ON branches (parent_message_id);
CREATE INDEX branches_by_head ON branches (head_message_id);

CREATE TABLE messages (
    -- Grows with every message that is written, so that a parent always has a smaller one than its children.
    number            INTEGER NOT NULL PRIMARY KEY,
    id                BLOB    NOT NULL UNIQUE,
    conversation_id   BLOB    NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
    branch_id         BLOB    NOT NULL REFERENCES branches (id),
    parent_id         BLOB REFERENCES messages (id),
    -- 1 at the root: the length of the path that ends here, so that counting a path needs no walk.
    depth             INTEGER NOT NULL,
    -- An ancestor further up, and its depth (0: none), chosen so that the ancestor at any depth is found in a
    -- logarithmic number of steps.
    jump_id           BLOB REFERENCES messages (id),
    jump_depth        INTEGER NOT NULL,
    role              TEXT    NOT NULL CHECK (role IN ('user', 'assistant', 'system', 'tool')),
    content           TEXT    NOT NULL,
    -- OpenAI content parts (JSON), where the message is more than text.
    parts             TEXT,
    model             TEXT,
    status            TEXT    NOT NULL DEFAULT 'completed'
                      CHECK (status IN ('completed', 'streaming', 'cancelled', 'interrupted', 'failed')),
    finish_reason     TEXT,
    prompt_tokens     INTEGER,
    completion_tokens INTEGER,
    total_tokens      INTEGER,
    usage_estimated   INTEGER NOT NULL DEFAULT 0,
    cost              INTEGER,
    latency_ms        INTEGER,
    first_token_ms    INTEGER,
    tool_calls        TEXT,
    tool_call_id      TEXT,
    reasoning         TEXT,
    metadata          TEXT    NOT NULL DEFAULT '{}',
    edited            INTEGER NOT NULL DEFAULT 0,
    -- For a copy that a merge made: the message that it is a copy of in the end.
    origin_id         BLOB,
    -- The message of the source that it is a copy of, if it was imported.
    source_id         TEXT,
    -- Stands for the text that it was last imported with: as long as it has that, it follows its source.
    source_hash       INTEGER,
    created_at        INTEGER NOT NULL,
    updated_at        INTEGER NOT NULL
) STRICT;

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
    conversation_id BLOB    NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
    model           TEXT    NOT NULL,
    answers         INTEGER NOT NULL,
    PRIMARY KEY (conversation_id, model)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER messages_count_insert AFTER INSERT ON messages
WHEN new.role = 'assistant' AND new.model IS NOT NULL AND new.origin_id IS NULL BEGIN
    INSERT INTO answer_counts (conversation_id, model, answers) VALUES (new.conversation_id, new.model, 1)
    ON CONFLICT (conversation_id, model) DO UPDATE SET answers = answers + 1;
END;
CREATE TRIGGER messages_count_delete AFTER DELETE ON messages
WHEN old.role = 'assistant' AND old.model IS NOT NULL AND old.origin_id IS NULL BEGIN
    UPDATE answer_counts SET answers = answers - 1 WHERE conversation_id = old.conversation_id AND model = old.model;
END;
-- The model that answered may be another than the one that was asked.
CREATE TRIGGER messages_count_update AFTER UPDATE OF model ON messages
WHEN new.role = 'assistant' AND new.origin_id IS NULL AND new.model IS NOT old.model BEGIN
    UPDATE answer_counts SET answers = answers - 1 WHERE conversation_id = old.conversation_id AND model = old.model;
    INSERT INTO answer_counts (conversation_id, model, answers)
    SELECT new.conversation_id, new.model, 1 WHERE new.model IS NOT NULL
    ON CONFLICT (conversation_id, model) DO UPDATE SET answers = answers + 1;
END;

-- What is searched: the text of a message as tokens that the service made, separated by spaces.
CREATE TABLE message_texts (
    number          INTEGER NOT NULL PRIMARY KEY REFERENCES messages (number) ON DELETE CASCADE,
    conversation_id BLOB    NOT NULL,
    -- Begins every token of this user in the index, so that nobody's search walks through what others wrote.
    user_key        TEXT    NOT NULL,
    text            TEXT    NOT NULL
) STRICT;

CREATE INDEX message_texts_by_conversation ON message_texts (conversation_id);

-- All that is not ASCII belongs to a token, and the service leaves no ASCII but letters, digits and spaces. The
-- prefixes are those of a user's key and two, three or four letters: so many words, or such frequent ones, begin alike
-- that what has them cannot be gone through word by word.
-- Not with `secure-delete`, which rewrites a page for each word of a removed message: 1.3 ms for a short message among a
-- million, for which all writers would wait. What remains until FTS5 merges its segments is which words a number had.
CREATE VIRTUAL TABLE message_search USING fts5 (
    terms, content = '', tokenize = 'ascii', detail = 'none', columnsize = 0, prefix = '10 11 12'
);

CREATE TRIGGER message_texts_insert AFTER INSERT ON message_texts BEGIN
    INSERT INTO message_search (rowid, terms)
    VALUES (new.number, new.user_key || replace(new.text, ' ', ' ' || new.user_key));
END;
CREATE TRIGGER message_texts_delete AFTER DELETE ON message_texts BEGIN
    INSERT INTO message_search (message_search, rowid, terms)
    VALUES ('delete', old.number, old.user_key || replace(old.text, ' ', ' ' || old.user_key));
END;
CREATE TRIGGER message_texts_update AFTER UPDATE ON message_texts BEGIN
    INSERT INTO message_search (message_search, rowid, terms)
    VALUES ('delete', old.number, old.user_key || replace(old.text, ' ', ' ' || old.user_key));
    INSERT INTO message_search (rowid, terms)
    VALUES (new.number, new.user_key || replace(new.text, ' ', ' ' || new.user_key));
END;

-- One row for each answer: being produced, or how it ended.
CREATE TABLE generations (
    id              BLOB    NOT NULL PRIMARY KEY,
    -- Who produces it.
    instance_id     BLOB    NOT NULL,
    user_id         BLOB    NOT NULL,
    conversation_id BLOB    NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
    branch_id       BLOB    NOT NULL,
    -- What the turn was appended to, what it asked, and what answers it.
    parent_id       BLOB,
    user_message_id BLOB    NOT NULL,
    message_id      BLOB    NOT NULL,
    model           TEXT    NOT NULL,
    request_id      TEXT    NOT NULL,
    streamed        INTEGER NOT NULL,
    -- Bytes of text that the model was sent: what tokens are estimated from if the process stops.
    sent_bytes      INTEGER NOT NULL,
    status          TEXT    NOT NULL DEFAULT 'streaming'
                    CHECK (status IN ('completed', 'streaming', 'cancelled', 'interrupted', 'failed')),
    -- Somebody asked another instance to stop it.
    cancelled       INTEGER NOT NULL DEFAULT 0,
    -- Closed by another than who produced it, who may still bring more of it.
    taken_over      INTEGER NOT NULL DEFAULT 0,
    -- What its stream ended with, where it is not whole: an error as clients get it, in JSON.
    error           TEXT,
    started_at      INTEGER NOT NULL,
    ended_at        INTEGER
) STRICT;

CREATE INDEX generations_by_instance ON generations (instance_id) WHERE status = 'streaming';
CREATE INDEX generations_running ON generations (conversation_id) WHERE status = 'streaming';
CREATE UNIQUE INDEX generations_one_per_question ON generations (user_message_id) WHERE status = 'streaming';
CREATE INDEX generations_by_end ON generations (ended_at);
CREATE INDEX generations_by_conversation ON generations (conversation_id);

-- The text of a running answer, appended as it grows.
CREATE TABLE checkpoints (
    generation_id BLOB    NOT NULL REFERENCES generations (id) ON DELETE CASCADE,
    first_event   INTEGER NOT NULL,
    content       TEXT    NOT NULL,
    reasoning     TEXT    NOT NULL,
    -- JSON array: for each event from first_event on, how many bytes of content and of reasoning it brought.
    marks         TEXT    NOT NULL,
    -- The tool calls so far, whole, where they changed.
    tool_calls    TEXT,
    PRIMARY KEY (generation_id, first_event)
) STRICT, WITHOUT ROWID;

-- The answers that requests with an `Idempotency-Key` led to, for those that repeat them.
CREATE TABLE idempotency_keys (
    user_id      BLOB    NOT NULL,
    key          TEXT    NOT NULL,
    -- SHA-256 of the request's body.
    request_hash BLOB    NOT NULL,
    stream_id    BLOB    NOT NULL,
    created_at   INTEGER NOT NULL,
    PRIMARY KEY (user_id, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at);

-- The usage ledger: what was used, by whom, and what it cost. One row for each time that a model was asked.
CREATE TABLE usage_events (
    -- The stream.
    id                BLOB    NOT NULL,
    -- 1 for the first time; the last one is the answer, those before it have the status `retried`.
    attempt           INTEGER NOT NULL,
    user_id           BLOB    NOT NULL,
    request_id        TEXT    NOT NULL,
    conversation_id   BLOB,
    message_id        BLOB,
    model             TEXT    NOT NULL,
    status            TEXT    NOT NULL,
    -- Why it was tried again.
    error             TEXT,
    streamed          INTEGER NOT NULL,
    prompt_tokens     INTEGER NOT NULL,
    completion_tokens INTEGER NOT NULL,
    cached_tokens     INTEGER,
    reasoning_tokens  INTEGER,
    estimated         INTEGER NOT NULL,
    cost              INTEGER,
    latency_ms        INTEGER,
    first_token_ms    INTEGER,
    -- Entered in place of whoever asked the model, who may still come and say what it really was.
    provisional       INTEGER NOT NULL DEFAULT 0,
    created_at        INTEGER NOT NULL,
    PRIMARY KEY (id, attempt)
) STRICT, WITHOUT ROWID;

CREATE INDEX usage_events_by_user ON usage_events (user_id, created_at);
CREATE INDEX usage_events_by_time ON usage_events (created_at);

-- What users may spend, have spent, and have reserved for answers that are being written. Whoever changes one locks its row
-- last of all, after a conversation's.
CREATE TABLE accounts (
    user_id    BLOB    NOT NULL PRIMARY KEY,
    -- What may be spent in all; NULL: as much as the user likes.
    max_budget INTEGER,
    spend      INTEGER NOT NULL DEFAULT 0,
    -- The sum of the user's reservations.
    reserved   INTEGER NOT NULL DEFAULT 0,
    suspended  INTEGER NOT NULL DEFAULT 0,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Answers that are being written, what is held back for each, and at which prices (for a million tokens) it was begun.
CREATE TABLE reservations (
    -- The stream.
    id                 BLOB    NOT NULL PRIMARY KEY,
    user_id            BLOB    NOT NULL,
    instance_id        BLOB    NOT NULL,
    amount             INTEGER NOT NULL,
    input_price        INTEGER,
    output_price       INTEGER,
    cached_input_price INTEGER,
    model              TEXT    NOT NULL,
    request_id         TEXT    NOT NULL,
    streamed           INTEGER NOT NULL,
    -- Bytes of text that the model was sent: what tokens are estimated from if the process stops.
    sent_bytes         INTEGER NOT NULL,
    created_at         INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX reservations_by_instance ON reservations (instance_id, created_at);

-- How balances came about.
CREATE TABLE balance_entries (
    number        INTEGER NOT NULL PRIMARY KEY,
    id            BLOB    NOT NULL UNIQUE,
    user_id       BLOB    NOT NULL,
    kind          TEXT    NOT NULL CHECK (kind IN ('charge', 'credit', 'refund')),
    amount        INTEGER NOT NULL,
    -- The budget without what is spent, whatever is reserved; NULL: there is no budget.
    balance_after INTEGER,
    stream_id     BLOB,
    message_id    BLOB,
    model         TEXT,
    created_at    INTEGER NOT NULL
) STRICT;

CREATE INDEX balance_entries_by_user ON balance_entries (user_id, number);
CREATE INDEX balance_entries_by_time ON balance_entries (user_id, created_at, kind, amount);

-- What is left of users who were erased, so that coming back is no fresh budget. Nobody's id is here, only its hash.
CREATE TABLE tombstones (
    user_hash  BLOB    NOT NULL PRIMARY KEY,
    max_budget INTEGER,
    spend      INTEGER NOT NULL,
    suspended  INTEGER NOT NULL,
    erased_at  INTEGER NOT NULL,
    -- Whether what the file may still have held of them was overwritten.
    scrubbed   INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

CREATE INDEX tombstones_to_scrub ON tombstones (scrubbed) WHERE scrubbed = 0;

-- Answers that were being written when their user was erased: who brings one is charged for it, once.
CREATE TABLE late_answers (
    -- The stream.
    id                 BLOB    NOT NULL PRIMARY KEY,
    user_hash          BLOB    NOT NULL,
    -- As reserved.
    input_price        INTEGER,
    output_price       INTEGER,
    cached_input_price INTEGER,
    noted_at           INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX late_answers_by_age ON late_answers (noted_at);

-- What erased users used, added up.
CREATE TABLE anonymous_usage (
    -- Its beginning.
    day               INTEGER NOT NULL,
    model             TEXT    NOT NULL,
    requests          INTEGER NOT NULL,
    prompt_tokens     INTEGER NOT NULL,
    completion_tokens INTEGER NOT NULL,
    cost              INTEGER NOT NULL,
    PRIMARY KEY (day, model)
) STRICT, WITHOUT ROWID;

-- What the ledger adds up to, kept by triggers on it: exact in the transaction that writes an event, whoever does. Of
-- each event there are three sums: those of its model in its quarter of an hour, of all models ('') in its quarter of an
-- hour, and of its model on its day, all in UTC. Every time zone in use is a multiple of a quarter of an hour away from
-- it, so that sums of quarters are sums of anybody's hours and days; the others keep what is read of a year short. Of an
-- event, a trillion tokens of a kind and a million dollars count at most: what a model server makes up cannot soon make a sum
-- overflow, and with it the ledger fail. Of what was taken back, rows of zeros may be left.
-- A request that was tried again counts once.
CREATE TABLE usage_buckets (
    user_id           BLOB    NOT NULL,
    -- 15 or 1440.
    minutes           INTEGER NOT NULL,
    model             TEXT    NOT NULL,
    starts_at         INTEGER NOT NULL,
    requests          INTEGER NOT NULL,
    -- Of them, those that failed or were interrupted.
    errors            INTEGER NOT NULL,
    streamed          INTEGER NOT NULL,
    prompt_tokens     INTEGER NOT NULL,
    completion_tokens INTEGER NOT NULL,
    cached_tokens     INTEGER NOT NULL,
    reasoning_tokens  INTEGER NOT NULL,
    cost              INTEGER NOT NULL,
    latency_sum       INTEGER NOT NULL,
    latency_count     INTEGER NOT NULL,
    first_token_sum   INTEGER NOT NULL,
    first_token_count INTEGER NOT NULL,
    PRIMARY KEY (user_id, minutes, model, starts_at)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER usage_events_count_insert AFTER INSERT ON usage_events WHEN new.status <> 'retried' BEGIN
    INSERT INTO usage_buckets
        (user_id, minutes, model, starts_at,
         requests, errors, streamed, prompt_tokens, completion_tokens, cached_tokens, reasoning_tokens, cost,
         latency_sum, latency_count, first_token_sum, first_token_count)
    SELECT new.user_id, bucket.minutes, bucket.model,
        new.created_at - new.created_at % bucket.width,
        1, (new.status IN ('failed', 'interrupted')), new.streamed, min(new.prompt_tokens, 1000000000000),
        min(new.completion_tokens, 1000000000000), min(coalesce(new.cached_tokens, 0), 1000000000000),
        min(coalesce(new.reasoning_tokens, 0), 1000000000000), min(coalesce(new.cost, 0), 1000000000000000),
        coalesce(new.latency_ms, 0), (new.latency_ms IS NOT NULL),
        coalesce(new.first_token_ms, 0), (new.first_token_ms IS NOT NULL)
    FROM (SELECT 15 AS minutes, 900000 AS width, new.model AS model
          UNION ALL SELECT 15, 900000, ''
          UNION ALL SELECT 1440, 86400000, new.model) AS bucket
    -- Without a condition, SQLite takes what follows for a join's.
    WHERE true
    ON CONFLICT (user_id, minutes, model, starts_at) DO UPDATE SET
        requests = requests + excluded.requests, errors = errors + excluded.errors,
        streamed = streamed + excluded.streamed, prompt_tokens = prompt_tokens + excluded.prompt_tokens,
        completion_tokens = completion_tokens + excluded.completion_tokens,
        cached_tokens = cached_tokens + excluded.cached_tokens,
        reasoning_tokens = reasoning_tokens + excluded.reasoning_tokens, cost = cost + excluded.cost,
        latency_sum = latency_sum + excluded.latency_sum, latency_count = latency_count + excluded.latency_count,
        first_token_sum = first_token_sum + excluded.first_token_sum,
        first_token_count = first_token_count + excluded.first_token_count;
END;
CREATE TRIGGER usage_events_count_delete AFTER DELETE ON usage_events WHEN old.status <> 'retried' BEGIN
    UPDATE usage_buckets SET
        requests = requests - 1, errors = errors - (old.status IN ('failed', 'interrupted')),
        streamed = streamed - old.streamed, prompt_tokens = prompt_tokens - min(old.prompt_tokens, 1000000000000),
        completion_tokens = completion_tokens - min(old.completion_tokens, 1000000000000),
        cached_tokens = cached_tokens - min(coalesce(old.cached_tokens, 0), 1000000000000),
        reasoning_tokens = reasoning_tokens - min(coalesce(old.reasoning_tokens, 0), 1000000000000),
        cost = cost - min(coalesce(old.cost, 0), 1000000000000000),
        latency_sum = latency_sum - coalesce(old.latency_ms, 0),
        latency_count = latency_count - (old.latency_ms IS NOT NULL),
        first_token_sum = first_token_sum - coalesce(old.first_token_ms, 0),
        first_token_count = first_token_count - (old.first_token_ms IS NOT NULL)
    FROM (SELECT 15 AS minutes, 900000 AS width, old.model AS model
          UNION ALL SELECT 15, 900000, ''
          UNION ALL SELECT 1440, 86400000, old.model) AS bucket
    WHERE usage_buckets.user_id = old.user_id AND usage_buckets.minutes = bucket.minutes
        AND usage_buckets.model = bucket.model
        AND usage_buckets.starts_at = old.created_at - old.created_at % bucket.width;
END;

-- How often users used what there is beside chatting, on each day in UTC.
CREATE TABLE feature_uses (
    user_id BLOB    NOT NULL,
    feature TEXT    NOT NULL,
    -- Days since 1970.
    day     INTEGER NOT NULL,
    uses    INTEGER NOT NULL,
    PRIMARY KEY (user_id, day, feature)
) STRICT, WITHOUT ROWID;

-- Answers and charges that could not be stored yet. The payload stands last: what is asked of all of them does not read it.
CREATE TABLE outbox (
    id              BLOB    NOT NULL PRIMARY KEY,
    -- Tries so far, and how many of them the store refused instead of not answering.
    attempts        INTEGER NOT NULL DEFAULT 0,
    refusals        INTEGER NOT NULL DEFAULT 0,
    -- Of a dead letter, which is not tried any more, the largest number there is.
    next_attempt_at INTEGER NOT NULL,
    -- Why the last try failed; nothing of the payload is in it.
    reason          TEXT,
    created_at      INTEGER NOT NULL,
    payload         TEXT    NOT NULL
) STRICT;

CREATE INDEX outbox_due ON outbox (next_attempt_at);

-- API keys of users. Of the key itself only a hash is kept.
CREATE TABLE api_keys (
    id           BLOB    NOT NULL PRIMARY KEY,
    user_id      BLOB    NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    name         TEXT    NOT NULL,
    -- The part of the key that finds it, and that everybody may see.
    public_id    TEXT    NOT NULL UNIQUE,
    -- SHA-256 of the whole key.
    hash         BLOB    NOT NULL,
    -- Names with spaces between them.
    scopes       TEXT    NOT NULL,
    is_active    INTEGER NOT NULL DEFAULT 1,
    expires_at   INTEGER,
    last_used_at INTEGER,
    -- A revoked key is shown nowhere. It stays for a while, so that who still uses it is told that it is revoked.
    revoked_at   INTEGER,
    created_at   INTEGER NOT NULL
) STRICT;

CREATE INDEX api_keys_by_user ON api_keys (user_id, created_at, id);
