/**
 * The part of the Reflect metadata API that tsyringe needs: tokens that @inject records per class. Types are never recorded, because every
 * dependency is named by an explicit token. Import this before tsyringe.
 */
type Api = {
  defineMetadata?: (key: unknown, value: unknown, target: object) => void;
  getMetadata?: (key: unknown, target: object) => unknown;
  getOwnMetadata?: (key: unknown, target: object) => unknown;
};

const store = new WeakMap<object, Map<unknown, unknown>>();

const defineMetadata = (key: unknown, value: unknown, target: object): void => {
  const own = store.get(target) ?? new Map<unknown, unknown>();
  store.set(target, own.set(key, value));
};
const getOwnMetadata = (key: unknown, target: object): unknown => store.get(target)?.get(key);
const getMetadata = (key: unknown, target: object): unknown => {
  for (let at: object | null = target; at !== null; at = Object.getPrototypeOf(at) as object | null) {
    if (store.get(at)?.has(key) === true) return getOwnMetadata(key, at);
  }
  return undefined;
};

const reflect = Reflect as Api;
// A full polyfill that the application has loaded stays in charge; a partial one could not hold what the other half wrote.
if (
  reflect.getMetadata === undefined ||
  reflect.defineMetadata === undefined ||
  reflect.getOwnMetadata === undefined
) {
  Object.assign(reflect, { defineMetadata, getMetadata, getOwnMetadata });
}
