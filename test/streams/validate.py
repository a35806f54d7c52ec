"""Reads a file of events of OCSF, one a line, and checks each against the JSON Schema of its class."""

import json
import sys
from collections import Counter
from pathlib import Path

from jsonschema import Draft202012Validator
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

from published import VERSION

schemas = OcsfJsonSchemaEmbedded(get_ocsf_schema(version=VERSION))
validators: dict[tuple, Draft202012Validator] = {}


def validator_of(class_uid: int, profiles: tuple) -> Draft202012Validator:
    key = (class_uid, profiles)
    if key not in validators:
        name = schemas.lookup_class_name_from_uid(class_uid=class_uid)
        schema = schemas.get_class_schema(class_name=name, profiles=list(profiles))
        validators[key] = Draft202012Validator(schema)
    return validators[key]


def problems_of(event: dict) -> list[str]:
    metadata = event["metadata"]
    if metadata["version"] != VERSION:
        return [f"version {metadata['version']}"]
    validator = validator_of(event["class_uid"], tuple(metadata.get("profiles", [])))
    return [f"{error.json_path}: {error.message[:200]}" for error in validator.iter_errors(event)]


def main() -> None:
    counts: Counter = Counter()
    problems = []
    for line in Path(sys.argv[1]).read_text(encoding="utf-8").splitlines():
        event = json.loads(line)
        counts[event["class_uid"]] += 1
        code = event["metadata"]["event_code"]
        problems += [f"{code}: {problem}" for problem in problems_of(event)]
    print(json.dumps({"events": dict(sorted(counts.items())), "problems": problems}))


if __name__ == "__main__":
    main()
