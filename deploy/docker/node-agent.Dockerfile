# syntax=docker/dockerfile:1
# docker build --file deploy/docker/node-agent.Dockerfile --tag echolot/node-agent:0.1.0 .
#
# The base is pinned by its exact tag. A digest pins harder: --build-arg BUILDER=docker.io/library/rust@sha256:…
ARG BUILDER=docker.io/library/rust:1.95.0-slim-bookworm

FROM ${BUILDER} AS build
# The toolchain of the image, whatever rust-toolchain.toml would have rustup add for people.
ENV RUSTUP_TOOLCHAIN=1.95.0
# What the eBPF programs are built with, as `cargo xtask setup` installs it.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends \
        g++ \
        libpolly-22-dev \
        libstd-rust-web-dev-bpf \
        libzstd-dev \
        llvm-22-dev \
        rustc-web \
        zlib1g-dev \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
# The object first: the agent is built around it.
RUN cargo xtask ebpf && cargo build --release --locked --package node-agent
RUN deploy/docker/root.sh /image root 0 && cp target/release/node-agent /image/usr/bin/

FROM scratch
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Echolot node agent" \
      org.opencontainers.image.description="Observes and manages batman-adv on a node" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=build /image /
# Root, with no capability but those the pod adds: Kubernetes gives added ones to no other user.
USER 0:0
ENTRYPOINT ["/usr/bin/node-agent"]
CMD ["run", "--config", "/etc/echolot/node-agent.toml"]
