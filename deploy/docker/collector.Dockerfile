# syntax=docker/dockerfile:1
# docker build --file deploy/docker/collector.Dockerfile --tag echolot/collector:0.1.0 .
#
# The base is pinned by its exact tag. A digest pins harder: --build-arg BUILDER=docker.io/library/rust@sha256:…
ARG BUILDER=docker.io/library/rust:1.95.0-slim-bookworm

FROM ${BUILDER} AS build
# The toolchain of the image, whatever rust-toolchain.toml would have rustup add for people.
ENV RUSTUP_TOOLCHAIN=1.95.0
WORKDIR /src
COPY . .
RUN cargo build --release --locked --package collector
RUN deploy/docker/root.sh /image nonroot 65532 && cp target/release/collector /image/usr/bin/

FROM scratch
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Echolot collector" \
      org.opencontainers.image.description="Knows the whole mesh: metrics, topology, what to rebalance" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=build /image /
# nonroot, by number: Kubernetes cannot tell from a name that it is not root.
USER 65532:65532
EXPOSE 7443 9464
ENTRYPOINT ["/usr/bin/collector"]
CMD ["run", "--config", "/etc/echolot/collector.toml"]
