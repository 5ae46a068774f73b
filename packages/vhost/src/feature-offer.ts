/**
 * The feature words of a socket and what may be done to them: get, set, enable, disable, each with a check in words. Made by
 * VhostSocket; what it holds is offered to the next connection.
 */
import { PollwireError } from '@pollwire/native';

export class FeatureOffer {
  readonly #what: string;
  readonly #possible: bigint;
  readonly #names: (word: bigint) => string[];
  #word: bigint;

  /**
   * @param what 'feature' or 'protocol feature', for messages
   * @param possible every bit that can be offered
   * @throws PollwireError `VHOST_UNSUPPORTED_FEATURE` when `word` has others
   */
  constructor(what: string, word: bigint, possible: bigint, names: (word: bigint) => string[]) {
    this.#what = what;
    this.#possible = possible;
    this.#names = names;
    this.#word = this.#checked(word);
  }

  get word(): bigint {
    return this.#word;
  }

  set word(word: bigint) {
    this.#word = this.#checked(word);
  }

  enable(mask: bigint): void {
    this.#word |= this.#checked(mask);
  }

  /** A bit that was not offered may be disabled; one that does not exist may not. */
  disable(mask: bigint): void {
    this.#word &= ~this.#checked(mask);
  }

  #checked(word: bigint): bigint {
    const impossible = word & ~this.#possible;
    if (impossible === 0n) return word;
    const text = `${this.#what} ${this.#names(impossible).join(', ')} cannot be offered here; leave it out.`;
    throw new PollwireError('VHOST_UNSUPPORTED_FEATURE', text);
  }
}
