# Starts Redis, PostgreSQL and LiteLLM on free loopback ports, and stops them. Sourced after install.sh.
#
# A service is described by two functions: NAME_command PORT fills the array `command`, NAME_ready PORT succeeds
# once it answers. `launch` does the rest.
# shellcheck shell=bash

readonly LITELLM_VENV=$CACHE_DIR/litellm
readonly CLIENTS_VENV=$CACHE_DIR/clients
readonly LITELLM_CONFIG=$ROOT/tests/fixtures/litellm.yaml
readonly LITELLM_KEY=sk-test-master

# A port may be taken between being found free and being used: then the next one is tried.
readonly LAUNCH_ATTEMPTS=3
readonly READY_SECONDS=60
readonly STOP_SECONDS=5

RUN_DIR=
declare -A SERVICE_PIDS=()

start_services() {
    RUN_DIR=$(mktemp -d "${TMPDIR:-/tmp}/orchestrator-test.XXXXXXXX")
    # PostgreSQL may run as another user, who has to pass through.
    chmod 755 "$RUN_DIR"
    prepare_postgres

    local port
    launch redis
    export TEST_REDIS_URL=redis://127.0.0.1:$port/0
    launch postgres
    TEST_POSTGRES_BIN=$(postgres_bin)
    export TEST_POSTGRES_BIN
    export TEST_POSTGRES_URL=postgres://postgres@127.0.0.1:$port/postgres
    launch litellm
    export TEST_LITELLM_URL=http://127.0.0.1:$port
    export TEST_LITELLM_KEY=$LITELLM_KEY
    export TEST_LITELLM_BIN=$LITELLM_VENV/bin/litellm
    export TEST_PYTHON=$CLIENTS_VENV/bin/python
    export TEST_NODE=$CLIENTS_VENV/bin/node
    export TEST_NODE_PATH=$CACHE_DIR/node/node_modules
}

# Ends exactly what `launch` started: asked first (PostgreSQL has shared memory to give back), then forced.
stop_services() {
    local deadline=$((SECONDS + STOP_SECONDS))
    signal_services INT || true
    while signal_services 0 && ((SECONDS < deadline)); do
        sleep 0.05
    done
    signal_services KILL || true
    wait 2>/dev/null || true
    [[ -z $RUN_DIR ]] || rm -rf "$RUN_DIR"
}

# signal_services SIGNAL: false where none was left to take it.
signal_services() {
    local pid taken=1
    for pid in "${SERVICE_PIDS[@]}"; do
        if kill -s "$1" "$pid" 2>/dev/null; then taken=0; fi
    done
    return "$taken"
}

# launch NAME: starts a service and waits until it is ready; leaves its port in the caller's `port`.
launch() {
    local name=$1 attempt pid command
    for ((attempt = 1; attempt <= LAUNCH_ATTEMPTS; attempt++)); do
        port=$(free_port)
        command=()
        "${name}_command" "$port"
        "${command[@]}" >"$RUN_DIR/$name.log" 2>&1 </dev/null &
        pid=$!
        SERVICE_PIDS[$name]=$pid
        if wait_until_ready "$name" "$pid" "$port"; then
            say "$name on port $port"
            return
        fi
    done
    tail -n 40 "$RUN_DIR/$name.log" >&2
    die "$name did not start (the end of its log is above)"
}

# wait_until_ready NAME PID PORT: false as soon as the process is gone, or after READY_SECONDS.
wait_until_ready() {
    local name=$1 pid=$2 port=$3 deadline=$((SECONDS + READY_SECONDS))
    while kill -0 "$pid" 2>/dev/null && ((SECONDS < deadline)); do
        "${name}_ready" "$port" >/dev/null 2>&1 && return 0
        sleep 0.1
    done
    kill -KILL "$pid" 2>/dev/null || true
    unset "SERVICE_PIDS[$name]"
    return 1
}

free_port() {
    "$LITELLM_VENV/bin/python" -c '
import socket
with socket.socket() as s:
    s.bind(("127.0.0.1", 0))
    print(s.getsockname()[1])'
}

# The kernel stops a service when this script is gone, even by SIGKILL. (setpriv belongs to util-linux.)
readonly BOUND=(setpriv --pdeathsig INT)

redis_command() {
    mkdir -p "$RUN_DIR/redis"
    command=("${BOUND[@]}" redis-server --port "$1" --bind 127.0.0.1 --save '' --appendonly no --dir "$RUN_DIR/redis")
}

redis_ready() {
    redis-cli -h 127.0.0.1 -p "$1" ping | grep -qx PONG
}

# PostgreSQL refuses to run as root; Debian's package brings a user for it.
AS_POSTGRES=()
if is_root; then
    AS_POSTGRES=(setpriv --reuid postgres --regid postgres --init-groups)
fi
readonly AS_POSTGRES

prepare_postgres() {
    local data=$RUN_DIR/postgres log=$RUN_DIR/initdb.log
    mkdir "$data"
    if is_root; then chown postgres: "$data"; fi
    if ! (cd "$data" && "${AS_POSTGRES[@]}" "$(postgres_bin)/initdb" -D "$data" -A trust -U postgres -E UTF8 \
        --locale=C --no-sync) >"$log" 2>&1 </dev/null; then
        cat "$log" >&2
        die "initdb failed"
    fi
}

postgres_command() {
    command=(
        "${AS_POSTGRES[@]}" "${BOUND[@]}" "$(postgres_bin)/postgres" -D "$RUN_DIR/postgres" -p "$1"
        -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c max_connections=200
        -c fsync=off -c synchronous_commit=off -c full_page_writes=off
    )
}

postgres_ready() {
    "$(postgres_bin)/pg_isready" -h 127.0.0.1 -p "$1" -U postgres
}

# An empty environment, and LITELLM_MODE=PRODUCTION so that it reads no .env: nothing of the developer's leaks in.
# The local price list spares it a download at start.
litellm_command() {
    mkdir -p "$RUN_DIR/litellm"
    command=(
        env -i PATH="$PATH" HOME="$RUN_DIR/litellm" PYTHONUTF8=1 LITELLM_MODE=PRODUCTION
        LITELLM_LOCAL_MODEL_COST_MAP=True LITELLM_TELEMETRY=False LITELLM_MASTER_KEY="$LITELLM_KEY"
        "${BOUND[@]}" "$LITELLM_VENV/bin/litellm" --config "$LITELLM_CONFIG" --host 127.0.0.1 --port "$1"
    )
}

litellm_ready() {
    "$LITELLM_VENV/bin/python" -c '
import sys, urllib.request
urllib.request.urlopen(f"http://127.0.0.1:{sys.argv[1]}/health/liveliness", timeout=2)' "$1"
}
