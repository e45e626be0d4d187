#!/bin/sh
# Makes a venv with our dependencies small enough for an image: slim.sh VENV. Nothing that works stops working, but
# `aws ... help` shows no examples, and this venv's own botocore knows only the services that hand out credentials.
set -eu
venv=$1

for package in "$venv"/lib/python3*/site-packages/awscli; do
  rm -rf "$package/examples"
  # botocore's loader takes name.json and name.json.gz alike (JSONFileLoader)
  find "$package/botocore/data" -name '*.json' -size +8k -exec gzip -6n {} +
done

for data in "$venv"/lib/python3*/site-packages/botocore/data; do
  for service in "$data"/*/; do
    case "$(basename "$service")" in
      sts | sso | sso-oidc | signin) ;;
      *) rm -rf "$service" ;;
    esac
  done
done
