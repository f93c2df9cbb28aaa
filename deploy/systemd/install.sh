#!/usr/bin/env bash
# Puts pitwall on a Raspberry Pi or a laptop as two services of systemd.  Run it from a clone, again after each
# `git pull`: settings, cars and logs that are there stay as they are.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
clone=$(cd "$here/../.." && pwd)
# shellcheck source=../steps.sh
. "$here/../steps.sh"

usage() {
  cat <<'USAGE'
usage: install.sh [--user | --system] [--car CAR] [--source ADDRESS]
                  [--can IF=BITRATE]... [--prefix DIR]
       install.sh --udev [--prefix DIR]

  --user            services of yours alone (what others get)
  --system          the system's, under a user of their own (what root gets)
  --car CAR         the car to record; with it, both services are started
  --source ADDRESS  where its bus is heard: slcan:/dev/ttyACM0, socketcan:can0
  --can IF=BITRATE  bring up a kernel's interface, listening only: can0=500000
  --udev            only the udev rule: adapters are dialout's, and keep a name
  --prefix DIR      put all below DIR, start nothing: for an image of a card
USAGE
}

who='' car='' source='' prefix='' only_udev=no cans=()
while [ $# -gt 0 ]; do
  case $1 in
    --user | --system) who=${1#--} ;;
    --car) car=${2:?a car is missing}; shift ;;
    --source) source=${2:?an address is missing}; shift ;;
    --can) cans+=("${2:?an interface is missing}"); shift ;;
    --prefix) prefix=${2:?a folder is missing}; shift ;;
    --udev) only_udev=yes ;;
    -h | --help) usage; exit 0 ;;
    *) wrong_use "there is no option $1" ;;
  esac
  shift
done
if [ -z "$who" ]; then if [ "$(id -u)" = 0 ]; then who=system; else who=user; fi; fi
for can in ${cans[@]+"${cans[@]}"}; do
  [[ $can =~ ^[A-Za-z0-9_-]+=[0-9]+$ ]] || wrong_use "--can $can: give IF=BITRATE, as can0=500000"
  [ "$who" = system ] || wrong_use "--can needs --system: only root brings up an interface"
done
[ -z "$prefix" ] || [ "$who" = system ] || [ "$only_udev" = yes ] ||
  wrong_use "--prefix needs --system: an image of a card has no services of yours"
if { [ "$who" = system ] || [ "$only_udev" = yes ]; } && [ -z "$prefix" ] && [ "$(id -u)" != 0 ]; then
  give_up "this needs root: sudo $0 ..., or --user"
fi

# --- where things go

if [ "$who" = system ]; then
  program=/opt/pitwall data=/var/lib/pitwall config=/etc/pitwall units=/etc/systemd/system target=multi-user.target
  control=(systemctl)
else
  program=${XDG_DATA_HOME:-$HOME/.local/share}/pitwall
  data=$program config=${XDG_CONFIG_HOME:-$HOME/.config}/pitwall
  units=${XDG_CONFIG_HOME:-$HOME/.config}/systemd/user target=default.target
  control=(systemctl --user)
fi
shown=${control[*]}
[ -z "$prefix" ] || control+=(--root="$prefix")
settings=$config/pitwall.env
rules=/etc/udev/rules.d
python=$program/venv/bin/python
STEPS_OUTPUT=$(mktemp "${TMPDIR:-/tmp}/pitwall-install.XXXXXX")

# --- the steps

udev() {
  mkdir -p "$prefix$rules"
  cp "$here/70-pitwall.rules" "$prefix$rules/70-pitwall.rules"
  [ -n "$prefix" ] || { udevadm control --reload && udevadm trigger --subsystem-match=tty --subsystem-match=usb --subsystem-match=net; }
}

programs() {
  mkdir -p "$prefix$program"
  [ -x "$prefix$python" ] || python3 -m venv "$prefix$program/venv"
  # wheels alone: what would have to be compiled for an hour is told at once instead
  "$prefix$python" -m pip install --disable-pip-version-check --only-binary :all: -r "$clone/requirements.lock"
  "$prefix$python" -m pip install --disable-pip-version-check --no-deps "$clone"
}

