# A miner as a container: docker build -t stratum-miner . && docker run --rm stratum-miner mine -o HOST:PORT -u WORKER
# docs/how-to/run-as-a-service.md has the rest. The wheel runs on any CPU of its architecture: kernels are chosen at the start.

# `make base-image` writes the digest that this tag has today behind it; from then on an image is made of the same files.
ARG BASE=python:3.11-slim

FROM ${BASE} AS build
RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY requirements requirements
RUN python -m pip install --no-cache-dir --require-hashes --requirement requirements/build.txt
COPY pyproject.toml CMakeLists.txt README.md LICENSE ./
COPY native native
COPY stratum_miner stratum_miner
RUN python -m pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir /wheels .
RUN cp requirements/runtime.txt /wheels

FROM ${BASE}
COPY --from=build /wheels /wheels
RUN python -m pip install --no-cache-dir --require-hashes --requirement /wheels/runtime.txt && \
    python -m pip install --no-cache-dir --no-deps /wheels/*.whl && python -m pip check && rm -r /wheels
RUN useradd --system --uid 10001 --home-dir /var/lib/stratum-miner --create-home --shell /usr/sbin/nologin miner
USER 10001
WORKDIR /var/lib/stratum-miner
# The token for changes and the measured kernels; keep it as a volume. The API is for the health check, so loopback.
ENV XDG_STATE_HOME=/var/lib \
    XDG_CACHE_HOME=/var/lib/stratum-miner/cache \
    PYTHONUNBUFFERED=1 \
    STRATUM_MINER_HTTP=127.0.0.1:7780
VOLUME /var/lib/stratum-miner
STOPSIGNAL SIGTERM
# Exactly 1 means unhealthy: Docker reserves 2 and gives no meaning to the codes that tell the states apart.
HEALTHCHECK --interval=60s --timeout=10s --start-period=30s CMD ["sh", "-c", "python -m stratum_miner.cli.health || exit 1"]
ENTRYPOINT ["stratum-miner"]
CMD ["mine"]
