"""Breaks each of Firehose's rules, and tries each thing that a plugin has not, as the records tell; for tests."""

import base64
import decimal
import os
import socket
import subprocess
import threading
import urllib.request

import boto3
from botocore.exceptions import ClientError

s3 = boto3.client("s3")


def text(record):
    return base64.b64decode(record["data"]).decode("utf-8", "replace")


def ok(record, **changed):
    return {"recordId": record["recordId"], "result": "Ok", "data": record["data"], **changed}


def without(record, name):
    return {key: value for key, value in ok(record).items() if key != name}


FINE = base64.b64encode(b"fine").decode()

ANSWERS = {
    "ok": lambda record: [ok(record, data=FINE)],
    "same": lambda record: [ok(record)],
    "empty": lambda record: [ok(record, data="")],
    "dropped": lambda record: [ok(record, result="Dropped")],
    "failed": lambda record: [ok(record, result="ProcessingFailed")],
    "missing": lambda record: [],
    "twice": lambda record: [ok(record), ok(record)],
    "unknown": lambda record: [ok(record, recordId="never-sent"), ok(record, data=FINE)],
    "no-id": lambda record: [without(record, "recordId")],
    "no-data": lambda record: [without(record, "data")],
    "null-data": lambda record: [ok(record, data=None)],
    "number-data": lambda record: [ok(record, data=5)],
    "no-base64": lambda record: [ok(record, data="no base64!")],
    "result": lambda record: [ok(record, result="ok")],
    "no-result": lambda record: [without(record, "result")],
    "null": lambda record: [None],
    "keys": lambda record: [ok(record, metadata={"partitionKeys": {"a": "x", "number": 5}})],
    "bad-keys": lambda record: [ok(record, metadata={"partitionKeys": {"a": {}}})],
    "list-keys": lambda record: [ok(record, metadata={"partitionKeys": ["a"]})],
    "name-keys": lambda record: [ok(record, metadata={"partitionKeys": {"$other": "x"}})],
    "decimal": lambda record: [ok(record, data=FINE, extra=decimal.Decimal("1.5"))],
}


def raise_error(_record):
    raise ValueError("raised by the handler")


def catch_client_error(record):
    try:
        s3.get_object(Bucket="b", Key="k")
    except ClientError:
        return {"records": []}


def import_late(record):
    name = text(record).partition(" ")[2]
    return __import__(name)


WHOLE = {
    "answer:null": lambda record: None,
    "answer:text": lambda record: "records",
    "answer:object": lambda record: {},
    "answer:map": lambda record: {"records": {}},
    "answer:bytes": lambda record: {"records": [ok(record, data=base64.b64encode(b"fine"))]},
    "raise": raise_error,
    "exit": lambda record: os.sys.exit(3),
    "boto3": catch_client_error,
    "network": lambda record: urllib.request.urlopen("http://127.0.0.1/"),
    "socket": lambda record: socket.create_connection(("127.0.0.1", 80)),
    "program": lambda record: subprocess.run(["ls"]),
    "system": lambda record: os.system("ls"),
    "thread": lambda record: threading.Thread(target=print).start(),
    "file": lambda record: open("/tmp/file", "w"),
    "import colorsys": import_late,
    "import sqlite3": import_late,
    "environment": lambda record: os.environ["NO_SUCH_SETTING"],
}


def lambda_handler(event, context):
    for record in event["records"]:
        wrong = WHOLE.get(text(record))
        if wrong is not None:
            return wrong(record)
    records = [entry for record in event["records"] for entry in ANSWERS.get(text(record), ANSWERS["ok"])(record)]
    if any(text(record) == "reversed" for record in event["records"]):
        records.reverse()
    return {"records": records}
