# SPDX-License-Identifier: Apache-2.0
"""Rigs: which joint plays which role, naming conventions, and suggestions for an unknown joint."""

from kineograph.rigs.mapping import Match, RigMap, recognise, roles_of
from kineograph.rigs.roles import REQUIRED, Group, Role, Side
from kineograph.rigs.suggest import Suggestion, suggest

__all__ = ["REQUIRED", "Group", "Match", "RigMap", "Role", "Side", "Suggestion", "recognise", "roles_of", "suggest"]
