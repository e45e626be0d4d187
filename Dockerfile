# An S3 bucket as a folder, without a mount: unprivileged, read-only root file system, any uid.
ARG BASE=python:3.13-slim-bookworm

FROM ${BASE} AS build
WORKDIR /src
COPY requirements.lock pyproject.toml README.md LICENSE ./
COPY runner ./runner
RUN python3 -m venv /opt/runner \
 && /opt/runner/bin/pip install --no-cache-dir --disable-pip-version-check -c requirements.lock . \
 && /opt/runner/bin/pip uninstall -y pip \
 && find /opt/runner -name __pycache__ -prune -exec rm -rf {} + \
 && /opt/runner/bin/python -m compileall -q /opt/runner/lib

FROM ${BASE}
LABEL org.opencontainers.image.title="mountless-s3-syncer" \
      org.opencontainers.image.description="An S3 bucket as a folder, without a mount" \
      org.opencontainers.image.licenses="MIT"
ENV PATH=/opt/runner/bin:$PATH PYTHONUNBUFFERED=1
COPY --from=build /opt/runner /opt/runner
COPY entrypoint.sh /usr/local/bin/entrypoint.sh
RUN mkdir -p /data /run/runner && chmod 1777 /data /run/runner && touch /errors.log && chmod 0666 /errors.log
VOLUME /data
USER 1000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s CMD ["runner", "healthcheck"]
ENTRYPOINT ["/usr/local/bin/entrypoint.sh"]
