# SPDX-License-Identifier: Apache-2.0
"""Widgets: they show the model and turn clicks into its verbs."""
