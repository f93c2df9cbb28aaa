#!/usr/bin/env bash
# Takes pitwall's services, programs, settings and udev rule away.  Logs, projections and cars stay.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=../steps.sh
. "$here/../steps.sh"

who='' prefix=''
while [ $# -gt 0 ]; do
  case $1 in
    --user | --system) who=${1#--} ;;
    --prefix) prefix=${2:?a folder is missing}; shift ;;
    -h | --help) echo "usage: uninstall.sh [--user | --system] [--prefix DIR]"; exit 0 ;;
    *) wrong_use "there is no option $1" ;;
  esac
  shift
done
if [ -z "$who" ]; then if [ "$(id -u)" = 0 ]; then who=system; else who=user; fi; fi
if [ "$who" = system ] && [ -z "$prefix" ] && [ "$(id -u)" != 0 ]; then give_up "this needs root: sudo $0"; fi

if [ "$who" = system ]; then
  program=/opt/pitwall data=/var/lib/pitwall config=/etc/pitwall units=/etc/systemd/system control=(systemctl)
else
  program=${XDG_DATA_HOME:-$HOME/.local/share}/pitwall
  data=$program config=${XDG_CONFIG_HOME:-$HOME/.config}/pitwall
  units=${XDG_CONFIG_HOME:-$HOME/.config}/systemd/user control=(systemctl --user)
fi
[ -z "$prefix" ] || control+=(--root="$prefix")
STEPS_OUTPUT=$(mktemp "${TMPDIR:-/tmp}/pitwall-uninstall.XXXXXX")
logs=$data/logs
# set by hand, they may be elsewhere
[ ! -e "$prefix$config/pitwall.env" ] || logs=$(sed -n 's/^PITWALL_LOGS=//p' "$prefix$config/pitwall.env" | tail -n 1)

services() {
  local name file
  # the server before the recorder, which seals what it has
  for name in pitwall-server pitwall-recorder; do
    [ -e "$prefix$units/$name.service" ] || continue
    [ -n "$prefix" ] || "${control[@]}" stop "$name.service" || true
    "${control[@]}" disable "$name.service" || true
  done
  for file in "$prefix$config"/*.env; do
    name=$(basename "$file" .env)
    if [ ! -e "$file" ] || [ "$name" = pitwall ]; then continue; fi
    [ -n "$prefix" ] || "${control[@]}" stop "pitwall-can@$name.service" || true
    "${control[@]}" disable "pitwall-can@$name.service" || true
  done
  rm -rf "$prefix$units"/pitwall-recorder.service{,.d} "$prefix$units"/pitwall-server.service{,.d} \
    "$prefix$units/pitwall-can@.service"
  [ -n "$prefix" ] || "${control[@]}" daemon-reload
}

programs() {
  rm -rf "$prefix$program/venv" "$prefix$config"
  [ "$who" = user ] || rm -rf "$prefix$program" "$prefix/usr/lib/sysusers.d/pitwall.conf"
  if [ "$who" = system ]; then
    rm -f "$prefix/etc/udev/rules.d/70-pitwall.rules"
    [ -n "$prefix" ] || udevadm control --reload || true
  fi
}

STEPS_ALL=2
step "services: stopped and removed" "up to a minute" services
step "programs, settings, udev rule" "a moment" programs
rm -f "$STEPS_OUTPUT"
cat <<WORDS

Your recordings are untouched: $prefix${logs:-$data/logs}
Cars and projections are in $prefix$data; projections can be built again from the logs.
WORDS
[ "$who" = user ] || echo "The user pitwall stays, since they are its own (userdel pitwall)."
