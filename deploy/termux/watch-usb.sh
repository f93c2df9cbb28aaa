#!/usr/bin/env bash
# Termux's list of USB devices in; each new one's descriptor handed to the recorder, again after every replug, and again
# to a recorder that was started anew.  Law: every termux-* command has a time limit, since they hang while Android has
# frozen the app that answers them; one that hangs costs a round, and is said once.
set -u

look_s=${PITWALL_USB_LOOK_S:-3}         # between looks while a device is missing
rest_s=${PITWALL_USB_REST_S:-10}        # and while the recorder hears one
answer_s=${PITWALL_USB_ANSWER_S:-10}    # what has not been listed by then hangs
dialog_s=${PITWALL_USB_DIALOG_S:-60}    # Android's own dialog gives up after 30
again_s=${PITWALL_USB_AGAIN_S:-5}       # before a device that was refused is asked for again; doubled each time
again_most_s=120
hand_over=${PITWALL_HAND_OVER:-$HOME/.pitwall/hand-over.sh}
lock=${PITWALL_LOGS:-$HOME/pitwall/logs}/.lock

declare -A handed=()   # device -> the recorder's pid that has it
declare -A again_at=() # device -> when it may be asked for again, in $SECONDS
declare -A pause=()    # device -> how long it is left alone after the next refusal
recorder=''            # the pid of the recorder that was there at the last look
deaf=no                # whether Termux:API did not answer last

say() { printf '%s\n' "$*" >&2; }

# the devices' paths, a line each; fails where nothing answers
devices() {
  local listed
  listed=$(timeout -k 2 "$answer_s" termux-usb -l </dev/null 2>/dev/null) || return 1
  grep -o '/dev/bus/usb/[0-9/]*' <<<"$listed" || true
}

recorder_pid() {
  local pid=''
  [ ! -e "$lock" ] || read -r pid <"$lock" || true
  case $pid in '' | *[!0-9]*) echo 0 ;; *) echo "$pid" ;; esac
}

# whether the recorder has what it wants, as far as we know and as it says itself in its lock file
content() {
  [ "${#handed[@]}" -gt 0 ] && ! grep -qE '"state": "(lost|opening)"' "$lock" 2>/dev/null
}

hand() {
  local device=$1 pid=$2
  timeout -k 2 "$dialog_s" termux-usb -r -E -e "$hand_over" "$device" </dev/null >/dev/null 2>&1 &
  doing=$!
  if wait "$doing"; then
    say "$device is handed to the recorder"
    handed[$device]=$pid
    unset "again_at[$device]" "pause[$device]"
  else
    local wait=${pause[$device]:-$again_s}
    say "$device: not handed over (permission not given, no adapter, or no recorder that waits for one); again in $wait s"
    again_at[$device]=$((SECONDS + wait))
    pause[$device]=$((wait * 2 < again_most_s ? wait * 2 : again_most_s))
  fi
}

look() {
  local listed device pid
  if ! listed=$(devices); then
    [ "$deaf" = yes ] || say "termux-usb does not answer: open the Termux:API app once; battery: Unrestricted for it"
    deaf=yes
    return
  fi
  [ "$deaf" = no ] || say "termux-usb answers again"
  deaf=no
  for device in "${!handed[@]}" "${!again_at[@]}"; do
    if ! grep -qxF "$device" <<<"$listed"; then
      [ -z "${handed[$device]:-}" ] || say "$device is gone"
      unset "handed[$device]" "again_at[$device]" "pause[$device]"
    fi
  done
  pid=$(recorder_pid)
  if [ "$pid" != "$recorder" ]; then
    recorder=$pid again_at=() pause=() # whatever the one before refused
  fi
  for device in $listed; do
    [ "${handed[$device]:-}" != "$pid" ] || continue
    unset "handed[$device]"
    [ "${again_at[$device]:-0}" -le "$SECONDS" ] || continue
    hand "$device" "$pid"
  done
}

# what takes its time is in the background, so that a signal is heard at once
doing=''
trap '[ -z "$doing" ] || kill "$doing" 2>/dev/null; exit 0' TERM INT HUP
while true; do
  look
  if content; then sleep "$rest_s" & else sleep "$look_s" & fi
  doing=$!
  wait "$doing"
done
