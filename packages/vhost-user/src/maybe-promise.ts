/** Going on after a value that may be a promise, without turning the synchronous case into an asynchronous one. */

export type MaybePromise<T> = T | Promise<T>;

/** `next(value)`, now if the value is there, later if it is promised. */
export function chain<T, U>(value: MaybePromise<T>, next: (value: T) => MaybePromise<U>): MaybePromise<U> {
  return value instanceof Promise ? value.then(next) : next(value);
}

/** Run `body`, then `after` whatever became of it; the result or error of `body` stands. */
export function ensure<T>(body: () => MaybePromise<T>, after: () => MaybePromise<void>): MaybePromise<T> {
  let result: MaybePromise<T>;
  try {
    result = body();
  } catch (error) {
    return chain(after(), () => {
      throw error;
    });
  }
  if (result instanceof Promise) {
    return result.finally(after);
  }
  const value = result;
  return chain(after(), () => value);
}

/** Handle each item in order, stopping at the first that gives something other than undefined. */
export function firstOf<T, U>(
  items: readonly T[],
  each: (item: T) => MaybePromise<U | undefined>,
): MaybePromise<U | undefined> {
  for (const [at, item] of items.entries()) {
    const result = each(item);
    if (result instanceof Promise) {
      return result.then((value) => value ?? firstOf(items.slice(at + 1), each));
    }
    if (result !== undefined) {
      return result;
    }
  }
  return undefined;
}
