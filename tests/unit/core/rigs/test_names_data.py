# SPDX-License-Identifier: Apache-2.0
"""Roles and suggestions measured over the names of real rigs."""

from __future__ import annotations

import random

import pytest

from kineograph.rigs import Side, roles_of, suggest
from kineograph.rigs.book import Book, load
from kineograph.rigs.names import read, split

pytestmark = pytest.mark.shared

HIGH = 0.9
Names = dict[str, list[str]]
Roles = dict[str, dict[str, str]]


def test_every_known_convention_is_read_whole(joint_names: Names, joint_roles: Roles) -> None:
    right, total, swapped, wrong = measure(joint_names, joint_roles, lambda _convention: load())
    assert swapped == 0
    assert right == total, wrong


def test_a_convention_that_the_book_never_saw(joint_names: Names, joint_roles: Roles) -> None:
    """Leave one convention out: its table is gone, general words and rules stay."""
    right, total, swapped, wrong = measure(joint_names, joint_roles, lambda c: load().without(c))
    print(f"leave one convention out: {right} of {total} = {100 * right / total:.1f} %, {swapped} on the wrong side")
    assert swapped == 0
    assert right / total >= 0.93, wrong


def test_a_convention_whose_own_words_are_gone_too(joint_names: Names, joint_roles: Roles) -> None:
    """The harder measure: every word that only this convention uses is forgotten as well.

    The one convention in Japanese then has no words left at all; it is counted apart.
    """
    latin = {c: roles for c, roles in joint_roles.items() if c != "mmd_japanese"}
    right, total, swapped, wrong = measure(joint_names, latin, lambda c: load().without(c, own_words(c, joint_names)))
    print(f"without its own words: {right} of {total} = {100 * right / total:.1f} %, {swapped} on the wrong side")
    assert swapped == 0
    assert right / total >= 0.93, wrong


def measure(joint_names: Names, joint_roles: Roles, book_for: object) -> tuple[int, int, int, list[str]]:
    right = total = swapped = 0
    wrong = []
    for convention, roles in joint_roles.items():
        rig = roles_of(joint_names[convention], book=book_for(convention))  # type: ignore[operator]
        found = {role.value: match.name for role, match in rig.matches.items()}
        for role, name in roles.items():
            total += 1
            right += found.get(role) == name
            if found.get(role) not in (name, None):
                swapped += side_of(found[role]) is side_of(name).other
            if found.get(role) != name:
                wrong.append(f"{convention}: {role} is {name}, not {found.get(role)}")
    return right, total, swapped, wrong[:20]


def test_nothing_wrong_is_said_with_high_confidence(joint_names: Names, joint_roles: Roles) -> None:
    """A convention never seen, also without its own words: what is wrong is either left out or not sure."""
    sure_and_wrong = []
    for convention, roles in joint_roles.items():
        for words in ((), own_words(convention, joint_names)):
            rig = roles_of(joint_names[convention], book=load().without(convention, words))
            wanted = {name: role for role, name in roles.items()}
            for role, match in rig.matches.items():
                is_wrong = (role.value in roles and roles[role.value] != match.name) or (
                    wanted.get(match.name, role.value) != role.value
                )
                if is_wrong and match.confidence >= HIGH:
                    sure_and_wrong.append((convention, bool(words), role.value, match.name, match.confidence))
    assert not sure_and_wrong, sure_and_wrong


def side_of(name: str) -> Side:
    return read(name, load()).side


def words_of(names: list[str], book: Book) -> set[str]:
    return {word for name in names for word in (*read(name, book).words, *split(name, book))}


def own_words(convention: str, joint_names: Names) -> set[str]:
    others = [name for c, names in joint_names.items() if c != convention for name in names]
    return words_of(joint_names[convention], load()) - words_of(others, load())


def test_typos_lead_back_to_the_joint(joint_names: Names) -> None:
    """One or two letters of a Latin name inserted, deleted, replaced or swapped; digits and a lone side letter stay.

    What a typo turns into another joint's name, or what spells the other side, is no typo of this joint any more.
    """
    rng = random.Random(7)
    right = total = other_side = 0
    wrong = []
    for convention, names in joint_names.items():
        if convention == "mmd_japanese":  # of two or three signs, one or two wrong ones leave no name
            continue
        for name in rng.sample(names, min(len(names), 24)):
            typed = mistype(name, rng.choice((1, 2)), rng)
            if typed in names:
                continue
            found = [s.name for s in suggest(typed, names)]
            total += 1
            right += found[:1] == [name]
            side = side_of(name)
            other_side += side is not Side.MIDDLE and any(side_of(f) is side.other for f in found)
            if found[:1] != [name]:
                wrong.append((name, typed, found))
    print(f"typos: {right} of {total} = {100 * right / total:.1f} %, {other_side} on the wrong side")
    assert other_side == 0, wrong
    assert right / total >= 0.95, wrong


def mistype(name: str, edits: int, rng: random.Random) -> str:
    book = load()
    text = name
    for _ in range(edits):
        for _try in range(20):
            changed = one_edit(text, rng)
            if read(changed, book).side is read(name, book).side and letters_of_side(changed) == letters_of_side(name):
                text = changed
                break
    return text


def letters_of_side(name: str) -> int:
    """How many words of the name are a side."""
    book = load()
    return sum(word in book.side_of for word in read(name, book).words)


def one_edit(text: str, rng: random.Random) -> str:
    spots = [i for i, ch in enumerate(text) if ch.isalpha()]
    if not spots:
        return text
    i, letter = rng.choice(spots), rng.choice("abcdefghijklmnopqrstuvwxyz")
    match rng.randrange(4):
        case 0:
            return text[:i] + letter + text[i + 1 :]
        case 1:
            return text[:i] + text[i + 1 :]
        case 2:
            return text[:i] + letter + text[i:]
        case _:
            return text[:i] + text[i : i + 2][::-1] + text[i + 2 :]


def test_names_of_other_conventions_map(joint_names: Names, joint_roles: Roles) -> None:
    """A pin made on one rig, sent for another: the joint in the same role is offered, never one of the other side."""
    body = ("left_hand", "right_foot", "left_forearm", "right_thigh", "left_calf", "hips", "head")
    right = total = other_side = 0
    wrong = []
    rigs = ("mixamo", "rigify_metarig_human", "unreal_ue4", "soma77", "smplx", "mmd_english", "vrm1")
    for source in rigs:
        for target in rigs:
            for role in body:
                asked, wanted = joint_roles[source][role], joint_roles[target][role]
                if source == target or asked in joint_names[target]:
                    continue
                found = [s.name for s in suggest(asked, joint_names[target])]
                total += 1
                right += found[:1] == [wanted]
                side = side_of(asked)
                other_side += side is not Side.MIDDLE and any(side_of(f) is side.other for f in found)
                if found[:1] != [wanted]:
                    wrong.append((source, target, asked, wanted, found))
    print(f"names of other conventions: {right} of {total} = {100 * right / total:.1f} %")
    assert other_side == 0, wrong
    assert right / total >= 0.9, wrong
