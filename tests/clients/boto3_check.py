#!/usr/bin/env python3
"""Drives a Hydrant API with boto3 as any producer would, and exits non-zero at the first surprise.

    AWS_ACCESS_KEY_ID=… AWS_SECRET_ACCESS_KEY=… AWS_DEFAULT_REGION=us-east-1 boto3_check.py http://127.0.0.1:4573

Needs boto3; makes and deletes one stream with a name of its own. Refuses to look at what was delivered.
"""

import os
import sys
import uuid

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

ENDPOINT = sys.argv[1]
NAME = f"boto3-check-{uuid.uuid4().hex[:8]}"
ROLE = "arn:aws:iam::000000000000:role/firehose"
BUCKET = "arn:aws:s3:::boto3-check"
ONE_TRY = Config(retries={"total_max_attempts": 1})


def client(**changes):
    return boto3.client("firehose", endpoint_url=ENDPOINT, config=ONE_TRY, **changes)


def refused(code, fragment, call, status=400, **arguments):
    """The call must fail with this code, and a message that holds the fragment."""
    try:
        answer = call(**arguments)
    except ClientError as error:
        told = error.response["Error"]
        assert told["Code"] == code, (code, told)
        assert fragment in told["Message"], (fragment, told)
        assert error.response["ResponseMetadata"]["HTTPStatusCode"] == status, error.response
        assert error.response["ResponseMetadata"]["RequestId"], error.response
        return
    raise AssertionError(f"expected {code}, got {answer}")


def describe(firehose):
    return firehose.describe_delivery_stream(DeliveryStreamName=NAME)["DeliveryStreamDescription"]


def check_create(firehose):
    refused("ResourceNotFoundException", f"Firehose {NAME} under account ", firehose.describe_delivery_stream,
            DeliveryStreamName=NAME)
    arn = firehose.create_delivery_stream(
        DeliveryStreamName=NAME,
        DeliveryStreamType="DirectPut",
        ExtendedS3DestinationConfiguration={"RoleARN": ROLE, "BucketARN": BUCKET, "Prefix": "in/",
                                            "BufferingHints": {"SizeInMBs": 1, "IntervalInSeconds": 60}},
        Tags=[{"Key": "team", "Value": "data"}],
    )["DeliveryStreamARN"]
    assert arn.endswith(f":deliverystream/{NAME}"), arn
    shown = describe(firehose)
    assert (shown["DeliveryStreamStatus"], shown["VersionId"]) == ("ACTIVE", "1"), shown
    assert shown["CreateTimestamp"].year >= 2025 and "LastUpdateTimestamp" not in shown, shown
    destination = shown["Destinations"][0]
    assert destination["DestinationId"] == "destinationId-000000000001", destination
    extended = destination["ExtendedS3DestinationDescription"]
    assert extended["BufferingHints"] == {"SizeInMBs": 1, "IntervalInSeconds": 60}, extended
    assert extended["CompressionFormat"] == "UNCOMPRESSED" and extended["S3BackupMode"] == "Disabled", extended
    assert destination["S3DestinationDescription"]["Prefix"] == "in/", destination
    refused("ResourceInUseException", "already exists", firehose.create_delivery_stream, DeliveryStreamName=NAME,
            ExtendedS3DestinationConfiguration={"RoleARN": ROLE, "BucketARN": BUCKET})
    names, start = [], {}
    while True:
        page = firehose.list_delivery_streams(Limit=2, **start)
        names += page["DeliveryStreamNames"]
        if not page["HasMoreDeliveryStreams"]:
            break
        start = {"ExclusiveStartDeliveryStreamName": names[-1]}
    assert NAME in names and names == sorted(names), names
    tags = firehose.list_tags_for_delivery_stream(DeliveryStreamName=NAME)["Tags"]
    assert tags == [{"Key": "team", "Value": "data"}], tags


def check_puts(firehose):
    one = firehose.put_record(DeliveryStreamName=NAME, Record={"Data": b'{"a":1}\n'})
    assert one["RecordId"] and one["Encrypted"] is False, one
    batch = firehose.put_record_batch(DeliveryStreamName=NAME, Records=[{"Data": bytes([at % 256]) * 300} for at in range(500)])
    assert batch["FailedPutCount"] == 0, batch
    ids = {entry["RecordId"] for entry in batch["RequestResponses"]}
    assert len(ids) == 500 and one["RecordId"] not in ids
    put, put_batch = firehose.put_record, firehose.put_record_batch
    at = "failed to satisfy constraint: Member must have length less than or equal to"
    refused("ValidationException", f"at 'records' {at} 500", put_batch, DeliveryStreamName=NAME, Records=[{"Data": b""}] * 501)
    refused("ValidationException", f"at 'records.2.member.data' {at} 1024000", put_batch, DeliveryStreamName=NAME,
            Records=[{"Data": b""}, {"Data": b"x" * 1_024_001}])
    refused("InvalidArgumentException", "Records size exceeds 4 MB limit", put_batch, DeliveryStreamName=NAME,
            Records=[{"Data": b"x" * 1_024_000}] * 5)
    refused("ResourceNotFoundException", "Firehose none not found under account ", put, DeliveryStreamName="none",
            Record={"Data": b""})


def check_update(firehose):
    update = {"DeliveryStreamName": NAME, "DestinationId": "destinationId-000000000001"}
    firehose.update_destination(CurrentDeliveryStreamVersionId="1", **update,
                                ExtendedS3DestinationUpdate={"CompressionFormat": "GZIP"})
    shown = describe(firehose)
    extended = shown["Destinations"][0]["ExtendedS3DestinationDescription"]
    assert (shown["VersionId"], extended["CompressionFormat"], extended["Prefix"]) == ("2", "GZIP", "in/"), shown
    assert shown["LastUpdateTimestamp"] >= shown["CreateTimestamp"], shown
    refused("ConcurrentModificationException", "current version id: 2 and specified version id: 1 do not match",
            firehose.update_destination, CurrentDeliveryStreamVersionId="1", **update, ExtendedS3DestinationUpdate={})
    refused("ValidationException", "at 'extendedS3DestinationUpdate.compressionFormat'", firehose.update_destination,
            CurrentDeliveryStreamVersionId="2", **update, ExtendedS3DestinationUpdate={"CompressionFormat": "BROTLI"})


def check_authentication():
    refused("UnrecognizedClientException", "security token", client(aws_access_key_id="NOBODY", aws_secret_access_key="x").list_delivery_streams)
    key = os.environ["AWS_ACCESS_KEY_ID"]
    refused("InvalidSignatureException", "does not match", client(aws_access_key_id=key, aws_secret_access_key="x").list_delivery_streams)


def check_delete(firehose):
    firehose.delete_delivery_stream(DeliveryStreamName=NAME)
    try:
        assert describe(firehose)["DeliveryStreamStatus"] == "DELETING"
    except ClientError as error:
        assert error.response["Error"]["Code"] == "ResourceNotFoundException", error


def main():
    firehose = client()
    check_create(firehose)
    check_puts(firehose)
    check_update(firehose)
    if os.environ.get("HYDRANT_AUTHENTICATION", "sigv4") == "sigv4":
        check_authentication()
    check_delete(firehose)
    print(f"boto3 {boto3.__version__}: all as expected")


main()
