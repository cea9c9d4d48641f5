// What a package gets for a module of Node that is not there: importing works, using it says why not. CommonJS, and a
// prototype, because any name at all may be imported. Refuses to pretend.

module.exports = (name, why) => {
  const told = (used) => {
    throw new Error(`${used} is not there inside a plugin: ${why}`);
  };
  const stub = (used) =>
    new Proxy(function () {}, {
      get: (target, key) =>
        typeof key === 'symbol' || key === 'then' || key === 'prototype' ? target[key] : stub(`${used}.${key}`),
      apply: () => told(used),
      construct: () => told(used),
    });
  return Object.create(stub(name));
};
