#!/usr/bin/env bash
# Drives a Hydrant API with the AWS CLI (version 1 or 2) and fails at the first surprise.
#
#   AWS_ACCESS_KEY_ID=… AWS_SECRET_ACCESS_KEY=… AWS_DEFAULT_REGION=us-east-1 cli_check.sh http://127.0.0.1:4573
#
# Makes and deletes one stream with a name of its own. Refuses to look at what was delivered.
set -euo pipefail

endpoint=$1
name="cli-check-$$-$RANDOM"
export AWS_PAGER="" AWS_MAX_ATTEMPTS=1
role=arn:aws:iam::000000000000:role/firehose
destination="RoleARN=$role,BucketARN=arn:aws:s3:::cli-check"

firehose() { aws --endpoint-url "$endpoint" firehose "$@"; }

fail() { echo "cli_check: $1" >&2; exit 1; }

# same WANT HAVE
same() { [[ "$1" == "$2" ]] || fail "expected '$1', got '$2'"; }

# refused FRAGMENT COMMAND…: the command must fail and say this
refused() {
  local fragment=$1 said
  shift
  if said=$("$@" 2>&1); then fail "'$*' was not refused: $said"; fi
  [[ "$said" == *"$fragment"* ]] || fail "'$*' said '$said', not '$fragment'"
}

# The CLI's versions disagree on how bytes come in: the second wants base64 unless told otherwise.
raw=()
if [[ "$(aws --version 2>&1)" == aws-cli/2* ]]; then raw=(--cli-binary-format raw-in-base64-out); fi

arn=$(firehose create-delivery-stream --delivery-stream-name "$name" \
  --extended-s3-destination-configuration "$destination" --query DeliveryStreamARN --output text)
same "deliverystream/$name" "${arn##*:}"
same ACTIVE "$(firehose describe-delivery-stream --delivery-stream-name "$name" \
  --query DeliveryStreamDescription.DeliveryStreamStatus --output text)"
refused "(ResourceInUseException)" firehose create-delivery-stream --delivery-stream-name "$name" \
  --extended-s3-destination-configuration "$destination"
[[ "$(firehose list-delivery-streams --limit 10000 --output text)" == *"$name"* ]] || fail "not listed"

id=$(firehose put-record --delivery-stream-name "$name" --record 'Data="hello"' ${raw[@]+"${raw[@]}"} \
  --query RecordId --output text)
[[ -n "$id" && "$id" != None ]] || fail "no record id"
same 0 "$(firehose put-record-batch --delivery-stream-name "$name" --records Data=a Data=b ${raw[@]+"${raw[@]}"} \
  --query FailedPutCount --output text)"
refused "Firehose none not found under account" firehose put-record --delivery-stream-name none --record Data=a \
  ${raw[@]+"${raw[@]}"}

update=(firehose update-destination --delivery-stream-name "$name" --destination-id destinationId-000000000001)
"${update[@]}" --current-delivery-stream-version-id 1 --extended-s3-destination-update CompressionFormat=GZIP
refused "(ConcurrentModificationException)" "${update[@]}" --current-delivery-stream-version-id 1 \
  --extended-s3-destination-update CompressionFormat=ZIP
same "2	GZIP" "$(firehose describe-delivery-stream --delivery-stream-name "$name" --output text --query \
  'DeliveryStreamDescription.[VersionId,Destinations[0].ExtendedS3DestinationDescription.CompressionFormat]')"
refused "(ValidationException)" "${update[@]}" --current-delivery-stream-version-id 2 \
  --extended-s3-destination-update CompressionFormat=BROTLI

firehose delete-delivery-stream --delivery-stream-name "$name"
refused "(ResourceNotFoundException)" firehose delete-delivery-stream --delivery-stream-name none
echo "$(aws --version 2>&1): all as expected"
