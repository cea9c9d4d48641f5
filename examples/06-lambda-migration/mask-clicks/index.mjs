// Masks the addresses of visitors and leaves robots out: a transform of Firehose records, as it runs on Lambda.
import { createHash } from 'crypto';

const robots = /bot|crawler|spider/i;

function mask(address) {
  return createHash('sha256').update(process.env.SALT + address).digest('hex').slice(0, 12);
}

export const handler = async (event) => ({
  records: event.records.map(({ recordId, data }) => {
    let click;
    try {
      click = JSON.parse(Buffer.from(data, 'base64').toString('utf8'));
    } catch {
      return { recordId, result: 'ProcessingFailed', data };
    }
    if (robots.test(click.agent)) return { recordId, result: 'Dropped', data };
    click.address = mask(click.address);
    return { recordId, result: 'Ok', data: Buffer.from(`${JSON.stringify(click)}\n`).toString('base64') };
  }),
});
