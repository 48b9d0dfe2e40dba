# Small helpers. Sourced, not run.
# shellcheck shell=bash

say() {
    printf '==> %s\n' "$*" >&2
}

die() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

have() {
    command -v "$1" >/dev/null 2>&1
}

is_root() {
    [[ $(id -u) == 0 ]]
}

as_root() {
    if is_root; then
        "$@"
    elif have sudo; then
        sudo "$@"
    else
        die "root is needed for: $* (run as root, or install sudo)"
    fi
}
