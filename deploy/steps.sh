# shellcheck shell=bash
# Sourced by the scripts beside it: numbered steps, each with what it does, how long it may take and how long it took.
# What a step's command prints goes to $STEPS_OUTPUT; where it fails, its last lines are shown and the script ends.

STEPS_DONE=0
STEPS_ALL=${STEPS_ALL:-0}
STEPS_OUTPUT=${STEPS_OUTPUT:-/dev/null}

# a command in the background does not hear Ctrl-C by itself
trap '[ -z "${STEPS_RUNNING:-}" ] || kill "$STEPS_RUNNING" 2>/dev/null; printf "stopped\n" >&2; exit 130' INT TERM

# step WHAT HOW_LONG COMMAND [ARGUMENT]...
step() {
  local what=$1 long=$2 begun=$SECONDS
  shift 2
  STEPS_DONE=$((STEPS_DONE + 1))
  printf '[%d/%d] %s (%s) ... ' "$STEPS_DONE" "$STEPS_ALL" "$what" "$long"
  printf '\n== %s\n' "$what" >>"$STEPS_OUTPUT"
  # in the background: what an `if` looks at goes on after its own first failure, `set -e` or not
  ( set -e; "$@" ) >>"$STEPS_OUTPUT" 2>&1 </dev/null &
  STEPS_RUNNING=$!
  if wait "$STEPS_RUNNING"; then
    printf 'done, %d s\n' $((SECONDS - begun))
  else
    printf 'FAILED after %d s\n' $((SECONDS - begun))
    tail -n 15 "$STEPS_OUTPUT" >&2
    give_up "$what: did not work; all of its output is in $STEPS_OUTPUT. Mend that and run this again: what is done stays done"
  fi
}

give_up() {
  printf '%s: %s\n' "${0##*/}" "$1" >&2
  exit 1
}

wrong_use() {
  printf '%s: %s (--help tells more)\n' "${0##*/}" "$1" >&2
  exit 2
}

# put_if_new FILE: what comes on stdin, unless the file is there: what somebody has set stays set.
put_if_new() {
  if [ -e "$1" ]; then cat >/dev/null; else cat >"$1"; fi
}

# copy_if_new FOLDER TO
copy_if_new() {
  [ -e "$2" ] || cp -R "$1" "$2"
}

# set_in FILE NAME VALUE: a line NAME=VALUE, in place of one that sets NAME.
set_in() {
  local rest
  rest=$(grep -v "^#\{0,1\}$2=" "$1" || true)
  printf '%s\n%s=%s\n' "$rest" "$2" "$3" >"$1"
}
