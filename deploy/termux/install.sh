#!/usr/bin/env bash
# Puts pitwall on an Android phone, in Termux: the recorder natively, the server where DuckDB can be had.
# Run it from a clone, again after each `git pull`: what is done already is left alone, settings and logs above all.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
clone=$(cd "$here/../.." && pwd)
# shellcheck source=../steps.sh
. "$here/../steps.sh"

usage() {
  cat <<'USAGE'
usage: install.sh [--car CAR] [--source ADDRESS] [--server HOW] [--no-boot]

  --car CAR         the car to record: a folder's name in ~/pitwall/cars
  --source ADDRESS  where its bus is heard (usb:handed: the phone's own plug)
  --server HOW      proot: in its own Debian; native: in Termux; none: record
                    only. Without it: native where Python has duckdb, else proot
  --no-boot         do not start with the phone
USAGE
}

car='' source='' server=auto boot=yes
while [ $# -gt 0 ]; do
  case $1 in
    --car) car=${2:?a car is missing}; shift ;;
    --source) source=${2:?an address is missing}; shift ;;
    --server) server=${2:?how is missing}; shift ;;
    --no-boot) boot=no ;;
    -h | --help) usage; exit 0 ;;
    *) wrong_use "there is no option $1" ;;
  esac
  shift
done
case $server in auto | proot | native | none) ;; *) wrong_use "--server is proot, native or none" ;; esac
if [ -z "${TERMUX_VERSION:-}" ] || [ -z "${PREFIX:-}" ]; then give_up "this is not Termux; deploy/systemd is for a Pi or a laptop"; fi

program=$HOME/.pitwall
data=$HOME/pitwall
settings=$program/env
services=$PREFIX/var/service
python=$program/venv/bin/python
mkdir -p "$program" "$data/logs" "$data/projections" "$HOME/.termux/boot"
STEPS_OUTPUT=$program/install.log
: >"$STEPS_OUTPUT"

packages() {
  # never asks: an old package's settings stay as they are
  DEBIAN_FRONTEND=noninteractive pkg install -y -o Dpkg::Options::=--force-confold \
    python python-pip python-numpy python-pyarrow libusb termux-api termux-services
}

recorder() {
  [ -x "$python" ] || python -m venv --system-site-packages "$program/venv"
  # what would take an hour to compile is either a package of Termux's, seen from here, or not wanted
  "$python" -m pip install --disable-pip-version-check --only-binary numpy,pyarrow,duckdb,orjson,msgspec "${clone}[usb]"
}

write_settings() {
  copy_if_new "$clone/cars" "$data/cars"
  put_if_new "$settings" <<SETTINGS
# What the services run with; any option of pitwall's, by the name that --help shows beside it.
# After a change: sv restart pitwall-recorder; sv restart pitwall-server
PITWALL_LOGS=$data/logs
PITWALL_PROJECTIONS=$data/projections
PITWALL_CARS=$data/cars
PITWALL_SOURCE=usb:handed
PITWALL_SOCKET=$program/usb.sock
#PITWALL_CAR=bmw-e46-m3
#PITWALL_PORT=8080
SETTINGS
  [ -z "$car" ] || set_in "$settings" PITWALL_CAR "$car"
  [ -z "$source" ] || set_in "$settings" PITWALL_SOURCE "$source"
}

native_server() {
  pkg install -y clang
  # two small C extensions, seconds each; uvloop and ujson are left out, as Sanic has it
  SANIC_NO_UVLOOP=true SANIC_NO_UJSON=true "$python" -m pip install --disable-pip-version-check \
    --only-binary numpy,pyarrow,duckdb,orjson,msgspec,watchfiles --no-binary sanic "${clone}[server,usb]"
}

debian() {
  command -v proot-distro >/dev/null || pkg install -y proot-distro
  proot-distro login debian -- true 2>/dev/null || proot-distro install debian
}

# termux_script FROM TO: with Termux's own shell in its first line
termux_script() {
  local shell
  shell=$(head -n 1 "$1" | grep -o '[a-z]*sh$')
  mkdir -p "$(dirname "$2")"
  # beside it, then in its place: bash reads a script while it runs it
  sed "1s|.*|#!$PREFIX/bin/$shell|" "$1" >"$2.new"
  chmod 700 "$2.new"
  mv "$2.new" "$2"
}

# install_service NAME
install_service() {
  local name=$1 script
  for script in run finish control/t; do
    [ ! -e "$here/services/$name/$script" ] || termux_script "$here/services/$name/$script" "$services/$name/$script"
  done
  termux_script "$here/services/log/run" "$services/$name/log/run"
  # not up before somebody says so
  [ -e "$services/$name/supervise" ] || touch "$services/$name/down"
}

scripts() {
  termux_script "$here/watch-usb.sh" "$program/watch-usb.sh"
  termux_script "$here/hand-over.sh" "$program/hand-over.sh"
  printf '%s\n' "$server" >"$program/server"
  install_service pitwall-recorder
  install_service pitwall-usb
  if [ "$server" = none ]; then rm -rf "${services:?}/pitwall-server"; else install_service pitwall-server; fi
}

start() {
  service-daemon start >/dev/null 2>&1 || true
  local name
  for name in pitwall-recorder pitwall-usb pitwall-server; do
    if [ -d "$services/$name" ]; then
      sv-enable "$name"
      sv restart "$services/$name" || true
    fi
  done
}

start_with_phone() {
  termux_script "$here/boot.sh" "$HOME/.termux/boot/pitwall"
}

# --- the steps

STEPS_ALL=6
[ "$boot" = no ] && STEPS_ALL=$((STEPS_ALL - 1))
printf 'pitwall for Termux: programs in %s, your data in %s\n' "$program" "$data"
step "Termux's packages: Python, numpy, pyarrow, libusb" "2 minutes, 150 MB" packages
step "the recorder, in $program/venv" "1 minute" recorder
step "settings and cars, where there are none yet" "a moment" write_settings
if [ "$server" = auto ]; then
  # what takes an hour or a Rust compiler to build: where the phone's Python has these, the rest is seconds
  if "$python" -c 'import duckdb, orjson, watchfiles' 2>/dev/null; then server=native; else server=proot; fi
fi
case $server in
  native) step "the server, in the same Python" "2 minutes" native_server ;;
  proot)
    STEPS_ALL=$((STEPS_ALL + 1))
    step "a Debian beside Termux, for the server" "3 minutes, 100 MB" debian
    step "the server, in that Debian" "4 minutes, 200 MB" proot-distro login debian -- sh "$here/in-debian.sh" "$clone"
    ;;
  none) STEPS_ALL=$((STEPS_ALL - 1)) ;;
esac
step "services: recorder, USB watcher, server" "a moment" scripts
[ "$boot" = no ] || step "start with the phone (needs the Termux:Boot app)" "a moment" start_with_phone

if grep -q '^PITWALL_CAR=.' "$settings"; then
  start >>"$STEPS_OUTPUT" 2>&1 || give_up "the services don't start: close Termux, open it again, run this again ($STEPS_OUTPUT)"
  printf '\nIt runs. The page: http://127.0.0.1:8080/ in this phone'"'"'s browser. Its own words: %s\n' \
    "$PREFIX/var/log/sv/pitwall-recorder/current"
else
  printf '\nNothing runs yet: name the car in %s (PITWALL_CAR=...), or run this again with --car CAR\n' "$settings"
fi
cat <<WORDS
Next: battery "Unrestricted" for Termux and Termux:API (INSTALL.md says why), then
  $program/venv/bin/pitwall doctor
WORDS
