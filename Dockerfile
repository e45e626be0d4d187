# An S3 bucket as a folder, without a mount: unprivileged, read-only root file system, any uid (docs/operations.md).
# Any base with python3 >= 3.11 and its venv module will do; both stages take the same one, so that the venv fits.
ARG BASE=python:3.13-slim-bookworm

FROM ${BASE} AS build
WORKDIR /src
# What changes seldom comes first: the dependencies, exactly as requirements.lock names them. The AWS CLI's service
# descriptions are compressed (its loader reads both; 120 MB become 15), its help examples left out. botocore itself is
# only asked for credentials here, so it keeps what those need. One layer, so that nobody stores what is thrown away.
COPY requirements.lock pyproject.toml deploy/slim.sh ./
RUN python3 -m venv /opt/runner \
 && /opt/runner/bin/python -c 'import tomllib; print("\n".join(tomllib.load(open("pyproject.toml", "rb"))["project"]["dependencies"]))' \
    > direct.txt \
 && /opt/runner/bin/pip install --no-cache-dir --disable-pip-version-check --root-user-action=ignore --no-compile \
    --progress-bar off -c requirements.lock -r direct.txt \
 && sh slim.sh /opt/runner \
 && /opt/runner/bin/python -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/runner/lib
COPY README.md LICENSE ./
COPY runner ./runner
RUN /opt/runner/bin/pip install --no-cache-dir --disable-pip-version-check --root-user-action=ignore --no-compile \
    --no-deps . \
 && /opt/runner/bin/pip uninstall --yes --quiet setuptools pip \
 && /opt/runner/bin/python -m compileall -q --invalidation-mode unchecked-hash /opt/runner/lib/python3*/site-packages/runner

FROM ${BASE}
ARG VERSION=0.2.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="mountless-s3-syncer" \
      org.opencontainers.image.description="An S3 bucket as a folder, without a mount" \
      org.opencontainers.image.documentation="docs/operations.md" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
# XDG_RUNTIME_DIR: with a read-only root and no tmpfs, /dev/shm is the one place every platform leaves writable for the
# control socket; /run/runner comes before it where uid 1000 may write there.
ENV PATH=/opt/runner/bin:$PATH \
    XDG_RUNTIME_DIR=/dev/shm \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1
COPY entrypoint.sh /usr/local/bin/entrypoint.sh
# The official Python images come without compiled modules, and here nobody could write them: every start would compile
# what it imports, every probe too. Where they are there already, as in Debian's own Python, this does nothing.
RUN python3 -m compileall -q -j 0 -x '/(test|tests|idlelib|lib2to3|ensurepip|tkinter|turtledemo|pydoc_data|(site|dist)-packages)/' \
    "$(python3 -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')"
RUN mkdir -p /data /run/runner && chmod 1777 /data && chown 1000 /run/runner && chmod 0700 /run/runner \
 && touch /errors.log && chmod 0666 /errors.log \
 && chmod 0755 /usr/local/bin/entrypoint.sh
COPY --from=build /opt/runner /opt/runner
VOLUME /data
USER 1000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s --retries=3 CMD ["runner", "healthcheck"]
ENTRYPOINT ["/usr/local/bin/entrypoint.sh"]
