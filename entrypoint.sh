#!/bin/sh
# Entry point of the image. A mounted config wins; else the environment makes a one-pair config; else one line says why.
set -eu

case "${1:-}" in
  "") ;;
  run | once | plan | check | exec | status | problems | conflicts | verify | trash | logs | sync | pause | resume | \
    restart | approve | reload | stop | healthcheck | schema | -*)
    exec runner "$@" ;;
  *)
    echo "runner: '$1' is not a command of this image; 'docker run IMAGE --help' names them" >&2
    exit 2 ;;
esac

if [ -n "${RUNNER_CONFIG:-}" ] || [ -e /etc/runner/sync.yaml ] || [ -n "${s3_bucket:-${S3_BUCKET:-}}" ]; then
  exec runner run
fi
echo "runner: nothing to sync: mount a config at /etc/runner/sync.yaml, or set s3_bucket=NAME (and working_directory)" >&2
exit 78
