# SPDX-License-Identifier: Apache-2.0
"""Versions and limits of the wire. ``docs/protocol.md`` states the same numbers; a test compares them."""

WIRE_VERSION = 1
"""Raised when an old peer could misread a message; adding an optional field does not raise it."""

SUPPORTED_WIRE_VERSIONS = (1,)
MMCP_VERSION = "1.4"

MAX_HEADER_BYTES = 4 * 2**10
MAX_BODY_BYTES = 64 * 2**20
MAX_ARRAYS = 1024
MAX_ARRAY_BYTES = 1 * 2**30
MAX_MESSAGE_BYTES = 2 * 2**30
MAX_DEPTH = 1024
MAX_DIMENSIONS = 8
EXT_ARRAY = 1
"""msgpack extension type of an array reference: msgpack ``[dtype, shape, frame]``."""

DTYPES = ("<f4", "<f8", "|i1", "<i2", "<i4", "<i8", "|u1", "<u2", "<u4", "<u8", "|b1")
