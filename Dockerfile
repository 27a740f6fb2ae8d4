# syntax=docker/dockerfile:1
# The worker, its models and a Python for the CPU. No step and no start needs a model hub.
#
#   docker build --tag khabar .
#   docker build --tag khabar --build-arg PYTHON_IMAGE=python:3.11-slim-bookworm@sha256:… .
#
# A newer base: `docker buildx imagetools inspect python:3.11-slim-bookworm` prints its digest.
ARG PYTHON_IMAGE=python:3.11-slim-bookworm@sha256:a36c24f9cbdf4fd0f52d67f0823eeac19c2028c637cecc392d97f980d4fec56b

FROM ${PYTHON_IMAGE} AS build
ENV PIP_NO_CACHE_DIR=1 \
    PIP_ROOT_USER_ACTION=ignore
WORKDIR /build
COPY requirements/ requirements/
# torch's headers, test helpers and compilers serve people who build extensions; the import shows that nothing else went
RUN python -m venv /opt/khabar \
    && requirements/install.sh /opt/khabar/bin/python runtime otel avro \
    && rm -rf /opt/khabar/lib/python3.11/site-packages/torch/include \
              /opt/khabar/lib/python3.11/site-packages/torch/test \
    && find /opt/khabar/lib/python3.11/site-packages/torch/bin -type f ! -name torch_shm_manager -delete \
    && /opt/khabar/bin/python -c "import stanza, onnxruntime, opentelemetry.sdk.trace"
RUN python -m venv tools \
    && tools/bin/python -m pip install --quiet --no-deps --require-hashes --requirement requirements/build.txt
COPY pyproject.toml README.md LICENSE ./
COPY worker/ worker/
RUN tools/bin/hatchling build -t wheel -d dist \
    && /opt/khabar/bin/python -m pip install --quiet --no-deps --no-index dist/*.whl \
    && /opt/khabar/bin/khabar models verify \
    && /opt/khabar/bin/python -m pip uninstall --quiet --yes pip

FROM ${PYTHON_IMAGE}
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="khabar" \
      org.opencontainers.image.description="A streaming worker that enriches news articles with language, entities and a summary" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
RUN groupadd --gid 10001 khabar \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /tmp --shell /usr/sbin/nologin khabar
COPY --from=build /opt/khabar /opt/khabar
# One thread a process: there is a process for every core. Nothing is written but below /tmp, which may be a tmpfs.
ENV PATH=/opt/khabar/bin:${PATH} \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    OMP_NUM_THREADS=1 \
    KHABAR_HTTP_HOST=0.0.0.0
USER 10001:10001
WORKDIR /tmp
EXPOSE 8080
# The worker handles SIGTERM itself, also as process 1: it finishes what is in flight, commits and exits 0.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as u; u.urlopen('http://127.0.0.1:' + os.environ.get('KHABAR_HTTP_PORT', '8080') + '/live', timeout=4)"]
ENTRYPOINT ["khabar"]
CMD ["worker"]
