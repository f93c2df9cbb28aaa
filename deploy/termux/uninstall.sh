#!/usr/bin/env bash
# Takes pitwall off the phone: services, boot script, programs, settings.  Logs, projections and cars stay.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=../steps.sh
. "$here/../steps.sh"

case ${1:-} in
  '') ;;
  -h | --help) echo "usage: uninstall.sh"; exit 0 ;;
  *) wrong_use "there is no option $1" ;;
esac
if [ -z "${TERMUX_VERSION:-}" ] || [ -z "${PREFIX:-}" ]; then give_up "this is not Termux"; fi

program=$HOME/.pitwall
data=$HOME/pitwall
logs=$data/logs
# set by hand, they may be elsewhere
if [ -e "$program/env" ]; then
  logs=$(sed -n 's/^PITWALL_LOGS=//p' "$program/env" | tail -n 1)
fi

services() {
  local name folder
  # the recorder last: it gives back the wake lock, and seals what it has
  for name in pitwall-usb pitwall-server pitwall-recorder; do
    folder=$PREFIX/var/service/$name
    [ -d "$folder" ] || continue
    # a minute: the last batch is written, synced and sealed
    timeout -k 5 75 sv -w 60 down "$folder" || true
    rm -rf "$folder"
  done
  rm -f "$HOME/.termux/boot/pitwall"
  timeout -k 1 5 termux-wake-unlock || true
  timeout -k 1 5 termux-notification-remove pitwall || true
}

programs() {
  if [ "$(cat "$program/server" 2>/dev/null || true)" = proot ]; then
    proot-distro login debian -- rm -rf /opt/pitwall || true
  fi
  rm -rf "$program"
}

STEPS_ALL=2
step "services: stopped and removed" "up to a minute" services
step "programs and settings, in $program" "a moment" programs
cat <<WORDS

Your recordings are untouched: ${logs:-$data/logs}
Cars and projections are in $data; projections can be built again from the logs.
Termux's packages stay, and so does the Debian (proot-distro remove debian).
WORDS
