#!/bin/sh
termux-wake-lock
# By Termux:Boot, once the phone has started: the services of pitwall.  The lock first, else the phone sleeps meanwhile.
# shellcheck source=/dev/null
. "$PREFIX/etc/profile.d/start-services.sh"
