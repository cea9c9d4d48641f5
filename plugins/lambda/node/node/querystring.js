// Node's querystring. Refuses options beyond the separators.

const ENCODER = new TextEncoder();
const DECODER = new TextDecoder();

export const escape = encodeURIComponent;

export function unescape(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    // What is no escape stays, and bytes that are no text are replaced.
    const bytes = [];
    for (const part of text.match(/%[0-9a-fA-F]{2}|[^%]+|%/g)) {
      if (part.length === 3 && part[0] === '%') bytes.push(Number.parseInt(part.slice(1), 16));
      else bytes.push(...ENCODER.encode(part));
    }
    return DECODER.decode(Uint8Array.from(bytes));
  }
}

export function parse(text, separator = '&', equals = '=') {
  const found = Object.create(null);
  if (typeof text !== 'string' || text === '') return found;
  for (const pair of text.split(separator)) {
    if (pair === '') continue;
    const at = pair.indexOf(equals);
    const name = unescape((at < 0 ? pair : pair.slice(0, at)).replaceAll('+', ' '));
    const value = at < 0 ? '' : unescape(pair.slice(at + equals.length).replaceAll('+', ' '));
    if (!(name in found)) found[name] = value;
    else if (Array.isArray(found[name])) found[name].push(value);
    else found[name] = [found[name], value];
  }
  return found;
}

export function stringify(values, separator = '&', equals = '=') {
  const text = (value) => (['string', 'number', 'bigint', 'boolean'].includes(typeof value) ? escape(String(value)) : '');
  const pairs = Object.entries(values ?? {}).flatMap(([name, value]) =>
    (Array.isArray(value) ? value : [value]).map((one) => `${escape(name)}${equals}${text(one)}`),
  );
  return pairs.join(separator);
}

export { parse as decode, stringify as encode };
export default { escape, unescape, parse, stringify, decode: parse, encode: stringify };
