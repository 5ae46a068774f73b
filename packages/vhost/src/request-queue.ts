/**
 * The requests of one ring, for devices that are not network cards: sleeps on the driver's kicks, takes descriptor chains and hands them
 * to a handler. Made by RequestServer for every ring that becomes ready; runs on the isolate that owns the device.
 */
import { native, sys } from '@pollwire/native';
import { VringRequest } from './vring-request.js';

/**
 * Answers a request by `request.complete(written)`, now or later. A throw (or a rejection) completes it with nothing written and is
 * reported.
 */
export type RequestHandler = (request: VringRequest) => void | Promise<void>;

/** Requests that a handler has at one time; the others wait in the ring. */
export const MAX_IN_FLIGHT = 128;
/** Requests taken before other work gets a turn. */
const BATCH = 64;
/** Milliseconds between looks at the ring of a driver that does not kick. */
const POLL_INTERVAL = 1;

export class RequestQueue {
  readonly device: number;
  readonly ring: number;
  readonly #handler: RequestHandler;
  readonly #problem: (text: string) => void;
  readonly #out = new Set<VringRequest>();
  readonly #idle: (() => void)[] = [];
  #watch: sys.Watch | undefined;
  #timer: NodeJS.Timeout | undefined;
  #again: NodeJS.Immediate | undefined;
  /** No new requests: the ring is about to stop. */
  #draining = false;
  #running = false;

  constructor(device: number, ring: number, handler: RequestHandler, problem: (text: string) => void) {
    this.device = device;
    this.ring = ring;
    this.#handler = handler;
    this.#problem = problem;
  }

  /** Requests that the handler has now. */
  get inFlight(): number {
    return this.#out.size;
  }

  /** The ring is ready: listens for kicks and takes what waits already. */
  start(): void {
    if (this.#running) return;
    this.#running = true;
    this.#draining = false;
    this.#listen();
    this.#later();
  }

  /** Takes no more requests. Those that are out may still be completed. */
  stop(): void {
    this.#running = false;
    this.#deaf();
  }

  /** The ring stopped: requests that are out mean nothing any more. */
  abandon(): void {
    this.stop();
    for (const request of this.#out) request.abandon();
    this.#out.clear();
    this.#settle();
  }

  /** Resolves true when no request is out, false when some still are after `timeout` milliseconds. No new ones are taken. */
  drain(timeout: number): boolean | Promise<boolean> {
    this.#draining = true;
    if (this.#out.size === 0) return true;
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(false), timeout);
      this.#idle.push(() => {
        clearTimeout(timer);
        resolve(true);
      });
    });
  }

  /** The kick descriptor is about to be replaced, or was. */
  kickChanging(): void {
    this.#deaf();
  }
  kickChanged(): void {
    if (this.#running) this.#listen();
  }

  completed(request: VringRequest): void {
    this.#out.delete(request);
    if (this.#out.size === 0) this.#settle();
    // Others may have waited for their turn.
    if (this.#out.size === MAX_IN_FLIGHT - 1) this.#later();
  }

  #settle(): void {
    for (const resolve of this.#idle.splice(0)) resolve();
  }

  #listen(): void {
    const fd = native.vhostRingKickFd(this.device, this.ring);
    if (fd < 0) {
      this.#timer = setInterval(() => this.#pump(), POLL_INTERVAL);
      return;
    }
    this.#watch = sys.watch(fd, sys.Ready.READABLE, () => {
      native.eventfdRead(fd);
      this.#pump();
    });
  }

  #deaf(): void {
    this.#watch?.close();
    this.#watch = undefined;
    clearInterval(this.#timer);
    clearImmediate(this.#again);
    this.#again = undefined;
  }

  #later(): void {
    this.#again ??= setImmediate(() => {
      this.#again = undefined;
      this.#pump();
    });
  }

  #pump(): void {
    if (!this.#running || this.#draining) return;
    let armed = false;
    for (let budget = BATCH; budget > 0; budget--) {
      if (this.#out.size >= MAX_IN_FLIGHT) return;
      const chain = native.vhostChainTake(this.device, this.ring);
      if (chain !== undefined) {
        armed = false;
        this.#dispatch(new VringRequest(this, chain));
        // The handler may have ended the connection.
        if (!this.#running) return;
      } else if (armed) {
        return;
      } else {
        // From here on a new request kicks; what came before that is taken in the next round.
        native.vhostRingNotify(this.device, this.ring, true);
        armed = true;
      }
    }
    this.#later();
  }

  #dispatch(request: VringRequest): void {
    this.#out.add(request);
    const failed = (error: unknown) => {
      request.complete(0);
      const why = error instanceof Error ? error.message : String(error);
      this.#problem(`ring ${this.ring}: the request handler failed: ${why}`);
    };
    try {
      const result = this.#handler(request);
      if (result instanceof Promise) result.catch(failed);
    } catch (error) {
      failed(error);
    }
  }
}
