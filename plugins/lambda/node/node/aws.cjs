// What handlers get for an AWS SDK: clients and commands can be made, and using one says that there is no network.
// Refuses to pretend. CommonJS, and a prototype, because any name at all may be imported.

function stub(name) {
  const told = () => {
    throw new Error(`${name} is not there inside a plugin: the AWS SDK is a stub, because there is no network`);
  };
  return new Proxy(function () {}, {
    get(target, key) {
      if (typeof key === 'symbol' || key === 'then' || key === 'prototype') return target[key];
      return stub(`${name}.${key}`);
    },
    // Clients and commands are made at the top of a module, long before they are used.
    construct: () => stub(name.slice(name.lastIndexOf('.') + 1)),
    apply: () => (/\.config\.\w+$|\.from$|\.capture\w*$/.test(name) ? stub(name) : told()),
    set: () => true,
  });
}

module.exports = Object.create(stub('aws-sdk'));
