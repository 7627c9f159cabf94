"""Records what Open Policy Agent says of every bundle in `bundles/` and every input of its kind.

    record.py [--check]     writes `expect.jsonl`, or fails where it is not what OPA says now

Needs OPA's Python bindings and the corpora; from the repository's root:

    ~/.cache/quell/venv-infrastructure-*/bin/python crates/core/tests/conftest/record.py

A row is a bundle and an input for which some rule has a value, or for which one fails; all other
pairs say nothing. The bindings make an error of what fails within a builtin, where OPA and conftest
make it undefined by default, so the rules here ask before they call. A bundle in Rego v0 has its translation in `v1/`: OPA's bindings read v1 alone.
"""

import json
import pathlib
import re
import sys

from opa_bindings import OpaEngine, OpaError, OpaUndefinedError

HERE = pathlib.Path(__file__).parent
CORPORA = HERE.parents[4] / "shared" / "corpora" / "iac"
RULE = re.compile(r"^((?:deny|violation|warn)(?:_[a-zA-Z0-9]+)*)\b", re.M)
TYPES = ("AWS::S3::Bucket", "AWS::EC2::SecurityGroup", "AWS::IAM::", "AWS::RDS::DBInstance")
TEMPLATES_STEP = 3


def rows(name):
    return [json.loads(line) for line in (CORPORA / name).read_text().splitlines()]


def inputs(bundle):
    """The inputs of a bundle: (name, document). The test makes the same ones."""
    if "cfn" in bundle:
        templates = [it["template"] for it in rows("cfn_guard_registry.jsonl")]
        templates = [it for it in templates if is_of_interest(it)][::TEMPLATES_STEP]
        return [(f"{at}.json", it) for at, it in enumerate(templates)]
    plans = rows("terraform_plans.jsonl")
    is_aws = [any(it.startswith("aws") for it in row["providers"]) for row in plans]
    return [(row["path"], row["plan"]) for row, aws in zip(plans, is_aws) if aws]


def is_of_interest(template):
    resources = template.get("Resources")
    if not isinstance(resources, dict):
        return False
    types = [it.get("Type") for it in resources.values() if isinstance(it, dict)]
    return any(isinstance(it, str) and it.startswith(TYPES) for it in types)


def modules(folder):
    translated = folder / "v1"
    return sorted((translated if translated.is_dir() else folder).rglob("*.rego"))


def documents(folder):
    import yaml

    for file in sorted(folder.rglob("data.*")):
        value = yaml.safe_load(file.read_text())
        for name in reversed(file.parent.relative_to(folder).parts):
            value = {name: value}
        yield value


def engine(folder, name):
    opa = OpaEngine()
    for file in modules(folder):
        opa.add_policy(str(file.relative_to(folder)), file.read_text())
    for value in documents(folder):
        opa.add_data(value)
    path = pathlib.PurePosixPath(name)
    opa.add_data({"conftest": {"file": {"name": path.name, "dir": str(path.parent)}}})
    return opa


def judge(folder, name, document):
    said = {}
    with engine(folder, name) as opa:
        for file in modules(folder):
            text = file.read_text()
            package = re.search(r"^package (\S+)", text, re.M).group(1)
            for rule in sorted(set(RULE.findall(text))):
                key = f"{package}.{rule}"
                short = rule.partition("_")[2]
                query = f'data.{package}.exception[_][_] == "{short}"'
                if opa.eval_query(query, input=document):
                    said[key] = "excepted"
                    continue
                try:
                    value = opa.eval_document(key, input=document)
                except OpaUndefinedError:
                    continue
                except OpaError as error:
                    said[key] = {"error": error.code}
                    continue
                if value:
                    said[key] = value
    return said


def main():
    lines, pairs = [], 0
    for folder in sorted(it for it in (HERE / "bundles").iterdir()):
        for at, (name, document) in enumerate(inputs(folder.name)):
            pairs += 1
            said = judge(folder, name, document)
            if said:
                row = {"bundle": folder.name, "input": at, "said": said}
                lines.append(json.dumps(row, sort_keys=True, ensure_ascii=False) + "\n")
    text, file = "".join(lines), HERE / "expect.jsonl"
    print(f"{pairs} pairs, {len(lines)} of which say something, {len(text)} bytes")
    if "--check" in sys.argv:
        return file.read_text() != text
    file.write_text(text)


if __name__ == "__main__":
    sys.exit(main())
