/**
 * All rings of a device that answers requests. Made by VhostDevice when it was given a request handler; told of every ring that becomes
 * ready, stops, or is about to.
 */
import type { RequestHandler } from './request-queue.js';
import { RequestQueue } from './request-queue.js';

/** How long GET_VRING_BASE waits for requests that are out, milliseconds. */
const DRAIN_TIMEOUT = 5000;

export class RequestServer {
  readonly #queues: readonly RequestQueue[];
  readonly #problem: (text: string) => void;

  constructor(device: number, rings: number, handler: RequestHandler, problem: (text: string) => void) {
    this.#problem = problem;
    this.#queues = Array.from(
      { length: rings },
      (_, ring) => new RequestQueue(device, ring, handler, problem),
    );
  }

  /** Requests that are out on ring `ring`. */
  inFlight(ring: number): number {
    return this.#queues[ring]?.inFlight ?? 0;
  }

  ringChanged(ring: number, ready: boolean): void {
    const queue = this.#queues[ring];
    if (ready) queue?.start();
    else queue?.stop();
  }

  /** Waits until what was taken is answered: a front-end takes the ring's index for everything before it (vhost-user, GET_VRING_BASE). */
  drain(ring: number): void | Promise<void> {
    const queue = this.#queues[ring];
    const empty = queue?.drain(DRAIN_TIMEOUT) ?? true;
    if (empty === true) return undefined;
    return Promise.resolve(empty).then((done) => {
      if (!done) {
        const text = `ring ${ring}: stopped with ${queue?.inFlight} requests unanswered after ${DRAIN_TIMEOUT} ms`;
        this.#problem(text);
      }
    });
  }

  /** The ring stopped; its requests are the driver's again. */
  ringStopped(ring: number): void {
    this.#queues[ring]?.abandon();
  }

  kickChanging(ring: number): void {
    this.#queues[ring]?.kickChanging();
  }

  kickChanged(ring: number): void {
    this.#queues[ring]?.kickChanged();
  }

  close(): void {
    for (const queue of this.#queues) queue.abandon();
  }
}
