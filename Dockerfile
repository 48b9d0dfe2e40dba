# AI Chat Orchestrator: docker build --build-arg GIT_COMMIT="$(git rev-parse --short=12 HEAD)" -t ai-chat-orchestrator .
#
# There is no VOLUME line: some platforms (Railway) refuse it, and an anonymous volume is easily lost. Mount /data.
ARG RUST_VERSION=1.95
ARG DEBIAN_RELEASE=bookworm

FROM rust:${RUST_VERSION}-slim-${DEBIAN_RELEASE} AS chef
WORKDIR /build
RUN cargo install cargo-chef --version 0.1.78 --locked

# What the dependencies are, in a file that changes only when they do.
FROM chef AS plan
COPY . .
RUN cargo chef prepare --recipe-path recipe.json

FROM chef AS build
COPY --from=plan /build/recipe.json recipe.json
RUN cargo chef cook --release --locked --bin ai-chat-orchestrator --recipe-path recipe.json
COPY . .
# Below the dependencies, so that a new commit compiles only our own code.
ARG GIT_COMMIT=""
ARG RAILWAY_GIT_COMMIT_SHA=""
RUN GIT_COMMIT="${GIT_COMMIT:-$RAILWAY_GIT_COMMIT_SHA}" \
    cargo build --release --locked --bin ai-chat-orchestrator

FROM debian:${DEBIAN_RELEASE}-slim
# Debian's security updates are wanted, so its package versions are not pinned.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 10001 orchestrator \
    && useradd --uid 10001 --gid 10001 --home-dir /data --no-create-home --shell /usr/sbin/nologin orchestrator \
    && install -d -o 10001 -g 10001 -m 0700 /data
COPY --from=build /build/target/release/ai-chat-orchestrator /usr/local/bin/

ARG GIT_COMMIT=""
LABEL org.opencontainers.image.title="AI Chat Orchestrator" \
    org.opencontainers.image.description="A chat back end in one binary: streamed, durable answers from any OpenAI-compatible model" \
    org.opencontainers.image.licenses="MIT" \
    org.opencontainers.image.revision="${GIT_COMMIT}"

# Everything that is written goes to /data: the root file system may be read-only.
ENV DATA_DIR=/data \
    HOST=0.0.0.0 \
    PORT=8000
WORKDIR /data
# By number, so that Kubernetes' runAsNonRoot can tell that it is not root.
USER 10001:10001
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=6s --start-period=15s --retries=3 \
    CMD ["ai-chat-orchestrator", "healthcheck"]
ENTRYPOINT ["ai-chat-orchestrator"]
CMD ["serve"]
