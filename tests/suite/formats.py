"""Reads the objects named on the command line with pyarrow and, where it knows the format, DuckDB.

Prints one JSON object per line: {"reader", "file", "rows"}, every value in a form that both readers share.
"""

import datetime
import decimal
import json
import sys

import duckdb
import pyarrow
import pyarrow.orc
import pyarrow.parquet


def plain(value):
    """Decimals and bytes as text, dates and instants in ISO 8601, maps as sorted lists of pairs."""
    if isinstance(value, decimal.Decimal):
        return format(value, "f")
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, datetime.datetime):
        return value.isoformat()
    if isinstance(value, datetime.date):
        return value.isoformat()
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(inner) for inner in value]
    return value


def with_maps(value, kind):
    """Maps of pyarrow are lists of pairs already; those of DuckDB are dictionaries, as structs are."""
    if value is None:
        return None
    name = kind.id
    if name == "map":
        key, inner = (child for _, child in kind.children)
        return sorted([plain(k), with_maps(v, inner)] for k, v in value.items())
    if name == "struct":
        return {field: with_maps(value[field], child) for field, child in kind.children}
    if name == "list":
        return [with_maps(inner, kind.children[0][1]) for inner in value]
    return plain(value)


def by_pyarrow(path):
    table = pyarrow.orc.read_table(path) if path.endswith(".orc") else pyarrow.parquet.read_table(path)
    # Python's own instants end at microseconds.
    fields = [
        pyarrow.field(field.name, pyarrow.timestamp("us") if pyarrow.types.is_timestamp(field.type) else field.type)
        for field in table.schema
    ]
    return [plain(row) for row in table.cast(pyarrow.schema(fields), safe=False).to_pylist()]


def by_duckdb(path):
    relation = duckdb.sql(f"SELECT * FROM read_parquet('{path}')")
    kinds = dict(zip(relation.columns, relation.types))
    rows = [dict(zip(relation.columns, row)) for row in relation.fetchall()]
    return [{name: with_maps(value, kinds[name]) for name, value in row.items()} for row in rows]


for path in sys.argv[1:]:
    readers = {"pyarrow": by_pyarrow}
    if path.endswith(".parquet"):
        readers["duckdb"] = by_duckdb
    for reader, read in readers.items():
        print(json.dumps({"reader": reader, "file": path, "rows": read(path)}))
