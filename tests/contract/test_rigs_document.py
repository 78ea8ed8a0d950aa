# SPDX-License-Identifier: Apache-2.0
"""What docs/rigs.md says is so."""

from __future__ import annotations

import re
from pathlib import Path

from kineograph.rigs import profiles

DOCUMENT = (Path(__file__).resolve().parents[2] / "docs" / "rigs.md").read_text(encoding="utf-8")


def test_the_profile_in_the_document_is_sound() -> None:
    (text,) = re.findall(r"```toml\n(.*?)```", DOCUMENT, re.DOTALL)
    profile = profiles.loads(text)
    assert profile.name == "Hero"
    assert not [f for f in profiles.check(profile) if f.is_error]
    assert profiles.loads(profiles.dumps(profile)) == profile


def test_the_built_in_profiles_are_all_listed_and_say_whether_they_were_tested() -> None:
    rows = dict(re.findall(r"^\| ([^|]+?) \| ((?:no:|against)[^|]+?) \|$", DOCUMENT, re.MULTILINE))
    assert set(rows) == {p.name for p in profiles.built_in()}
    for profile in profiles.built_in():
        assert rows[profile.name].startswith("no:") == (profile.tested == "")
