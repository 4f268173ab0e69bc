ARG BASE=docker.io/library/python:3.13-slim

FROM ${BASE} AS build
WORKDIR /build
# Two environments: `tools` builds the wheel; /opt/taskwire is shipped and has no pip.
RUN python3 -m venv tools && python3 -m venv --without-pip /opt/taskwire && mkdir /data
COPY requirements.txt requirements-build.txt ./
RUN tools/bin/pip install --no-cache-dir --require-hashes --only-binary :all: -r requirements-build.txt \
    && tools/bin/pip --python /opt/taskwire/bin/python install --no-cache-dir --require-hashes --only-binary :all: \
       -r requirements.txt
COPY pyproject.toml README.md LICENSE ./
COPY src src
RUN tools/bin/pip wheel --no-cache-dir --no-index --no-deps --no-build-isolation --wheel-dir dist . \
    && tools/bin/pip --python /opt/taskwire/bin/python install --no-cache-dir --no-index --no-deps dist/*.whl

FROM ${BASE}
LABEL org.opencontainers.image.title="Taskwire" \
      org.opencontainers.image.description="Coder AI tasks in Slack" \
      org.opencontainers.image.licenses="MIT"
COPY --from=build /opt/taskwire /opt/taskwire
# Without REDIS_URL, the embedded store is here. 65532 is the user below.
COPY --from=build --chown=65532:65532 /data /data
ENV PATH=/opt/taskwire/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    TASKWIRE_DATA_DIR=/data \
    TASKWIRE_HTTP_ADDR=0.0.0.0:8080
WORKDIR /data
VOLUME /data
EXPOSE 8080
USER 65532:65532
# http.client, not urllib: urllib would use a proxy for this host too.
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s CMD ["python", "-c", "\
import http.client, os, sys; \
address = os.environ.get('TASKWIRE_ADMIN_ADDR') or os.environ['TASKWIRE_HTTP_ADDR']; \
port = int(address.rpartition(':')[2]); \
there = http.client.HTTPConnection('127.0.0.1', port, timeout=4); \
there.request('GET', '/healthz'); \
sys.exit(there.getresponse().status != 200)"]
ENTRYPOINT ["taskwire"]
CMD ["run"]
