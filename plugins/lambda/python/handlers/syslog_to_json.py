"""The shape of Amazon's blueprint for syslog: a regular expression, dates, and JSON with partition keys by day."""

import base64
import json
import re
from datetime import datetime

LINE = re.compile(
    r"^(?P<date>\w{3}\s+\d{1,2} \d{2}:\d{2}:\d{2}) (?P<host>\S+) (?P<program>[\w/.-]+)(\[(?P<pid>\d+)\])?: (?P<text>.*)$"
)


def handler(event, context):
    print(f"{len(event['records'])} records, {context.get_remaining_time_in_millis()} ms left")
    output = []
    for record in event["records"]:
        line = base64.b64decode(record["data"]).decode("utf-8", "replace").rstrip()
        match = LINE.match(line)
        if match is None:
            output.append({"recordId": record["recordId"], "result": "ProcessingFailed", "data": record["data"]})
            continue
        year = datetime.utcfromtimestamp(record["approximateArrivalTimestamp"] / 1000).year
        when = datetime.strptime(f"{year} {match['date']}", "%Y %b %d %H:%M:%S")
        entry = {"when": when.isoformat(), **{name: match[name] for name in ("host", "program", "pid", "text")}}
        output.append(
            {
                "recordId": record["recordId"],
                "result": "Ok",
                "data": base64.b64encode(json.dumps(entry).encode() + b"\n").decode(),
                "metadata": {"partitionKeys": {"host": match["host"], "day": when.strftime("%Y-%m-%d")}},
            }
        )
    return {"records": output}
