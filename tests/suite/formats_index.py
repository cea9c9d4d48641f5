"""Enters the ORC files named on the command line by their indexes, with the format's own C++ library.

Fails where a row that is gone to is another one, where a value that is there is not found, or where a row group is read
although its bounds or its Bloom filter say that the value is not there. Prints a line for each file.
"""

import datetime
import sys

import pyorc
from pyorc.predicates import PredicateColumn

KIND = pyorc.TypeKind
STRIDE = 1_000
FIRST = 4  # Rows before the regular ones.


def rows_for(path, kind, name, value):
    """Rows of the row groups that are read for `name` = `value`."""
    with open(path, "rb") as file:
        return list(pyorc.Reader(file, predicate=PredicateColumn(kind, name) == value))


def check(path):
    with open(path, "rb") as file:
        reader = pyorc.Reader(file)
        rows = list(reader)
        names = list(reader.schema.fields)
        assert len(rows) == 3_004, len(rows)
        for stripe in reader.iter_stripes():
            for at in range(stripe.row_offset, stripe.row_offset + len(stripe), STRIDE):
                reader.seek(at)
                assert next(reader) == rows[at], (path, at)
        # Within a row group the library cannot pass over texts of which none has a byte, whoever wrote them.
        dense = [name for name in names if name not in ("short", "raw")]
        part = pyorc.Reader(file, column_names=dense)
        for at in [0, 1, 7, 999, 1_000, 1_001, 2_500, 3_003, 1_999, 2_000, 3_000, 4, 1_003]:
            part.seek(at)
            expected = tuple(value for name, value in zip(names, rows[at]) if name in dense)
            assert next(part) == expected, (path, at)
        for stripe in reader.iter_stripes():
            # Not of booleans, decimals and what is nested.
            filtered = {names[column - 1] for column in stripe.bloom_filter_columns if column <= len(names)}
            expected = {"tiny", "small", "int", "big", "single", "double", "text", "short", "raw", "day", "at"}
            assert filtered == expected, filtered
        whole = {name: reader[at + 1].statistics for at, name in enumerate(names)}
        assert (whole["int"]["minimum"], whole["int"]["maximum"]) == (-(2**31), 2_999), whole["int"]
        assert whole["flag"]["true_count"] == 1_001, whole["flag"]
        assert (whole["day"]["minimum"], whole["day"]["number_of_values"]) == (datetime.date(1901, 1, 1), 2)
        assert str(whole["price"]["minimum"]) == "-1234567.89", whole["price"]
        assert whole["text"]["minimum"] == "" and whole["text"]["has_null"], whole["text"]
        assert whole["at"]["maximum"].year == 2024, whole["at"]

    def found(kind, name, value):
        return value in [row[names.index(name)] for row in rows_for(path, kind, name, value)]

    for at in [0, 5, 1_234, 2_999]:
        row = rows[FIRST + at]
        for kind, name in [
            (KIND.INT, "int"),
            (KIND.LONG, "big"),
            (KIND.BYTE, "tiny"),
            (KIND.DOUBLE, "double"),
            (KIND.STRING, "text"),
            (KIND.TIMESTAMP, "at"),
        ]:
            value = row[names.index(name)]
            assert found(kind, name, value), (path, name, value)
    assert found(KIND.INT, "int", -(2**31)) and found(KIND.DOUBLE, "double", -0.1)
    # Outside all bounds; then between those of every row group, where only a filter knows.
    assert not rows_for(path, KIND.INT, "int", 3_000)
    assert not rows_for(path, KIND.STRING, "text", "zzz")
    strangers = [rows_for(path, KIND.LONG, "big", at * at * 1_000_003 + 1) for at in range(1_100, 1_120)]
    assert sum(1 for rows in strangers if rows) <= 3, [len(rows) for rows in strangers]
    strangers = [rows_for(path, KIND.STRING, "text", f"text {at}x") for at in range(1, 6)]
    assert sum(1 for rows in strangers if rows) <= 1, [len(rows) for rows in strangers]
    # One row group of 1,000 rows, not all.
    assert len(rows_for(path, KIND.INT, "int", 2_500)) <= 1_000


for path in sys.argv[1:]:
    check(path)
    print(path)
