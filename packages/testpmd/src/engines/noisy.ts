/**
 * noisy: behaves like a network function with work of its own: holds packets back in a FIFO, and reads and writes random memory for each.
 * Full FIFO: the oldest packets leave as new ones come. Flush time: all of it leaves when nothing was sent for that long.
 */
import { parseMac } from '@pollwire/ethdev';
import type { NoisySettings } from '../settings.js';
import { TupleSwapper } from './5tswap.js';
import type { Engine, EngineContext, OpenEngine } from './engine.js';
import { EtherRewriter, macWords } from './ether.js';
import { HandleFifo } from './handle-fifo.js';
import type { Stream } from './stream.js';

export const noisy: Engine = {
  name: 'noisy',
  open(stream, ctx) {
    const settings = ctx.settings.noisy;
    const edit = packetEdit(stream, ctx, settings.mode);
    const memory = new NoisyMemory(settings);
    if (settings.bufferSize === 0) return unbuffered(stream, edit, memory);
    return new BufferedNoise(stream, ctx, edit, memory);
  },
};

type Edit = ((h: number) => void) | undefined;

function packetEdit(stream: Stream, ctx: EngineContext, mode: NoisySettings['mode']): Edit {
  if (mode === 'io') return undefined;
  if (mode === '5tswap') {
    const swapper = new TupleSwapper(ctx);
    return (h) => swapper.swap(h);
  }
  const ether = new EtherRewriter(ctx.arena, ctx.mbufs);
  if (mode === 'macswap') return (h) => ether.swap(h);
  const addresses = macWords(parseMac(stream.data.peer), stream.ownMac);
  return (h) => ether.set(h, addresses);
}

function editAll(stream: Stream, edit: Edit, n: number): void {
  if (edit === undefined) return;
  for (let i = 0; i < n; i++) edit(stream.burst.handles[i] as number);
}

function unbuffered(stream: Stream, edit: Edit, memory: NoisyMemory): OpenEngine {
  return {
    forward() {
      const n = stream.receive();
      if (n === 0) return 0;
      editAll(stream, edit, n);
      memory.disturb(n);
      stream.send(n);
      return n;
    },
  };
}

class BufferedNoise implements OpenEngine {
  private readonly fifo: HandleFifo;
  private readonly out;
  private readonly flushMs: number;
  private lastSent = performance.now();
  private flushing = false;

  constructor(
    private readonly stream: Stream,
    ctx: EngineContext,
    private readonly edit: Edit,
    private readonly memory: NoisyMemory,
  ) {
    this.fifo = new HandleFifo(ctx.settings.noisy.bufferSize);
    this.flushMs = ctx.settings.noisy.flushMs;
    this.out = ctx.burst(stream.burst.capacity);
  }

  forward(): number {
    const { stream, fifo } = this;
    const n = stream.receive();
    if (n > 0) {
      editAll(stream, this.edit, n);
      this.memory.disturb(n);
      this.release(fifo.length + n - fifo.capacity);
      // A burst larger than the whole FIFO: what does not fit goes on at once, behind what was older.
      const fit = Math.min(n, fifo.capacity - fifo.length);
      fifo.pushFrom(stream.burst.handles, n - fit, fit);
      stream.burst.length = n - fit;
      if (n > fit) stream.send(n - fit);
      else stream.burst.clear();
      return n;
    }
    return this.flush();
  }

  close(): void {
    while (this.fifo.length > 0) {
      this.take(this.fifo.length);
      this.out.free(0);
    }
  }

  /** One burst per call until the FIFO is empty, once its time has come. */
  private flush(): number {
    if (this.flushMs === 0 || this.fifo.length === 0) return 0;
    if (!this.flushing && performance.now() - this.lastSent < this.flushMs) return 0;
    const n = this.take(this.fifo.length);
    this.flushing = this.fifo.length > 0;
    this.sendOut(n);
    return n;
  }

  /** Sends the `count` oldest. */
  private release(count: number): void {
    for (let left = Math.min(count, this.fifo.length); left > 0; ) {
      const n = this.take(left);
      this.sendOut(n);
      left -= n;
    }
  }

  private take(count: number): number {
    const n = Math.min(count, this.out.capacity, this.fifo.length);
    this.fifo.popInto(this.out.handles, n);
    this.out.first = 0;
    this.out.length = n;
    return n;
  }

  private sendOut(n: number): void {
    this.stream.sendFrom(this.out, n);
    if (this.flushMs !== 0) this.lastSent = performance.now();
  }
}

/** The memory that random accesses go to. */
class NoisyMemory {
  private readonly words: Uint32Array;
  private readonly settings: NoisySettings;
  private state = 0x9e37_79b9;
  /** Keeps reads alive. */
  private sum = 0;

  constructor(settings: NoisySettings) {
    this.settings = settings;
    this.words = new Uint32Array((settings.memoryMiB << 20) / 4);
  }

  disturb(packets: number): void {
    if (this.words.length === 0) return;
    const { reads, writes, readWrites } = this.settings;
    for (let packet = 0; packet < packets; packet++) {
      for (let i = 0; i < writes; i++) this.words[this.pick()] = i;
      for (let i = 0; i < reads; i++) this.sum = (this.sum + (this.words[this.pick()] as number)) | 0;
      for (let i = 0; i < readWrites; i++) {
        const at = this.pick();
        this.words[at] = ((this.words[at] as number) + 1) | 0;
      }
    }
  }

  /** Marsaglia's xorshift; the sizes are powers of two or not, so the remainder is taken. */
  private pick(): number {
    let x = this.state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.state = x;
    return (x >>> 0) % this.words.length;
  }
}
