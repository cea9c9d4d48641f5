'use strict';
// The shape of Amazon's CloudWatch Logs processor: gunzip each record, drop control messages, one line per log event.

const zlib = require('zlib');
const { promisify } = require('util');
const AWS = require('aws-sdk');

const gunzip = promisify(zlib.gunzip);
const firehose = new AWS.Firehose({ region: process.env.AWS_REGION });

function transformLogEvent(logEvent) {
  return Promise.resolve(`${logEvent.message}\n`);
}

exports.handler = (event, context, callback) => {
  Promise.all(
    event.records.map(async (r) => {
      let data;
      try {
        data = JSON.parse((await gunzip(Buffer.from(r.data, 'base64'))).toString('utf8'));
      } catch (error) {
        return { recordId: r.recordId, result: 'ProcessingFailed' };
      }
      if (data.messageType === 'CONTROL_MESSAGE') return { recordId: r.recordId, result: 'Dropped' };
      if (data.messageType !== 'DATA_MESSAGE') return { recordId: r.recordId, result: 'ProcessingFailed' };
      const lines = await Promise.all(data.logEvents.map(transformLogEvent));
      const payload = lines.join('');
      if (payload.length > 6000000) await firehose.putRecordBatch({ Records: [] }).promise();
      return {
        recordId: r.recordId,
        result: 'Ok',
        data: Buffer.from(payload, 'utf8').toString('base64'),
        metadata: { partitionKeys: { group: data.logGroup } },
      };
    }),
  )
    .then((records) => callback(null, { records }))
    .catch((error) => callback(error));
};
