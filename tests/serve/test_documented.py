"""What docs/api.md, docs/grafana.md and docs/foxglove.md show is what a server does."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from pitwall.serve.newest import Still
from tests.serve.stand import FakeGarage, picture, standing
from tests.serve.test_missed import S, garage, still

DOCS = Path(__file__).parents[2] / "docs"
ADDRESS = "http://127.0.0.1:8080"


def blocks(document: str, language: str, section: str = "") -> list[str]:
    """The code of that language in a section, or anywhere."""
    text = (DOCS / document).read_text()
    if section:
        text = text.partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    found = re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)
    assert found
    return found


def test_a_client_of_the_live_stream_that_comes_back_has_what_it_missed_as_the_example_does_it(tmp_path: Path) -> None:
    (example,) = blocks("api.md", "python", "`/live`")
    assert ADDRESS in example
    with standing(Still(picture(6_000, t=60 * S, rpm=60.0)), FakeGarage()) as stand:
        code = tmp_path / "example.py"
        code.write_text(example.replace(ADDRESS, f"http://127.0.0.1:{stand.port}"))
        client = subprocess.Popen([sys.executable, str(code)], stdout=subprocess.PIPE, text=True)
        assert client.stdout is not None
        assert client.stdout.readline() == "state 1 samples of rpm\n"
    try:
        with standing(still(), garage(), port=stand.port):
            while (said := client.stdout.readline()).startswith(("closing 1 ", "away: ")):
                pass
            assert said == "state 2 samples of rpm\n"
            name, count, *_ = client.stdout.readline().split()
            assert name == "missed"
            assert int(count) > 150, "forty seconds, with every peak"
    finally:
        client.kill()
        client.wait(60)
        client.stdout.close()
