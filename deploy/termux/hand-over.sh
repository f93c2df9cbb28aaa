#!/usr/bin/env bash
# Started by termux-usb with the device's descriptor as TERMUX_USB_FD: gives it to the recorder, and ends.
set -eu
set -a
# shellcheck source=/dev/null
. "$HOME/.pitwall/env"
set +a
# termux-usb keeps stdout to itself until the end, so what there is to say goes to a file
exec "$HOME/.pitwall/venv/bin/python" -m pitwall hand-over >>"$HOME/.pitwall/hand-over.log" 2>&1
