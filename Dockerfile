# One image for all programs of mini: static programs on an empty base, run by nobody in particular.
#
#   docker compose up --build

FROM rust:1-alpine AS build
RUN apk add --no-cache build-base
WORKDIR /mini
COPY . .
# The target is named so that programs are static and the compiler's own plugins are not.
ENV RUSTFLAGS="-Ctarget-feature=+crt-static -Cstrip=symbols"
RUN target=$(rustc -vV | sed -n 's/^host: //p') \
    && cargo build --release --locked --target "$target" \
        --package mini-apiserver --package mini-scheduler --package mini-controllers --package mini-kubelet --package mini-ctl \
    && mkdir -p /out/bin /out/data \
    && for program in apiserver scheduler controllers kubelet ctl; do cp "target/$target/release/mini-$program" /out/bin/; done

FROM scratch
COPY --from=build /out/bin /bin
# A named volume is made as the folder it covers: writable by who runs here.
COPY --from=build --chown=65532:65532 /out/data /data
USER 65532:65532
ENV PATH=/bin MINI_HOME=/data
CMD ["mini-ctl", "--help"]
