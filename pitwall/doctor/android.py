"""What Android does to a program that works in the background: freezes it, kills its children, lets the CPU sleep.

Facts: Android 12 and newer kill child processes of apps beyond 32 in all, and those of background apps that use much
CPU ("phantom processes"); cached apps are frozen, Termux:API's among them, whose commands then hang.
"""

from __future__ import annotations

from typing import Final

from pitwall.doctor.check import Finding, failed, ok, skipped, warning
from pitwall.doctor.machine import Machine

ELSEWHERE: Final = "only Android has one"
MONITOR: Final = "settings_enable_monitor_phantom_procs"
"""The switch, which the developer options and adb set; an app may or may not be let to read it."""


def killer(machine: Machine) -> Finding:
    """Whether Android kills child processes."""
    if not machine.is_android:
        return skipped(ELSEWHERE)
    release = machine.run("getprop", "ro.build.version.sdk")
    if release is not None and release.isdecimal() and int(release) < 31:
        return ok("this Android is older than the process killer")
    set_by_settings = machine.run("/system/bin/settings", "get", "global", MONITOR)
    said = machine.run("getprop", f"persist.sys.fflag.override.{MONITOR}")
    if "false" in (set_by_settings, said):
        return ok("the process killer is off")
    advice = "Developer options: Disable child process restrictions (Android 14+), or by adb, as INSTALL.md says"
    if "true" in (set_by_settings, said):
        return warning("Android may kill the recorder's processes (signal 9)", advice)
    return warning("can't tell whether Android kills child processes", advice)


def freezer(machine: Machine) -> Finding:
    """Whether the app of Termux:API answers, or Android has frozen it."""
    if not machine.is_android:
        return skipped(ELSEWHERE)
    if not machine.which("termux-battery-status"):
        return failed("no Termux:API here", "pkg install termux-api, and the Termux:API app from the same source")
    if not machine.run("termux-battery-status"):
        return failed(
            "Termux:API does not answer: its app is frozen, or not installed",
            "open the Termux:API app once; battery: Unrestricted for it and for Termux",
        )
    return ok("Termux:API answers", "a gap in a log says `frozen` where Android froze the recorder all the same")


def wake_lock(machine: Machine) -> Finding:
    """Whether the CPU can be kept awake."""
    if not machine.is_android:
        return skipped("only a phone needs one; a laptop: close no lid")
    if not machine.which("termux-wake-lock"):
        return failed("no termux-wake-lock here: the recorder sleeps with the screen", "pkg install termux-tools")
    return ok("`run` and `record` take one while they work")
