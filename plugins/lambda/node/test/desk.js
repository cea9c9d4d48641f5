// Gives an older Node what the engine of a component has: base64 and hex of typed arrays. Refuses to replace any.

const { Buffer } = globalThis;

function define(owner, name, value) {
  if (owner[name] === undefined) Object.defineProperty(owner, name, { value, configurable: true, writable: true });
}

define(Uint8Array, 'fromBase64', (text) => {
  const compact = text.replace(/[\t\n\f\r ]/g, '');
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(compact) || compact.replaceAll('=', '').length % 4 === 1) throw new SyntaxError('no base64');
  if (compact.includes('=') && compact.length % 4 !== 0) throw new SyntaxError('no base64');
  return new Uint8Array(Buffer.from(compact, 'base64'));
});
define(Uint8Array, 'fromHex', (text) => new Uint8Array(Buffer.from(text, 'hex')));
define(Uint8Array.prototype, 'toHex', function () {
  return Buffer.from(this.buffer, this.byteOffset, this.byteLength).toString('hex');
});
define(Uint8Array.prototype, 'toBase64', function ({ alphabet = 'base64' } = {}) {
  return Buffer.from(this.buffer, this.byteOffset, this.byteLength).toString(alphabet);
});
