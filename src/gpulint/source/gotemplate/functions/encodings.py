"""YAML, JSON, base64 and checksums."""

from __future__ import annotations

import base64
import hashlib
import json
import zlib

from gpulint.source.gotemplate.formats import as_go, from_yaml, to_json, to_yaml
from gpulint.source.gotemplate.functions.texts import string
from gpulint.source.gotemplate.unknown import TemplateProblem


def _from_yaml(text: object) -> object:
    """A mapping; what is none gives Helm's own mapping with an error in it."""
    try:
        found = from_yaml(string(text))
    except TemplateProblem as error:
        return {"Error": str(error)}
    if found is None:
        return {}
    return found if isinstance(found, dict) else {"Error": "not a mapping"}


def _from_yaml_array(text: object) -> object:
    try:
        found = from_yaml(string(text))
    except TemplateProblem as error:
        return [str(error)]
    if found is None:
        return []
    return found if isinstance(found, list) else ["not a list"]


def _json(text: object) -> object:
    try:
        return as_go(json.loads(string(text)))
    except (ValueError, RecursionError):
        return None


def _from_json(text: object) -> object:
    found = _json(text)
    return found if isinstance(found, dict) else {"Error": "not an object"}


def _from_json_array(text: object) -> object:
    found = _json(text)
    return found if isinstance(found, list) else ["not an array"]


def _decoded(text: object) -> str:
    try:
        return base64.b64decode(string(text), validate=True).decode("utf-8", "replace")
    except ValueError as error:
        return str(error)


def _digest(name: str, text: object) -> str:
    return hashlib.new(name, string(text).encode("utf-8", "surrogatepass")).hexdigest()


FUNCTIONS = {
    "toYaml": to_yaml,
    "mustToYaml": to_yaml,
    "toYamlPretty": to_yaml,
    "toJson": to_json,
    "mustToJson": to_json,
    "toRawJson": lambda value: to_json(value).replace("\\u003c", "<").replace("\\u003e", ">").replace("\\u0026", "&"),
    "toPrettyJson": lambda value: to_json(value, pretty=True),
    "fromYaml": _from_yaml,
    "fromYamlArray": _from_yaml_array,
    "fromJson": _from_json,
    "fromJsonArray": _from_json_array,
    "mustFromJson": _json,
    "b64enc": lambda text: base64.b64encode(string(text).encode("utf-8", "surrogatepass")).decode(),
    "b64dec": _decoded,
    "b32enc": lambda text: base64.b32encode(string(text).encode("utf-8", "surrogatepass")).decode(),
    "sha1sum": lambda text: _digest("sha1", text),
    "sha256sum": lambda text: _digest("sha256", text),
    "sha512sum": lambda text: _digest("sha512", text),
    "adler32sum": lambda text: str(zlib.adler32(string(text).encode("utf-8", "surrogatepass"))),
}
TAKES_UNKNOWN = frozenset({"toYaml", "mustToYaml", "toYamlPretty", "toJson", "mustToJson", "toRawJson", "toPrettyJson"})
