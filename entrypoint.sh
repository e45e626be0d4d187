#!/bin/sh
# Entry point of the image: passes commands through; without one runs what a mounted config or the environment asks for.
# The config's precedence is the runner's own (a file before the environment); here only the case of neither is told.
set -eu

case "${1:-}" in
  "") ;;
  run | once | plan | check | exec | status | problems | conflicts | verify | trash | logs | sync | pause | resume | \
    restart | approve | reload | stop | healthcheck | schema | -*)
    exec runner "$@"
    ;;
  runner)
    exec "$@"
    ;;
  aws)
    echo "runner: 'aws' is not a command of this image: the AWS CLI inside is 'docker run --entrypoint aws IMAGE'" >&2
    exit 2
    ;;
  *)
    echo "runner: '$1' is not a command of this image: 'docker run IMAGE --help' names them;" \
      "a program behind the folder is 'docker run IMAGE exec -- $1', a shell 'docker run --entrypoint sh IMAGE'" >&2
    exit 2
    ;;
esac

for config in "${RUNNER_CONFIG:-}" sync.yaml config/sync.yaml /etc/runner/sync.yaml; do
  if [ -n "$config" ] && { [ -e "$config" ] || [ "$config" = "${RUNNER_CONFIG:-}" ]; }; then
    exec runner run
  fi
done
if [ -n "${s3_bucket:-${S3_BUCKET:-}}" ]; then
  exec runner run
fi
echo "runner: nothing to sync: set s3_bucket=NAME (docker run -e), or mount a config at /etc/runner/sync.yaml" >&2
exit 78
