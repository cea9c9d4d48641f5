"""The shape of Amazon's blueprint for CloudWatch Logs: each record is gzip of a message with log events, which become
lines; a control message is dropped. What is too large for Lambda's answer would be put back into the stream by boto3.
"""

import base64
import gzip
import io
import json

import boto3

from log_events import transform_log_event

MAX_ANSWER_BYTES = 6_000_000


def process_records(records):
    for record in records:
        data = base64.b64decode(record["data"])
        striodata = io.BytesIO(data)
        try:
            with gzip.GzipFile(fileobj=striodata, mode="r") as file:
                message = json.loads(file.read())
        except OSError:
            yield {"result": "ProcessingFailed", "recordId": record["recordId"]}
            continue
        if message["messageType"] == "CONTROL_MESSAGE":
            yield {"result": "Dropped", "recordId": record["recordId"]}
        elif message["messageType"] == "DATA_MESSAGE":
            joined = "".join(transform_log_event(event) for event in message["logEvents"])
            encoded = base64.b64encode(joined.encode("utf-8")).decode("utf-8")
            yield {"data": encoded, "result": "Ok", "recordId": record["recordId"]}
        else:
            yield {"result": "ProcessingFailed", "recordId": record["recordId"]}


def put_records_to_firehose_stream(stream_name, records, region):
    client = boto3.client("firehose", region_name=region)
    client.put_record_batch(DeliveryStreamName=stream_name, Records=records)


def lambda_handler(event, context):
    records = list(process_records(event["records"]))
    size = sum(len(record.get("data", "")) + len(record["recordId"]) for record in records)
    if size > MAX_ANSWER_BYTES:
        stream_name = event["deliveryStreamArn"].split("/")[1]
        put_records_to_firehose_stream(stream_name, records, event["region"])
    return {"records": records}
