"Write the counts of examples where somebody asks for them."
import json
import os
from pathlib import Path

from holding import COUNTS


def pytest_sessionfinish(exitstatus):
    if path := os.environ.get("FASTCOURSE_COUNTS"):
        Path(path).write_text(json.dumps({"exit": int(exitstatus), "counts": dict(COUNTS)}), encoding="utf8")
