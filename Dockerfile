# One image for all programs of mini: static programs on an empty base, run by nobody in particular.
#
#   docker compose up --build

FROM rust:1-alpine AS build
RUN apk add --no-cache build-base
WORKDIR /mini
COPY . .
RUN cargo build --release --locked --package mini-apiserver --package mini-scheduler --package mini-controllers --package mini-kubelet --package mini-ctl \
    && mkdir -p /out/bin /out/data \
    && for program in apiserver scheduler controllers kubelet ctl; do cp target/release/mini-$program /out/bin/; done

FROM scratch
COPY --from=build /out/bin /bin
# A named volume is made as the folder it covers: writable by who runs here.
COPY --from=build --chown=65532:65532 /out/data /data
USER 65532:65532
ENV PATH=/bin MINI_HOME=/data
CMD ["mini-ctl", "--help"]
