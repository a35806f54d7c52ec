"""The published schema of OCSF, from the package ocsf-json-schema, and the extract of it in schema.json."""

import json
import sys
from pathlib import Path

from ocsf_json_schema import get_ocsf_schema

VERSION = "1.8.0"
EXTRACT = Path(__file__).parent / "schema.json"
PROFILES = {"incident"}
CLASSES = [
    "account_change",
    "api_activity",
    "authentication",
    "detection_finding",
    "entity_management",
]
OBJECTS = [
    "actor",
    "analytic",
    "api",
    "auth_factor",
    "evidences",
    "finding_info",
    "http_request",
    "managed_entity",
    "metadata",
    "network_endpoint",
    "product",
    "service",
    "user",
]


def extract_attribute(attribute: dict) -> dict:
    extract = {
        "type": attribute.get("object_type") or attribute["type"],
        "requirement": attribute["requirement"],
    }
    if attribute.get("is_array"):
        extract["array"] = True
    if attribute.get("profiles"):
        extract["profiles"] = attribute["profiles"]
    if "enum" in attribute:
        extract["enum"] = {key: value["caption"] for key, value in attribute["enum"].items()}
    return extract


def extract_item(item: dict) -> dict:
    extract = {key: item[key] for key in ("uid", "category_uid", "caption") if key in item}
    if item.get("constraints"):
        extract["constraints"] = item["constraints"]
    extract["attributes"] = {
        name: extract_attribute(attribute)
        for name, attribute in sorted(item["attributes"].items())
        if "@deprecated" not in attribute
        and (not attribute.get("profiles") or PROFILES & set(attribute["profiles"]))
    }
    return extract


def extract_schema() -> dict:
    schema = get_ocsf_schema(version=VERSION)
    return {
        "source": "https://schema.ocsf.io/1.8.0, Apache-2.0: names, types, requirements and captions of enums",
        "version": schema["version"],
        "classes": {name: extract_item(schema["classes"][name]) for name in CLASSES},
        "objects": {name: extract_item(schema["objects"][name]) for name in OBJECTS},
    }


def render(schema: dict) -> str:
    """JSON with a line for each attribute, so that a difference is easy to read."""
    lines = ["{"]
    for kind in ("source", "version"):
        lines.append(f"{json.dumps(kind)}: {json.dumps(schema[kind])},")
    for kind in ("classes", "objects"):
        lines.append(f"{json.dumps(kind)}: {{")
        for name, item in schema[kind].items():
            head = {key: value for key, value in item.items() if key != "attributes"}
            attributes = ",\n".join(
                f"    {json.dumps(attribute)}: {json.dumps(value)}"
                for attribute, value in item["attributes"].items()
            )
            opening = json.dumps(head)[:-1] + (", " if head else "")
            lines.append(f'  {json.dumps(name)}: {opening}"attributes": {{\n{attributes}\n  }}}},')
        lines[-1] = lines[-1].removesuffix(",")
        lines.append("},")
    lines[-1] = "}"
    return "\n".join([*lines, "}", ""])


if __name__ == "__main__":
    if sys.argv[1:] == ["--write"]:
        EXTRACT.write_text(render(extract_schema()), encoding="utf-8")
    elif json.loads(EXTRACT.read_text(encoding="utf-8")) != extract_schema():
        sys.exit("test/streams/schema.json is not an extract of the published schema")
