# Installs what the tests need and the machine does not have. Does nothing, fast, where all is there.
# Sourced after common.sh.
# shellcheck shell=bash

readonly CACHE_DIR=${TEST_CACHE_DIR:-$ROOT/.cache}

install_services() {
    install_packages
    install_venv litellm
    install_venv clients
    install_node_packages
}

install_packages() {
    local missing=()
    have redis-server || missing+=(redis-server)
    postgres_bin >/dev/null || missing+=(postgresql)
    python_with_venv >/dev/null || missing+=(python3 python3-venv)
    ((${#missing[@]})) || return 0

    have apt-get || die "not installed: ${missing[*]}. There is no apt-get here to install them with:" \
        "install them by hand, or run scripts/test --no-services --lib"
    say "installing ${missing[*]}"
    local apt=(env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300)
    as_root "${apt[@]}" update
    as_root "${apt[@]}" install -y --no-install-recommends "${missing[@]}" </dev/null >/dev/null
}

# The directory of initdb and postgres. Debian keeps them out of PATH, one directory for each version.
postgres_bin() {
    local initdb
    initdb=$(compgen -G '/usr/lib/postgresql/*/bin/initdb' | sort -V | tail -n 1) || true
    [[ -n $initdb ]] || initdb=$(command -v initdb) || return 1
    dirname "$(readlink -f "$initdb")"
}

# A Python that LiteLLM and the clients run on and that can make virtual environments.
python_with_venv() {
    local python
    for python in python3 /usr/bin/python3; do
        if "$python" -c 'import ensurepip, sys, venv; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' \
            2>/dev/null; then
            printf '%s\n' "$python"
            return
        fi
    done
    return 1
}

# install_venv NAME: makes CACHE_DIR/NAME as tests/fixtures/NAME-requirements.txt says.
# The stamp is written last, so a cut installation is made again; two runs at once wait for each other.
install_venv() {
    local requirements=$ROOT/tests/fixtures/$1-requirements.txt venv=$CACHE_DIR/$1
    mkdir -p "$CACHE_DIR"
    (
        flock 9
        cmp -s "$requirements" "$venv/installed.txt" && exit 0
        say "installing ${requirements##*/} into $venv (up to a minute)"
        python=$(python_with_venv) || die "a Python from 3.10 to 3.13 is needed"
        "$python" -m venv --clear "$venv"
        "$venv/bin/pip" install --quiet --disable-pip-version-check -r "$requirements"
        cp "$requirements" "$venv/installed.txt"
    ) 9>"$CACHE_DIR/$1.lock" </dev/null
}

# Makes CACHE_DIR/node as tests/fixtures/node/package-lock.json says, hashes included, by the npm of the clients'
# environment. No package may run a script of its own.
install_node_packages() {
    local source=$ROOT/tests/fixtures/node target=$CACHE_DIR/node
    (
        flock 9
        cmp -s "$source/package-lock.json" "$target/installed.json" && exit 0
        say "installing packages for Node.js into $target"
        rm -rf "$target"
        mkdir "$target"
        cp "$source/package.json" "$source/package-lock.json" "$target"
        PATH=$CACHE_DIR/clients/bin:$PATH npm ci --prefix "$target" --ignore-scripts --no-audit --no-fund \
            --loglevel=error >/dev/null
        cp "$source/package-lock.json" "$target/installed.json"
    ) 9>"$CACHE_DIR/node.lock" </dev/null
}
