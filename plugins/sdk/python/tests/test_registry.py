"""What a module may register, and running it as the host would."""

from __future__ import annotations

import unittest
from typing import Any, Iterator

from hydrant_plugin import Batch, Context, Outcome, Record, configure, fail, registry, testing, transform, transform_batch
from hydrant_plugin.testing import Kept


class Registering(unittest.TestCase):
    def setUp(self) -> None:
        self.registry = registry.registry
        registry.registry = registry.Registry()
        setattr(testing, "registry", registry.registry)

    def tearDown(self) -> None:
        registry.registry = self.registry
        setattr(testing, "registry", self.registry)

    def test_a_registered_function_stays_a_function_and_is_run(self) -> None:
        seen: list[str] = []

        @configure
        def setup(context: Context) -> None:
            if context.setting("refuse"):
                raise fail("refused")
            seen.append(context.stream)

        @transform
        def keep(record: Record) -> Outcome:
            return record

        self.assertEqual(testing.run(keep, ["a"]), [Kept()])
        self.assertEqual(testing.run_plugin(["a"], Context("orders")), [Kept()])
        self.assertEqual(seen, ["orders"])
        with self.assertRaisesRegex(fail("").__class__, "refused"):
            testing.run_plugin([], Context("", {"refuse": "1"}))

    def test_there_is_one_transform(self) -> None:
        transform(lambda record: record)
        with self.assertRaisesRegex(TypeError, "second"):
            transform_batch(lambda batch: None)
        configure(lambda context: None)
        with self.assertRaisesRegex(TypeError, "second"):
            configure(lambda context: None)

    def test_what_cannot_be_a_transform_is_told(self) -> None:
        async def waiting(_record: Record) -> Outcome:
            return b""

        def yielding(_batch: Batch) -> Iterator[int]:
            yield 1

        strange: Any = "orders"
        for decorator, function, said in (
            (transform, waiting, "async"),
            (transform_batch, yielding, "batch.settle"),
            (transform, strange, "stands above"),
        ):
            with self.assertRaisesRegex(TypeError, said):
                decorator(function)

    def test_a_module_without_a_transform_is_told(self) -> None:
        with self.assertRaisesRegex(RuntimeError, "no plugin"):
            testing.run_plugin([])


if __name__ == "__main__":
    unittest.main()
