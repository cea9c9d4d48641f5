"""Runs an unmodified AWS Lambda handler for Firehose as a Hydrant plugin: the whole batch is one call. Refuses whatever
Firehose would refuse of its answer, record by record.
"""
