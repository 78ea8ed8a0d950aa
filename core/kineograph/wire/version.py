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
MAX_CONTAINERS = 4 * 2**20
"""Lists and maps of a body: one byte each on the wire, and 64 or more where they are read."""
MAX_REFERENCES = 16 * 2**10
"""Array references of a body; several may refer to one frame."""
MAX_EMPTY = 2**20
"""Lists that an array without numbers may stand for: a shape like ``[2**40, 0]`` takes no bytes at all."""
EXT_ARRAY = 1
"""msgpack extension type of an array reference: msgpack ``[dtype, shape, frame]``."""

DTYPES = ("<f4", "<f8", "|i1", "<i2", "<i4", "<i8", "|u1", "<u2", "<u4", "<u8", "|b1")
