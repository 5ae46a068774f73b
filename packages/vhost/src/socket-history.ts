/**
 * What a socket remembers for those who ask later why its link is down: since when it is in its state, how often somebody connected, how
 * the last connection ended. Kept by VhostSocket.
 */
import type { CloseReason } from '@pollwire/vhost-user';
import type { DeviceDescription } from './describe.js';
import { describeDevice, deviceLines, timelineOf } from './describe.js';
import type { VhostDevice } from './device.js';

export interface LastEnd {
  /** ISO 8601. */
  readonly at: string;
  readonly reason: string;
  /** What was missing when it ended; undefined when the device was ready until then. */
  readonly missing: string | undefined;
  readonly timeline: readonly string[];
}

/** Everything that is known of a socket; JSON can hold it. */
export interface VhostDescription {
  readonly path: string;
  readonly role: 'server' | 'client';
  readonly state: 'not started' | 'listening' | 'connecting' | 'connected' | 'closed';
  /** When that state began, ISO 8601. */
  readonly since: string;
  /** Front-ends that have connected so far. */
  readonly connections: number;
  readonly device: DeviceDescription | undefined;
  readonly lastEnd: LastEnd | undefined;
  /** The first thing that keeps the link down, in words; undefined when it is up. */
  readonly missing: string | undefined;
}

export class SocketHistory {
  readonly #path: string;
  readonly #client: boolean;
  readonly #netDevice: boolean;
  #state: VhostDescription['state'] = 'not started';
  #since = new Date();
  #connections = 0;
  #lastEnd: LastEnd | undefined;
  /** Client: why the last try failed. */
  #waiting: string | undefined;
  /** What was missing when the connection was last seen alive. */
  #wasReady = false;
  #missing: string | undefined;

  constructor(path: string, client: boolean, netDevice: boolean) {
    this.#path = path;
    this.#client = client;
    this.#netDevice = netDevice;
  }

  /** Waits for a front-end, or stopped doing so. */
  enter(state: 'idle' | 'closed'): void {
    if (state === 'closed') this.#state = 'closed';
    else this.#state = this.#client ? 'connecting' : 'listening';
    this.#since = new Date();
  }

  waiting(text: string): void {
    this.#waiting = text;
  }

  connected(): void {
    this.#state = 'connected';
    this.#since = new Date();
    this.#connections += 1;
    this.#waiting = undefined;
    this.#wasReady = false;
    this.#missing = undefined;
  }

  /** The device became ready. */
  ready(): void {
    this.#wasReady = true;
  }

  /** Before the device forgets what it was told. */
  ending(device: VhostDevice): void {
    if (!this.#wasReady) this.#missing ??= device.whyNotReady();
  }

  ended(device: VhostDevice, reason: CloseReason): void {
    this.#lastEnd = {
      at: new Date().toISOString(),
      reason: reason.text,
      missing: this.#missing,
      timeline: timelineOf(device.session),
    };
    if (this.#state === 'connected') this.enter('idle');
  }

  describe(device: VhostDevice | undefined): VhostDescription {
    const seen = device === undefined ? undefined : describeDevice(device, this.#netDevice);
    return {
      path: this.#path,
      role: this.#client ? 'client' : 'server',
      state: this.#state,
      since: this.#since.toISOString(),
      connections: this.#connections,
      device: seen,
      lastEnd: this.#lastEnd,
      missing: seen === undefined ? this.#nobody() : seen.missing,
    };
  }

  #nobody(): string {
    const since = this.#since.toISOString();
    if (this.#state === 'not started' || this.#state === 'closed') return `the socket is ${this.#state}`;
    const waits = this.#client
      ? `connecting to ${this.#path} since ${since}`
      : `listening at ${this.#path} since ${since}`;
    if (this.#waiting !== undefined) return `${waits}: ${this.#waiting}`;
    if (this.#lastEnd === undefined) return `${waits}; nobody has connected yet`;
    const { at, reason, missing } = this.#lastEnd;
    const until = missing === undefined ? '' : `; it was never ready: ${missing}`;
    return `${waits}; the last connection ended at ${at}: ${reason}${until}`;
  }
}

/** A description as lines for people, the first missing condition first. */
export function descriptionLines(d: VhostDescription): string[] {
  return [
    `${d.path}: ${d.role}, ${d.state} since ${d.since}, connections so far: ${d.connections}`,
    `link: ${d.missing === undefined ? 'up' : `down: ${d.missing}`}`,
    ...(d.device === undefined ? [] : deviceLines(d.device)),
    ...(d.lastEnd === undefined ? [] : [`last connection ended at ${d.lastEnd.at}: ${d.lastEnd.reason}`]),
    ...(d.lastEnd === undefined || d.device !== undefined
      ? []
      : ['its messages:', ...d.lastEnd.timeline.map((line) => `  ${line}`)]),
  ];
}
