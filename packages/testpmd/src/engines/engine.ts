/**
 * What a forwarding engine is: a recipe that is opened once per stream in the lcore that polls it, and then moves one burst per call.
 * Adding one: a file beside this one and a row in index.ts.
 */
import type { Burst, Mbufs, MempoolRef } from '@pollwire/ethdev';
import type { Arena } from '@pollwire/native';
import type { EngineSettings } from '../forward-data.js';
import type { EngineName } from '../settings.js';
import type { Stream } from './stream.js';

/** What an engine finds in its lcore. */
export interface EngineContext {
  readonly lcore: number;
  readonly arena: Arena;
  readonly mbufs: Mbufs;
  readonly settings: EngineSettings;
  /** What may change while forwarding runs; read once per burst. */
  readonly control: { verbose: number };
  /** A further burst, freed with the lcore. */
  burst(capacity: number): Burst;
  pool(name: string): MempoolRef;
  /** MAC address of a port. */
  macOf(port: number): Uint8Array;
  /** Writes text to the user. Slow; only for dumps. */
  print(text: string): void;
}

/** An engine at work on one stream. */
export interface OpenEngine {
  /** Moves at most one burst; returns the number of packets handled. Allocates nothing, never blocks, keeps no packets unless it buffers. */
  forward(): number;
  /** Frees what it buffers. */
  close?(): void;
}

export interface Engine {
  readonly name: EngineName;
  open(stream: Stream, ctx: EngineContext): OpenEngine;
}
