"""Where the tests find what they test. Refuses the AWS SDK of this machine, which handlers would import."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "../../sdk/python"), str(ROOT / "handlers")]

from hydrant_lambda import aws  # noqa: E402

aws.install()
