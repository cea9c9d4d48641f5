// What a handler is called with: Firehose's event, and Lambda's context. Refuses to hold anything that differs from run
// to run.

/** The same for every call: an answer must not depend on how records were put together. */
export const INVOCATION_ID = '00000000-0000-4000-8000-000000000000';

/** The host gives a batch this long; how much of it is left would differ from run to run. */
const REMAINING_MILLISECONDS = 10_000;

const REGION = 'us-east-1';
const ACCOUNT = '000000000000';

/** As many digits as Firehose's. */
const ID_DIGITS = 56;

/** The environment that a handler sees: Lambda's own names, then the operator's settings. */
export function environment(settings, functionName) {
  const region = settings.AWS_REGION ?? REGION;
  return {
    AWS_REGION: region,
    AWS_DEFAULT_REGION: region,
    AWS_EXECUTION_ENV: 'AWS_Lambda_nodejs20.x',
    AWS_LAMBDA_FUNCTION_MEMORY_SIZE: '256',
    AWS_LAMBDA_FUNCTION_NAME: functionName,
    AWS_LAMBDA_FUNCTION_VERSION: '$LATEST',
    LAMBDA_TASK_ROOT: '/var/task',
    TZ: ':UTC',
    ...settings,
  };
}

/** The event for a batch. */
export function eventOf({ payload, ends, arrivedMs, context }, env) {
  const list = [];
  for (let at = 0; at < ends.length; at += 1) {
    list.push({
      recordId: recordId(at),
      approximateArrivalTimestamp: Number(arrivedMs[at]),
      data: payload.subarray(at === 0 ? 0 : ends[at - 1], ends[at]).toBase64(),
    });
  }
  const account = env.AWS_ACCOUNT_ID ?? ACCOUNT;
  return {
    invocationId: INVOCATION_ID,
    deliveryStreamArn: `arn:aws:firehose:${env.AWS_REGION}:${account}:deliverystream/${context.stream}`,
    region: env.AWS_REGION,
    records: list,
  };
}

const IDS = [];

/** The id of a record by its place; made once, because an event has the same ones every time. */
export function recordId(at) {
  return (IDS[at] ??= String(at).padStart(ID_DIGITS, '0'));
}

/** Lambda's context. `done`, `succeed` and `fail` end a call as its callback does. */
export function contextOf(env, { done, succeed, fail }) {
  const name = env.AWS_LAMBDA_FUNCTION_NAME;
  const version = env.AWS_LAMBDA_FUNCTION_VERSION;
  return {
    callbackWaitsForEmptyEventLoop: true,
    functionName: name,
    functionVersion: version,
    invokedFunctionArn: `arn:aws:lambda:${env.AWS_REGION}:${env.AWS_ACCOUNT_ID ?? ACCOUNT}:function:${name}`,
    memoryLimitInMB: env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
    awsRequestId: INVOCATION_ID,
    logGroupName: `/aws/lambda/${name}`,
    logStreamName: `[${version}]`,
    getRemainingTimeInMillis: () => REMAINING_MILLISECONDS,
    done,
    succeed,
    fail,
  };
}
