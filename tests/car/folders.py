"""Folders of cars for tests: text in, a folder with a car in it out."""

from __future__ import annotations

from pathlib import Path

A_DBC = """VERSION ""
NS_ :
BS_:
BU_:

BO_ 256 Engine: 8 X
 SG_ rpm : 0|16@1+ (1,0) [0|0] "rpm" X
 SG_ water_temp : 16|16@1+ (0.1,0) [0|0] "degF" X
 SG_ plain : 32|8@1+ (1,0) [0|0] "" X
 SG_ odd : 40|8@1+ (1,0) [0|0] "blorbs" X

BO_ 257 Chassis: 8 X
 SG_ speed_mph : 0|16@1+ (0.1,0) [0|0] "mph" X
 SG_ yaw : 16|16@1- (0.1,0) [0|0] "deg/s" X
"""


def car(cars: Path, yaml: str, *, name: str = "test", **files: str | bytes) -> Path:
    """Writes the car `name`: `yaml` as its definition, and files by their stems (`a="…"` is `a.dbc`)."""
    folder = cars / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "car.yaml").write_text(yaml, encoding="utf-8")
    for stem, content in {"a": A_DBC, **files}.items():
        data = content if isinstance(content, bytes) else content.encode()
        (folder / f"{stem}.dbc").write_bytes(data)
    return cars
