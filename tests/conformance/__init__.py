# SPDX-License-Identifier: Apache-2.0
"""MMCP's semantics held against a real daemon over ZeroMQ."""
