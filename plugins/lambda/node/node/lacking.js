// What is not there, as a function that says so when it is called. Refuses to fail before: a handler may have a use for
// the rest of its module.

export function lacking(name, instead) {
  return () => {
    throw Object.assign(new Error(`${name} is not there inside a plugin: ${instead}`), { code: 'ERR_METHOD_NOT_IMPLEMENTED' });
  };
}
