"""What the coach says reaches the driver: on the stream, by a speaking program, and on the page."""

from __future__ import annotations

import shlex
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from pitwall.coach.cues import Cue
from pitwall.coach.finding import Level, Priority
from pitwall.errors import UsageError
from pitwall.serve.broadcast import Broadcast
from pitwall.serve.newest import Still
from pitwall.serve.speaker import Speaker, program
from tests.serve.stand import picture
from tests.serve.test_broadcast import parsed

WORDS = {Level.NOVICE: "Turn 3. Brake later.", Level.INTERMEDIATE: "T3: 10 m later.", Level.ADVANCED: "T3, +10 m."}


def cue(t: int = 5 * 10**9, what: str = "brake-early", priority: Priority = Priority.TIME) -> Cue:
    return Cue(t, 4, 700.0, priority, what, "T3", 180.0, 0.3, WORDS)


def until(true, within_s: float = 20.0):
    end = time.monotonic() + within_s
    while not (found := true()):
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)
    return found


def test_a_cue_is_told_once_to_who_was_there_and_soon_to_who_comes_now() -> None:
    live = Still(picture(1, rpm=900.0))
    broadcast = Broadcast(live)
    seen = broadcast.tick
    live.shown = replace(picture(2, rpm=900.0), cue=cue())
    broadcast.look()
    _, _, body = parsed(broadcast.since(seen))
    assert body["cue"]["words"] == {level.value: words for level, words in WORDS.items()}
    assert (body["cue"]["what"], body["cue"]["corner"], body["cue"]["priority"]) == ("brake-early", "T3", "time")
    seen = broadcast.tick
    live.shown = replace(picture(3, rpm=901.0), t=picture(3, t=2 * 10**9, rpm=1.0).t, cue=live.shown.cue)
    broadcast.look()
    assert "cue" not in parsed(broadcast.since(seen))[2]
    assert "cue" in parsed(broadcast.since(0))[2]  # still news: a page that was just opened says it
    live.shown = picture(4, rpm=902.0)
    broadcast.look()
    assert "cue" not in parsed(broadcast.since(0))[2]


WRITES = "import sys\nfor line in sys.stdin: open(sys.argv[1], 'a').write(line)"
HANGS = "import time; time.sleep(1000)"
DIES = "import sys; sys.stdin.readline()"


def spoken(live: Still, command: list[str]) -> Speaker:
    speaker = Speaker(live.picture, Level.NOVICE, command)
    speaker.start()
    return speaker


def test_each_cue_is_a_line_to_the_speaking_program(tmp_path: Path) -> None:
    live = Still(picture(1))
    said = tmp_path / "said"
    speaker = spoken(live, [sys.executable, "-u", "-c", WRITES, str(said)])
    for n in range(3):
        live.shown = replace(picture(n), cue=cue(n))
        until(lambda n=n: said.exists() and len(said.read_text().splitlines()) == n + 1)
        time.sleep(0.05)  # the same one is looked at again meanwhile
    speaker.stop()
    assert said.read_text().splitlines() == [WORDS[Level.NOVICE]] * 3


@pytest.mark.parametrize("code", [HANGS, DIES])
def test_a_program_that_hangs_or_dies_keeps_nobody_from_ending(code: str) -> None:
    live = Still(replace(picture(1), cue=cue(1)))
    speaker = spoken(live, [sys.executable, "-c", code])
    until(lambda: speaker._process is not None)
    process = speaker._process
    for n in range(2, 6):
        live.shown = replace(picture(n), cue=cue(n))
        time.sleep(0.05)
    speaker.stop()
    assert process is not None
    assert process.poll() is not None


def test_what_can_not_speak_is_told_with_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match=r"nothing here can speak.*termux-tts-speak"):
        program("auto")
    with pytest.raises(UsageError, match="no program 'shout'"):
        program("shout")
    assert list(program(f"{sys.executable} -c {shlex.quote('a b')}")) == [sys.executable, "-c", "a b"]
