"""Tests of the function by itself, without WebAssembly."""

import unittest

from hydrant_plugin.testing import Dropped, run
from plugin import one_line


class OneLine(unittest.TestCase):
    def test_records_become_lines_and_heartbeats_go(self) -> None:
        order, heartbeat = run(one_line, ["  one order ", "heartbeat 7"])
        self.assertEqual(order.text, ["one order\n"])
        self.assertEqual(heartbeat, Dropped())


if __name__ == "__main__":
    unittest.main()
