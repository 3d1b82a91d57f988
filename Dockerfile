# The host alone, as Cloud Run and its like run it: docker build --tag tidemill-host .
# `cargo xtask image` builds it where there is no Docker engine and no image registry.

# ---- What decides the dependencies: manifests and the lock file, with every source emptied. ----
FROM docker.io/library/rust:1.95.0-slim-trixie AS manifests
WORKDIR /src
COPY . .
# Cargo wants each member of the workspace to have something to compile, even where it is not asked for.
# Benchmarks and tests stay, as empty programs, since manifests may name them.
RUN find . -type f ! -name Cargo.toml ! -name Cargo.lock ! -name '*.rs' -delete \
    && find . -type f -path '*/src/*' -delete \
    && for manifest in */Cargo.toml */*/Cargo.toml; do mkdir -p "${manifest%/*}/src"; done \
    && for source in */src */*/src; do touch "$source/lib.rs" "$source/main.rs"; done \
    && find . -name '*.rs' | while read -r file; do echo '#![allow(warnings)] fn main() {}' > "$file"; done

# ---- Dependencies, then the host. ----
FROM docker.io/library/rust:1.95.0-slim-trixie AS builder
WORKDIR /src
# This layer and the next one are taken from the cache as long as the manifests say the same, whatever the sources do:
# the long part of a build, the engine, is in them.
COPY --from=manifests /src .
RUN cargo build --locked --release --package tidemill-host
COPY wit wit
COPY events events
COPY publisher publisher
COPY host host
# The sources may well be older than what was just built from their empty stand-ins, which cargo would then take for
# up to date. The empty folder is for the image below, in which there is nothing to make one with.
RUN touch events/src/lib.rs publisher/src/lib.rs host/src/lib.rs host/src/main.rs \
    && cargo build --locked --release --package tidemill-host \
    && mkdir /empty

# ---- What runs: the C library, root certificates and time zones; no shell, no package manager. ----
# Of the same Debian release as the builder, since a program needs at least the C library that it was linked with.
FROM gcr.io/distroless/cc-debian13:nonroot

LABEL org.opencontainers.image.title="tidemill-host" \
      org.opencontainers.image.description="Takes signed events from Pub/Sub push and runs their WebAssembly handlers" \
      org.opencontainers.image.licenses="Apache-2.0"

COPY --from=builder /src/target/release/tidemill-host /usr/local/bin/tidemill-host

# Handlers come from here: a volume, or a layer on top of this image (COPY handlers /handlers). Without any the host
# starts, and waits for some.
COPY --from=builder /empty /handlers
ENV TIDEMILL_HANDLERS=/handlers
# The host reads tidemill.toml, where there is one, from the folder in which it is started.
WORKDIR /etc/tidemill

# The port without PORT, which Cloud Run sets. It documents, and publishes nothing.
EXPOSE 8080
# By number, so that a platform that forbids root can see that this is not root. It is the base image's `nonroot`.
USER 65532:65532
# The host finishes what it holds and ends with 0. It is the default, and the platform's contract.
STOPSIGNAL SIGTERM
# In this form there is no shell in between that would keep the signal to itself.
ENTRYPOINT ["/usr/local/bin/tidemill-host"]
