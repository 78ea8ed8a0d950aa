# SPDX-License-Identifier: Apache-2.0
"""The rig doctor: what is wrong with a rig, and what to do about each thing."""

from kineograph.rigs.doctor.body import examine_body
from kineograph.rigs.doctor.finding import Finding, Level, worst
from kineograph.rigs.doctor.outline import Outline, outline
from kineograph.rigs.doctor.stance import Stance, stance
from kineograph.rigs.doctor.structure import examine_structure

__all__ = ["Finding", "Level", "Outline", "Stance", "examine_body", "examine_structure", "outline", "stance", "worst"]
