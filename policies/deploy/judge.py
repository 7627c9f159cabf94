"""Runs the rules of this folder with Open Policy Agent over plans and templates, and their tests.

    judge.py FILE...    what the rules say of each: a plan (`terraform show -json`, *.json), or a
                        CloudFormation template (*.yaml)
    judge.py --test     the tests beside the rules (`test_...` in *_test.rego)

Exit codes: 0 nothing is denied, 1 something is. The rules are plain Rego v1: `opa eval` and
`opa test` run them as well.
"""

import json
import pathlib
import re
import sys

from opa_bindings import OpaEngine

HERE = pathlib.Path(__file__).parent


def engine():
    made = OpaEngine()
    for file in sorted(HERE.glob("*.rego")):
        made.add_policy(file.name, file.read_text())
    return made


def document(path):
    """A plan, or a template with long intrinsic functions."""
    if path.endswith(".json"):
        return json.loads(pathlib.Path(path).read_text())
    from cfnlint.decode import decode

    template, problems = decode(path)
    if problems:
        sys.exit(f"{path}: {problems[0]}")
    return json.loads(json.dumps(template))


def judge(paths):
    opa, denials = engine(), 0
    for path in paths:
        read = document(path)
        denied = opa.eval_document("quell.deploy.deny", input=read)
        unjudged = opa.eval_document("quell.deploy.unjudged", input=read)
        for it in denied:
            print(f"{path}: {it['id']}: {it['rule']}: {it['why']}")
        for it in unjudged:
            print(f"{path}: {it}: not judged: only the apply will know it")
        print(f"{path}: {len(denied)} denied, {len(unjudged)} not judged")
        denials += len(denied)
    return denials


def test():
    opa, ran, failed = engine(), 0, 0
    for file in sorted(HERE.glob("*_test.rego")):
        text = file.read_text()
        package = re.search(r"^package (\S+)", text, re.M).group(1)
        # A test that does not hold is undefined, so the names are read from the text.
        for name in re.findall(r"^(test_\w+) if", text, re.M):
            ran += 1
            if not opa.eval_query(f"data.{package}.{name} == true"):
                failed += 1
                print(f"{file.name}: {name} failed")
    print(f"{ran - failed} passed, {failed} failed")
    return failed or not ran


if __name__ == "__main__":
    arguments = sys.argv[1:]
    if not arguments:
        sys.exit(__doc__)
    sys.exit(1 if (test() if arguments == ["--test"] else judge(arguments)) else 0)
