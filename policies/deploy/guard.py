"""Runs template.guard with AWS' cfn-guard over CloudFormation templates: guard.py TEMPLATE...

Exit codes: 0 no rule is broken and some rule applied, 1 otherwise.
"""

import json
import pathlib
import sys

from cfn_guard_rs import run_checks
from cfnlint.decode import decode

RULES = (pathlib.Path(__file__).parent / "template.guard").read_text()

broken, applied = 0, 0
for path in sys.argv[1:]:
    template, problems = decode(path)
    if problems:
        sys.exit(f"{path}: {problems[0]}")
    report = run_checks(json.loads(json.dumps(template)), RULES)
    for it in report.not_compliant:
        print(f"{path}: {it}")
    print(f"{path}: {len(report.compliant)} hold, {len(report.not_compliant)} broken")
    broken += len(report.not_compliant)
    applied += len(report.compliant)
sys.exit(1 if broken or not applied else 0)
