"""docs/sources.md knows every scheme of pitwall's own, each option, firmware and cause."""

from __future__ import annotations

from pathlib import Path

import pytest

from pitwall.bus import sensorserver, slcan_firmware, slcan_source, usb
from pitwall.bus.address import POLLS, SCHEMES
from pitwall.bus.source import Cause

PAGE = (Path(__file__).parents[2] / "docs" / "sources.md").read_text()


@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_scheme_has_its_section(scheme: str) -> None:
    assert f"\n## `{scheme}`" in PAGE
    assert f"\n| `{scheme}` |" in PAGE


@pytest.mark.parametrize("cause", Cause)
def test_every_cause_is_told(cause: Cause) -> None:
    assert f"\n| `{cause}` |" in PAGE


def test_every_option_firmware_and_rate_of_slcan_is_told() -> None:
    section = PAGE[PAGE.index("\n## `slcan`") :]
    for name in (*slcan_source.OPTIONS, *slcan_firmware.FIRMWARES):
        assert f"\n| `{name}` |" in section
    for firmware in slcan_firmware.FIRMWARES.values():
        assert all(str(rate) in section for rate in firmware.bitrates)


def test_every_sensor_of_a_phone_and_every_option_that_polls_is_told() -> None:
    phone = PAGE[PAGE.index("\n## `sensorserver`") :]
    assert all(f"`{kind}`" in phone for kind in sensorserver.KINDS)
    polling = PAGE[PAGE.index("\n## Polling") :]
    assert all(f"\n| `{option}` |" in polling for option in POLLS)


def test_every_option_of_a_usb_device_and_all_ids_are_told() -> None:
    section = PAGE[PAGE.index("\n## `usb`") :]
    assert all(f"`{option}`" in section for option in usb.OPTIONS)
    assert all(f"{vendor:04x}:{product:04x}" in section for vendor, product in (*usb.GS_USB, *usb.SLCAN))
