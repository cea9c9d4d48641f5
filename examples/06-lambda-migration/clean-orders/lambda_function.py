"""Converts the amounts of orders to euros: a transform of Firehose records, as it runs on Lambda."""

import base64
import json
import logging
import os
from decimal import ROUND_HALF_UP, Decimal

logger = logging.getLogger()
logger.setLevel(logging.INFO)

RATES = {currency: Decimal(rate) for currency, rate in json.loads(os.environ["RATES"]).items()}


def lambda_handler(event, context):
    output = []
    for record in event["records"]:
        try:
            order = json.loads(base64.b64decode(record["data"]))
            if order.get("test"):
                output.append({"recordId": record["recordId"], "result": "Dropped", "data": record["data"]})
                continue
            amount = Decimal(order["amount"]) * RATES[order["currency"]]
            order["euros"] = str(amount.quantize(Decimal("0.01"), ROUND_HALF_UP))
        except (ValueError, KeyError, ArithmeticError) as error:
            logger.warning("%s: %s", record["recordId"], error)
            output.append({"recordId": record["recordId"], "result": "ProcessingFailed", "data": record["data"]})
            continue
        line = json.dumps(order) + "\n"
        output.append(
            {"recordId": record["recordId"], "result": "Ok", "data": base64.b64encode(line.encode()).decode()}
        )
    return {"records": output}
