/** A device that does nothing but remember: every handler method, its arguments, the kinds of descriptors it got. */
import type { BackendChannel } from '../backend-channel.js';
import type {
  BackendHandler,
  FeatureChange,
  Outcome,
  QuiesceScope,
  ReceivedRegion,
} from '../backend-handler.js';
import type { CloseReason } from '../close-reason.js';
import type { OutgoingFd } from '../output-queue.js';
import type {
  ConfigAccess,
  InflightArea,
  IotlbMessage,
  LogArea,
  MemoryRegion,
  VringAddr,
} from '../payloads.js';
import type { ReceivedFd } from '../received-fd.js';
import type { Refusal } from '../refusal.js';
import { refuse } from '../refusal.js';

/** One call: method name and plain arguments. */
export type Call = readonly [method: string, ...args: unknown[]];

export class RecordingDevice implements BackendHandler {
  readonly calls: Call[] = [];
  /** Methods that refuse, by name. */
  readonly refusing = new Set<string>();
  /** Descriptors taken, still open. */
  readonly taken: number[] = [];
  /** Answers of getVringBase, by index; default 0. */
  readonly bases = new Map<number, number>();
  channel: BackendChannel | undefined;
  closedWith: CloseReason | undefined;
  config = Uint8Array.from({ length: 256 }, (_, i) => i);
  /** Where getInflightFd and postcopyAdvise get a descriptor to hand out. */
  openFd: () => number = () => 0;

  /** Names of the calls so far, without the ones around every message. */
  get names(): string[] {
    return this.calls
      .map(([name]) => name)
      .filter((name) => !['quiesce', 'resume', 'messageHandled'].includes(name));
  }

  setFeatures(change: FeatureChange): Outcome {
    return this.#note('setFeatures', change);
  }
  setProtocolFeatures(features: bigint): Outcome {
    return this.#note('setProtocolFeatures', features);
  }
  setStatus(status: number, previous: number): Outcome {
    return this.#note('setStatus', status, previous);
  }
  setOwner(): Outcome {
    return this.#note('setOwner');
  }
  resetOwner(): Outcome {
    return this.#note('resetOwner');
  }
  resetDevice(): Outcome {
    return this.#note('resetDevice');
  }
  setMemoryTable(regions: readonly ReceivedRegion[]): Outcome {
    this.#take(...regions.map((region) => region.fd));
    return this.#note('setMemoryTable', regions.map(plain));
  }
  addMemoryRegion(region: ReceivedRegion): Outcome {
    this.#take(region.fd);
    return this.#note('addMemoryRegion', plain(region));
  }
  removeMemoryRegion(region: MemoryRegion): Outcome {
    return this.#note('removeMemoryRegion', region);
  }
  setVringNum(index: number, size: number): Outcome {
    return this.#note('setVringNum', index, size);
  }
  setVringAddr(index: number, addr: VringAddr): Outcome {
    return this.#note('setVringAddr', index, addr);
  }
  setVringBase(index: number, base: number): Outcome {
    return this.#note('setVringBase', index, base);
  }
  getVringBase(index: number): number | Refusal {
    return this.#note('getVringBase', index) ?? this.bases.get(index) ?? 0;
  }
  setVringKick(index: number, fd: ReceivedFd | undefined): Outcome {
    return this.#fd('setVringKick', index, fd);
  }
  setVringCall(index: number, fd: ReceivedFd | undefined): Outcome {
    return this.#fd('setVringCall', index, fd);
  }
  setVringErr(index: number, fd: ReceivedFd | undefined): Outcome {
    return this.#fd('setVringErr', index, fd);
  }
  setVringEnable(index: number, enabled: boolean): Outcome {
    return this.#note('setVringEnable', index, enabled);
  }
  kickVring(index: number): Outcome {
    return this.#note('kickVring', index);
  }
  setLogBase(log: LogArea, fd: ReceivedFd): Outcome {
    this.#take(fd);
    return this.#note('setLogBase', log);
  }
  setLogFd(fd: ReceivedFd): Outcome {
    this.#take(fd);
    return this.#note('setLogFd');
  }
  sendRarp(mac: Uint8Array): Outcome {
    return this.#note('sendRarp', [...mac]);
  }
  getInflightFd(wish: InflightArea): { area: InflightArea; fd: OutgoingFd } | Refusal {
    const refusal = this.#note('getInflightFd', wish);
    return refusal ?? { area: { ...wish, mmapSize: 0x1000n }, fd: { fd: this.openFd(), close: true } };
  }
  setInflightFd(area: InflightArea, fd: ReceivedFd): Outcome {
    this.#take(fd);
    return this.#note('setInflightFd', area);
  }
  postcopyAdvise(): OutgoingFd | Refusal {
    return this.#note('postcopyAdvise') ?? { fd: this.openFd(), close: true };
  }
  postcopyListen(): Outcome {
    return this.#note('postcopyListen');
  }
  postcopyEnd(): Outcome {
    return this.#note('postcopyEnd');
  }
  postcopyAddress(region: MemoryRegion): bigint {
    return region.guestAddr + 0xaa00_0000_0000n;
  }
  postcopyReady(): Outcome {
    return this.#note('postcopyReady');
  }
  setMtu(mtu: number): Outcome {
    return this.#note('setMtu', mtu);
  }
  iotlb(message: IotlbMessage): Outcome {
    return this.#note('iotlb', message);
  }
  getConfig(offset: number, size: number): Uint8Array | Refusal {
    return this.#note('getConfig', offset, size) ?? this.config.slice(offset, offset + size);
  }
  setConfig(access: ConfigAccess): Outcome {
    return this.#note('setConfig', access.offset, [...access.data]);
  }
  setBackendChannel(channel: BackendChannel | undefined): Outcome {
    this.channel = channel;
    return this.#note('setBackendChannel', channel !== undefined);
  }
  quiesce(scope: QuiesceScope): void {
    this.calls.push(['quiesce', scope.message, scope.ring]);
  }
  resume(scope: QuiesceScope): void {
    this.calls.push(['resume', scope.message, scope.ring]);
  }
  messageHandled(name: string): void {
    this.calls.push(['messageHandled', name]);
  }
  connectionClosed(reason: CloseReason): void {
    this.closedWith = reason;
    this.#note('connectionClosed', reason.code);
  }

  #fd(method: string, index: number, fd: ReceivedFd | undefined): Refusal | undefined {
    if (fd !== undefined) {
      this.#take(fd);
    }
    return this.#note(method, index, fd !== undefined);
  }

  #take(...fds: readonly ReceivedFd[]): void {
    this.taken.push(...fds.map((fd) => fd.take()));
  }

  #note(method: string, ...args: unknown[]): Refusal | undefined {
    this.calls.push([method, ...args]);
    return this.refusing.has(method) ? refuse(`${method} refused by the test`) : undefined;
  }
}

function plain({ guestAddr, size, userAddr, mmapOffset }: ReceivedRegion): MemoryRegion {
  return { guestAddr, size, userAddr, mmapOffset };
}
