# Images of the two daemons, without root and with nothing to write outside their volumes:
#
#   docker build --target sw_listener  -t sw_listener  .
#   docker build --target sw_connector -t sw_connector .
#
# Certificates (and the connector's settings.json) belong in /etc/socket-warp, private keys with mode 600 and owner 65532:
#
#   docker run --read-only --cap-drop ALL -v ./listener:/etc/socket-warp:ro -p 11443:11443/udp sw_listener
#   docker run --read-only --cap-drop ALL -v ./connector:/etc/socket-warp:ro sw_connector
#
# The HTTP API listens on 127.0.0.1 of the container until APIS_ADDRS says otherwise, which takes a token
# (SWL_API_TOKENS): see docker-compose.yml. The limits of UDP buffers are the host's:
# example/systemd/60-socket-warp.conf.

ARG RUST_IMAGE=rust:1-bookworm
# Needs the C library of RUST_IMAGE or a newer one, and bash for the health check.
ARG RUNTIME_IMAGE=debian:bookworm-slim

FROM ${RUST_IMAGE} AS build
WORKDIR /build
COPY . .
# The caches stay on the machine that builds, so the programs are copied out of them.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/build/target,sharing=locked \
    cargo build --release --locked --package sw_listener --package sw_connector \
    && install -D -t /out target/release/sw_listener target/release/sw_connector

FROM ${RUNTIME_IMAGE} AS runtime
# For a SCEP server on https; the slim image has no certificates of public CAs.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
# Places for volumes: a new volume takes over owner and mode. Those in /pki are for `sw_listener pki`.
RUN install -d -o 65532 -g 65532 -m 0700 \
    /etc/socket-warp /var/lib/socket-warp /pki /pki/ca /pki/listener /pki/connector
WORKDIR /etc/socket-warp
USER 65532:65532
STOPSIGNAL SIGTERM
LABEL org.opencontainers.image.licenses="Apache-2.0"

FROM runtime AS sw_connector
LABEL org.opencontainers.image.title="socket-warp connector"
COPY --from=build /out/sw_connector /usr/local/bin/sw_connector
# Proves that the settings and certificates can still be used, and nothing about the session: the connector has no port
# to ask. Whether it is connected, the listener knows: GET /connectors.
HEALTHCHECK --interval=30s --timeout=10s --start-period=10s CMD ["sw_connector", "check"]
ENTRYPOINT ["sw_connector"]

FROM runtime AS sw_listener
LABEL org.opencontainers.image.title="socket-warp listener"
COPY --from=build /out/sw_listener /usr/local/bin/sw_listener
ENV SWL_CERT_PATH=/etc/socket-warp/server.crt \
    SWL_KEY_PATH=/etc/socket-warp/server.key \
    SWL_CA_PATH=/etc/socket-warp/ca.crt
EXPOSE 11443/udp 8080/tcp
# Proves that the API answers /healthz with 200. The image has no curl, but bash opens sockets. It finds the API by the
# environment, so a port that stands in a --config file only must be set there, too.
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s --retries=3 CMD ["/bin/bash", "-c", "\
    exec 3<>\"/dev/tcp/${APIS_ADDRS:-127.0.0.1}/${APIS_PORT:-8080}\" \
    && printf 'GET /healthz HTTP/1.1\\r\\nHost: 127.0.0.1:%s\\r\\nConnection: close\\r\\n\\r\\n' \"${APIS_PORT:-8080}\" >&3 \
    && read -r status <&3 \
    && [[ $status == 'HTTP/1.1 200'* ]]"]
ENTRYPOINT ["sw_listener"]
