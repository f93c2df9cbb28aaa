#!/bin/sh
# Inside the phone's Debian: the server, in /opt/pitwall, of ready-made wheels alone.  in-debian.sh CLONE
set -eu
clone=$1
if ! python3 -c 'import ensurepip, venv' 2>/dev/null; then
  apt-get update -q
  DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends python3 python3-venv ca-certificates
fi
[ -x /opt/pitwall/bin/python ] || python3 -m venv /opt/pitwall
/opt/pitwall/bin/python -m pip install --quiet --disable-pip-version-check --only-binary :all: -r "$clone/requirements.lock"
/opt/pitwall/bin/python -m pip install --quiet --disable-pip-version-check --no-deps "$clone"
/opt/pitwall/bin/pitwall version
