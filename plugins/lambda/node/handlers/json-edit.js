'use strict';
// The shape of Amazon's blueprint for Firehose: CommonJS, async, a JSON edit, with partition keys.

console.log('Loading function');

const TABLE = process.env.TABLE_NAME || 'orders';

exports.handler = async (event) => {
  const output = event.records.map((record) => {
    const payload = Buffer.from(record.data, 'base64').toString('utf8');
    let order;
    try {
      order = JSON.parse(payload);
    } catch (error) {
      return { recordId: record.recordId, result: 'ProcessingFailed', data: record.data };
    }
    if (order.level === 'debug') {
      return { recordId: record.recordId, result: 'Dropped', data: record.data };
    }
    order.table = TABLE;
    order.arrived = new Date(record.approximateArrivalTimestamp).toISOString();
    return {
      recordId: record.recordId,
      result: 'Ok',
      data: Buffer.from(JSON.stringify(order) + '\n').toString('base64'),
      metadata: { partitionKeys: { level: order.level || 'none', year: order.arrived.slice(0, 4) } },
    };
  });
  console.log(`Processing completed. Successful records ${output.length}.`);
  return { records: output };
};
