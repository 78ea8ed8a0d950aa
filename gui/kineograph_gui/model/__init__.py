# SPDX-License-Identifier: Apache-2.0
"""What the panel knows and does, without a widget: it runs and is tested without a display."""