# filled FILE TO: a template with the places of this machine
filled() {
  mkdir -p "$(dirname "$prefix$2")"
  sed -e "s|@PYTHON@|$python|; s|@DATA@|$data|; s|@SETTINGS@|$settings|; s|@CONFIG@|$config|; s|@TARGET@|$target|" \
    -e "s|@IP@|$(command -v ip || echo /sbin/ip)|" "$here/$1" >"$prefix$2"
}

own_user() {
  filled pitwall.sysusers /usr/lib/sysusers.d/pitwall.conf
  mkdir -p "$prefix/etc"
  if [ -n "$prefix" ]; then systemd-sysusers --root="$prefix"; else systemd-sysusers; fi
}

write_settings() {
  local can
  mkdir -p "$prefix$data/logs" "$prefix$data/projections" "$prefix$config"
  copy_if_new "$clone/cars" "$prefix$data/cars"
  put_if_new "$prefix$settings" <<SETTINGS
# What the services run with; any option of pitwall's, by the name that --help shows beside it.
# After a change: $shown restart pitwall-recorder pitwall-server
PITWALL_LOGS=$data/logs
PITWALL_PROJECTIONS=$data/projections
PITWALL_CARS=$data/cars
#PITWALL_CAR=bmw-e46-m3
#PITWALL_SOURCE=slcan:/dev/pitwall-canable
#PITWALL_PORT=8080
SETTINGS
  [ -z "$car" ] || set_in "$prefix$settings" PITWALL_CAR "$car"
  [ -z "$source" ] || set_in "$prefix$settings" PITWALL_SOURCE "$source"
  for can in ${cans[@]+"${cans[@]}"}; do
    printf 'BITRATE=%s\n' "${can#*=}" >"$prefix$config/${can%%=*}.env"
  done
}

write_units() {
  local name
  for name in pitwall-recorder pitwall-server; do
    filled "$name.service" "$units/$name.service"
    [ "$who" = user ] || filled "$name-system.conf" "$units/$name.service.d/10-system.conf"
  done
  [ "$who" = user ] || filled pitwall-can@.service "$units/pitwall-can@.service"
  [ -n "$prefix" ] || "${control[@]}" daemon-reload
}

start() {
  local can
  for can in ${cans[@]+"${cans[@]}"}; do
    "${control[@]}" enable "pitwall-can@${can%%=*}.service"
    # the adapter may be in a drawer: it comes up when it is plugged in
    [ -n "$prefix" ] || "${control[@]}" start --no-block "pitwall-can@${can%%=*}.service"
  done
  "${control[@]}" enable pitwall-recorder.service pitwall-server.service
  [ -n "$prefix" ] || "${control[@]}" restart pitwall-recorder.service pitwall-server.service
}

if [ "$only_udev" = yes ]; then
  STEPS_ALL=1
  step "the udev rule" "a moment" udev
  exit 0
fi

case $(uname -m) in
  armv6l | armv7l) give_up "this system is a 32-bit one, for which DuckDB and Arrow have no wheels: install the 64-bit one" ;;
esac
STEPS_ALL=4
[ "$who" = user ] || STEPS_ALL=6
printf 'pitwall for systemd (%s): programs in %s, your data in %s\n' "$who" "$prefix$program" "$prefix$data"
step "pitwall and its libraries" "2 minutes, 200 MB" programs
[ "$who" = user ] || step "a user of its own" "a moment" own_user
step "settings and cars, where there are none yet" "a moment" write_settings
[ "$who" = user ] || step "the udev rule" "a moment" udev
step "services" "a moment" write_units

if grep -q '^PITWALL_CAR=.' "$prefix$settings"; then
  step "enable and start them" "a moment" start
  printf '\nThe page: http://127.0.0.1:8080/   Their words: %s status pitwall-recorder\n' "$shown"
else
  printf '\nNothing runs yet: name the car in %s (PITWALL_CAR=...), or run this again with --car CAR\n' "$prefix$settings"
fi
[ "$who" = system ] || printf 'To record without being logged in: loginctl enable-linger\n'
printf 'What would keep it from recording: %s -m pitwall doctor --logs %s\n' "$prefix$python" "$prefix$data/logs"
rm -f "$STEPS_OUTPUT"
