"""A Hydrant plugin: a function of one record.

This one drops heartbeats, fails what is no text, and puts every other record on one line of its own.
"""

from hydrant_plugin import DROP, Outcome, Record, transform


@transform
def one_line(record: Record) -> Outcome:
    """Called once for each record. An exception sends the record to the error output, with its text as the reason."""
    text = record.text
    if "heartbeat" in text:
        return DROP
    return text.strip() + "\n"
