"""What a handler is called with: Firehose's event, Lambda's context and environment. Refuses to hold anything that
differs from run to run, or by how records were put together.
"""

from __future__ import annotations

from binascii import b2a_base64
from typing import Any, Mapping

from hydrant_plugin import Batch

INVOCATION_ID = "00000000-0000-4000-8000-000000000000"
TASK_ROOT = "/var/task"
ACCOUNT = "000000000000"
REGION = "us-east-1"
REMAINING_MILLISECONDS = 10_000
"""The host gives a batch this long; how much of it is left would differ from run to run."""

_ids: list[str] = []


def environment(settings: Mapping[str, str], handler: str) -> dict[str, str]:
    """The environment that a handler sees: Lambda's own names, then the operator's settings."""
    region = settings.get("AWS_REGION", REGION)
    name = settings.get("AWS_LAMBDA_FUNCTION_NAME", handler.partition(".")[0])
    return {
        "AWS_DEFAULT_REGION": region,
        "AWS_EXECUTION_ENV": "AWS_Lambda_python3.14",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
        "AWS_LAMBDA_FUNCTION_NAME": name,
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{name}",
        "AWS_LAMBDA_LOG_STREAM_NAME": "[$LATEST]",
        "AWS_REGION": region,
        "LAMBDA_TASK_ROOT": TASK_ROOT,
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
        "_HANDLER": handler,
        **settings,
    }


def event(batch: Batch, env: Mapping[str, str]) -> tuple[dict[str, Any], list[str]]:
    """The event for a batch, and the base64 that was put into it."""
    sent = [b2a_base64(data, newline=False).decode() for data in batch.data]
    region = env["AWS_REGION"]
    account = env.get("AWS_ACCOUNT_ID", ACCOUNT)
    made = {
        "invocationId": INVOCATION_ID,
        "deliveryStreamArn": f"arn:aws:firehose:{region}:{account}:deliverystream/{batch.context.stream}",
        "region": region,
        "records": [
            {"recordId": record_id, "approximateArrivalTimestamp": arrived, "data": data}
            for record_id, arrived, data in zip(record_ids(len(sent)), batch.arrived_ms, sent)
        ],
    }
    return made, sent


def record_ids(count: int) -> list[str]:
    """The ids of records by their places, with as many digits as Firehose's."""
    for at in range(len(_ids), count):
        _ids.append(f"{at:056d}")
    return _ids[:count]


class ClientIdentity:
    """`context.identity`, which Firehose never sets."""

    cognito_identity_id = None
    cognito_identity_pool_id = None


class LambdaContext:
    """The second argument of a handler."""

    def __init__(self, env: Mapping[str, str]) -> None:
        name = env["AWS_LAMBDA_FUNCTION_NAME"]
        account = env.get("AWS_ACCOUNT_ID", ACCOUNT)
        self.aws_request_id = INVOCATION_ID
        self.client_context = None
        self.function_name = name
        self.function_version = env["AWS_LAMBDA_FUNCTION_VERSION"]
        self.identity = ClientIdentity()
        self.invoked_function_arn = f"arn:aws:lambda:{env['AWS_REGION']}:{account}:function:{name}"
        self.log_group_name = env["AWS_LAMBDA_LOG_GROUP_NAME"]
        self.log_stream_name = env["AWS_LAMBDA_LOG_STREAM_NAME"]
        self.memory_limit_in_mb = env["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]
        self.tenant_id = None

    def get_remaining_time_in_millis(self) -> int:
        """What the host gives a batch."""
        return REMAINING_MILLISECONDS

    def log(self, message: object) -> None:
        """A line of standard output."""
        print(message)
