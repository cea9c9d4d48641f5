"""Makes a fixture of `hydrant plugin test` from what a Lambda function was called with and what it answered.

Usage: python3 fixture.py EVENT.json ANSWER.json [NAME=VALUE ...] > FIXTURE.json
NAME=VALUE is the function's environment.
"""

import base64
import json
import sys

FAILED = {"code": "Lambda.ProcessingFailedStatus", "message": "ProcessingFailed status set for record"}


def text(data):
    """Bytes as fixtures write them: text where they are text."""
    try:
        return base64.b64decode(data).decode()
    except UnicodeDecodeError:
        return {"base64": data}


def expected(answered):
    """What Firehose makes of one record of the answer."""
    if answered["result"] == "Dropped":
        return "dropped"
    if answered["result"] == "ProcessingFailed":
        return {"failed": FAILED}
    keys = answered.get("metadata", {}).get("partitionKeys")
    data = text(answered["data"])
    return {"delivered": [{"data": data, "keys": keys} if keys else data]}


def fixture(event, answer, settings):
    answered = {record["recordId"]: record for record in answer["records"]}
    records = [
        {"input": text(record["data"]), "expect": expected(answered[record["recordId"]])}
        for record in event["records"]
    ]
    stream = event["deliveryStreamArn"].rpartition("/")[2]
    return {"stream": stream, "settings": settings, "records": records}


if __name__ == "__main__":
    with open(sys.argv[1]) as event, open(sys.argv[2]) as answer:
        settings = dict(setting.split("=", 1) for setting in sys.argv[3:])
        made = fixture(json.load(event), json.load(answer), settings)
    print(json.dumps(made, indent=2, ensure_ascii=False))
