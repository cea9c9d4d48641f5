"""The shape of Amazon's blueprint for Firehose: a JSON edit, with partition keys and settings from the environment."""

import base64
import json
import logging
import os
from datetime import datetime, timezone

logger = logging.getLogger()
logger.setLevel(logging.INFO)

TABLE = os.environ["TABLE_NAME"]

print("Loading function")


def lambda_handler(event, context):
    output = []
    for record in event["records"]:
        payload = base64.b64decode(record["data"]).decode("utf-8")
        try:
            order = json.loads(payload)
        except ValueError:
            output.append({"recordId": record["recordId"], "result": "ProcessingFailed", "data": record["data"]})
            continue
        if order.get("level") == "debug":
            output.append({"recordId": record["recordId"], "result": "Dropped", "data": record["data"]})
            continue
        arrived = datetime.fromtimestamp(record["approximateArrivalTimestamp"] / 1000, timezone.utc)
        order["table"] = TABLE
        order["arrived"] = arrived.isoformat(timespec="milliseconds")
        output.append(
            {
                "recordId": record["recordId"],
                "result": "Ok",
                "data": base64.b64encode((json.dumps(order) + "\n").encode("utf-8")).decode("utf-8"),
                "metadata": {
                    "partitionKeys": {"level": order.get("level", "none"), "year": arrived.strftime("%Y")},
                },
            }
        )
    logger.info("Processed %d records of %s for %s", len(output), event["deliveryStreamArn"], context.function_name)
    return {"records": output}
