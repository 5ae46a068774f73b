/**
 * tsyringe refuses to load without Reflect.getMetadata. It would read constructor types through it; everything here is registered by explicit
 * token and factory, so there are none to read. Import this before tsyringe.
 */
const reflect = Reflect as { getMetadata?: (key: unknown, target: object) => unknown };
reflect.getMetadata ??= () => undefined;
