// An ES module that hashes, waits, and uses packages of Node's that handlers commonly do.

import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { S3Client, PutObjectCommand } from '@aws-sdk/client-s3';

const s3 = new S3Client({ region: process.env.AWS_REGION });
const salt = process.env.SALT ?? '';

async function transformed({ recordId, data }) {
  await sleep(1);
  const { email, ...rest } = JSON.parse(Buffer.from(data, 'base64').toString());
  const user = createHash('sha256').update(salt + email).digest('hex');
  if (rest.archive) await s3.send(new PutObjectCommand({ Bucket: 'archive', Key: recordId }));
  return { recordId, result: 'Ok', data: Buffer.from(JSON.stringify({ ...rest, user })).toString('base64') };
}

export const handler = async (event, context) => {
  console.info('%d records of %s', event.records.length, event.deliveryStreamArn, context.getRemainingTimeInMillis());
  return { records: await Promise.all(event.records.map(transformed)) };
};
