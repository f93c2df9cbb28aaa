"""Damage of every kind is found, named and contained: a sample of what `make torture ARGS=damage` does at length."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from pitwall.log import keys, tag
from tests.torture import damage_cases as cases
from tests.torture.damage import ROOT, Job, spoil, torture
from tests.torture.damage_subjects import Subject, encrypting, several, tiny


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> list[Subject]:
    return tiny(tmp_path_factory.mktemp("tiny"))


def test_a_sample_of_all_damage():
    figures = list(torture(0.008, seed=1))
    assert "0 wrong" in figures[-1]


def test_a_length_that_damage_made_up_takes_no_memory(small, tmp_path):
    opened = small[0]
    whole = opened.files[opened.target]
    digits = whole.rindex(tag.MAGIC) + len("PW1:cccccccc:pppppppp:")  # of the last message's length
    numbers = [8 * position + bit for position in range(digits, digits + 8) for bit in range(8)]
    assert spoil(Job(opened, "flip", numbers), tmp_path).wrong == []


def test_a_file_with_no_bytes_or_next_to_none_is_found(small, tmp_path):
    for i, subject in enumerate(small):
        assert spoil(Job(subject, "cut", range(12)), tmp_path / str(i)).wrong == []


def test_a_segment_whose_headers_are_lost_costs_its_session_no_other_segment(tmp_path):
    encrypted = several(tmp_path)[2]
    numbers = [i for i, case in enumerate(cases.file_cases(encrypted)) if "has 0 bytes" in case.what]
    result = spoil(Job(encrypted, "file", numbers), tmp_path / "spoilt")
    assert (result.wrong, result.cases) == ([], len(encrypted.files))


@pytest.mark.parametrize(
    ("fault", "words"), [("believes", "not what was written"), ("dies", "SIGSEGV"), ("hoards", "more memory")]
)
def test_a_reader_that_gets_it_wrong_is_caught_and_the_next_cases_are_run(small, tmp_path, fault, words):
    sealed = small[1]
    batch = next(one for one in sealed.of(sealed.target) if one.stop > one.first)
    numbers = range(8 * (batch.end - 200), 8 * batch.end, 400)
    result = spoil(Job(sealed, "flip", numbers, fault=fault), tmp_path)
    assert len(result.wrong) >= len(numbers)
    assert any(words in one for one in result.wrong), result.wrong


def test_verify_can_not_tell_of_a_log_whose_key_is_missing(small, tmp_path):
    encrypted = small[2]
    path = tmp_path / "logs" / encrypted.session
    path.mkdir(parents=True)
    for name, data in encrypted.files.items():
        (path / name).write_bytes(data)
    command = [sys.executable, "-m", "pitwall", "verify", "--json", "--logs", str(path.parent)]
    without = {name: value for name, value in os.environ.items() if name != keys.VARIABLE}
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=without, timeout=60)
    assert (done.returncode, done.stdout) == (1, "")
    assert "there is no key" in done.stderr
    assert "Traceback" not in done.stderr
    with encrypting(tmp_path, on=True):
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=60)
    assert (done.returncode, json.loads(done.stdout)[0]["damages"]) == (0, [])
