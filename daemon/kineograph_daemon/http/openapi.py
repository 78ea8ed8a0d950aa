# SPDX-License-Identifier: Apache-2.0
"""The OpenAPI description of the door, with MMCP's own schema of a request, and a page of it that loads nothing."""

from __future__ import annotations

import asyncio
import functools
import html
from typing import Any

from kineograph import __version__
from kineograph.wire.http_status import HTTP_STATUS
from kineograph.wire.version import MMCP_VERSION

_REF = "#/components/schemas/"
_ENVELOPE = {
    "type": "object",
    "required": ["error", "request_id"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message", "details"],
            "properties": {
                "code": {"type": "string", "enum": sorted(str(code) for code in HTTP_STATUS)},
                "message": {"type": "string"},
                "details": {"type": "object"},
            },
        },
        "request_id": {"type": "string"},
        "retry_after_s": {"type": "number"},
    },
}
_ACCEPTED = {
    "type": "object",
    "required": ["job_id", "status"],
    "properties": {
        "job_id": {"type": "string"},
        "status": {"type": "string", "enum": ["queued", "running", "cancelling"]},
        "position": {"type": ["integer", "null"]},
        "eta_s": {"type": ["number", "null"]},
        "progress": {"type": "number", "minimum": 0, "maximum": 1},
        "stage": {"type": "string"},
    },
}


async def document() -> dict[str, Any]:
    """The description; made once."""
    return await asyncio.to_thread(_document)


@functools.cache
def _document() -> dict[str, Any]:
    from motionmcp.schemas import GenerateRequest

    request = GenerateRequest.model_json_schema(ref_template=_REF + "{model}")
    schemas = {**request.pop("$defs", {}), "GenerateRequest": request, "Error": _ENVELOPE, "Accepted": _ACCEPTED}
    batch = {
        "type": "object",
        "required": ["protocol_version", "requests"],
        "properties": {
            "protocol_version": {"type": "string"},
            "requests": {"type": "array", "minItems": 1, "items": {"$ref": _REF + "GenerateRequest"}},
        },
    }
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Kineograph",
            "version": __version__,
            "description": f"MMCP {MMCP_VERSION} over HTTP: motion for your own skeleton.",
        },
        "paths": _paths(),
        "components": {
            "schemas": {**schemas, "BatchRequest": batch},
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{}, {"bearer": []}],
    }


def _paths() -> dict[str, Any]:
    job = [{"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}]
    return {
        "/capabilities": {"get": _operation("What each model takes", {"200": _json("MMCP's capabilities")})},
        "/generate": {
            "post": {
                **_operation("Generate a motion, or a batch of them", {**_motion(), "202": _accepted()}),
                "parameters": [
                    _header("Idempotency-Key", "The same key and body again is the same job"),
                    _header("Prefer", "respond-async answers with 202; wait=SECONDS holds the answer that long"),
                    _header("X-Request-ID", "Comes back in the answer and in errors"),
                ],
                "requestBody": {
                    "required": True,
                    "content": {
                        "application/json": {
                            "schema": {"anyOf": [{"$ref": _REF + "GenerateRequest"}, {"$ref": _REF + "BatchRequest"}]}
                        }
                    },
                },
            }
        },
        "/generate/jobs/{id}": {
            "parameters": job,
            "get": _operation("The job's result, or how far it is", {**_motion(), "202": _accepted()}),
            "delete": _operation(
                "Cancel the job", {"200": _json("Cancelled"), "202": _json("Stopping at its next step")}
            ),
        },
        "/healthz": {"get": _operation("Whether the daemon answers", {"200": _json("It does")})},
        "/metrics": {"get": _operation("Counters for Prometheus", {"200": {"description": "Text"}})},
    }


def _operation(summary: str, answers: dict[str, Any]) -> dict[str, Any]:
    failed = {"description": "An error", "content": {"application/json": {"schema": {"$ref": _REF + "Error"}}}}
    return {"summary": summary, "responses": {**answers, "default": failed}}


def _json(text: str) -> dict[str, Any]:
    return {"description": text, "content": {"application/json": {"schema": {"type": "object"}}}}


def _motion() -> dict[str, Any]:
    content = {
        "model/gltf+json": {"schema": {"type": "object"}},
        "model/gltf-binary": {"schema": {"type": "string", "format": "binary"}},
        "application/json": {"schema": {"type": "object"}},
    }
    return {"200": {"description": "glTF 2.0; a batch's results as JSON", "content": content}}


def _accepted() -> dict[str, Any]:
    headers = {"Location": {"schema": {"type": "string"}}, "Retry-After": {"schema": {"type": "integer"}}}
    content = {"application/json": {"schema": {"$ref": _REF + "Accepted"}}}
    return {"description": "Ask again at Location", "headers": headers, "content": content}


def _header(name: str, text: str) -> dict[str, Any]:
    return {"name": name, "in": "header", "required": False, "description": text, "schema": {"type": "string"}}


def page(described: dict[str, Any]) -> bytes:
    """The description as a page for people."""
    rows = []
    for path, operations in described["paths"].items():
        for method, told in operations.items():
            if method == "parameters":
                continue
            answers = "; ".join(f"{status}: {answer['description']}" for status, answer in told["responses"].items())
            takes = "".join(
                f"<li><code>{html.escape(p['name'])}</code> {html.escape(p.get('description', ''))}</li>"
                for p in told.get("parameters", ())
            )
            rows.append(
                f"<section><h2><code>{method.upper()} {html.escape(path)}</code></h2>"
                f"<p>{html.escape(told['summary'])}</p><ul>{takes}</ul><p>{html.escape(answers)}</p></section>"
            )
    info = described["info"]
    style = "body{font:16px/1.5 sans-serif;max-width:50em;margin:2em auto;padding:0 1em}code{font-size:95%}"
    text = (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{info['title']}</title><style>{style}</style>"
        f"<h1>{info['title']} {info['version']}</h1><p>{html.escape(info['description'])} The whole description: "
        f'<a href="/openapi.json">openapi.json</a>.</p>{"".join(rows)}</html>'
    )
    return text.encode()
