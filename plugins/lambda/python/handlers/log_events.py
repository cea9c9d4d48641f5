"""A module beside the handler of `cloudwatch_logs.py`."""


def transform_log_event(log_event):
    return log_event["message"] + "\n"
