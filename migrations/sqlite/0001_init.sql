-- Times are milliseconds since 1970 (UTC), money is nano-dollars, ids are 16-byte UUIDs.

CREATE TABLE users (
    id         BLOB    NOT NULL PRIMARY KEY,
    email      TEXT,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE conversations (
    id               BLOB    NOT NULL PRIMARY KEY,
    user_id          BLOB    NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    title            TEXT,
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
    created_at       INTEGER NOT NULL,
    updated_at       INTEGER NOT NULL,
    last_message_at  INTEGER
) STRICT;

CREATE INDEX conversations_by_user ON conversations (user_id, updated_at DESC, id DESC);
CREATE INDEX conversations_by_status ON conversations (user_id, status, updated_at DESC, id DESC);

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
    created_at        INTEGER NOT NULL,
    updated_at        INTEGER NOT NULL
) STRICT;

CREATE INDEX branches_by_conversation ON branches (conversation_id, id);
CREATE UNIQUE INDEX branches_one_main ON branches (conversation_id) WHERE is_main = 1;
CREATE INDEX branches_by_parent ON branches (parent_message_id);
CREATE INDEX branches_by_head ON branches (head_message_id);

CREATE TABLE messages (
    id                BLOB    NOT NULL PRIMARY KEY,
    conversation_id   BLOB    NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
    branch_id         BLOB    NOT NULL REFERENCES branches (id),
    parent_id         BLOB REFERENCES messages (id),
    -- 1 at the root: the length of the path that ends here, so that counting a path needs no walk.
    depth             INTEGER NOT NULL,
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
    created_at        INTEGER NOT NULL,
    updated_at        INTEGER NOT NULL
) STRICT;

CREATE INDEX messages_by_conversation ON messages (conversation_id, id);
CREATE INDEX messages_by_parent ON messages (parent_id);
CREATE INDEX messages_by_branch ON messages (branch_id);

-- One row for each answer: being produced, or how it ended.
CREATE TABLE generations (
    id              BLOB    NOT NULL PRIMARY KEY,
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
    started_at      INTEGER NOT NULL,
    ended_at        INTEGER
) STRICT;

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

-- The usage ledger: what was used, by whom, and what it cost.
CREATE TABLE usage_events (
    id                BLOB    NOT NULL PRIMARY KEY,
    user_id           BLOB    NOT NULL,
    request_id        TEXT    NOT NULL,
    conversation_id   BLOB,
    message_id        BLOB,
    model             TEXT    NOT NULL,
    status            TEXT    NOT NULL,
    streamed          INTEGER NOT NULL,
    prompt_tokens     INTEGER NOT NULL,
    completion_tokens INTEGER NOT NULL,
    cached_tokens     INTEGER,
    reasoning_tokens  INTEGER,
    estimated         INTEGER NOT NULL,
    cost              INTEGER,
    latency_ms        INTEGER,
    first_token_ms    INTEGER,
    created_at        INTEGER NOT NULL
) STRICT;

CREATE INDEX usage_events_by_user ON usage_events (user_id, created_at);

-- Answers that could not be stored yet.
CREATE TABLE outbox (
    id              BLOB    NOT NULL PRIMARY KEY,
    payload         TEXT    NOT NULL,
    attempts        INTEGER NOT NULL DEFAULT 0,
    next_attempt_at INTEGER NOT NULL,
    created_at      INTEGER NOT NULL
) STRICT;

CREATE INDEX outbox_due ON outbox (next_attempt_at);
