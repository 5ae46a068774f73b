/** QEMU's machine protocol over its Unix socket: one command at a time, events collected on the side. */
import type { Socket } from 'node:net';
import { connect } from 'node:net';
import { DeadlineError, waitUntil } from './wait.js';

interface QmpMessage {
  return?: unknown;
  error?: { class: string; desc: string };
  event?: string;
  QMP?: unknown;
}

export class QmpClient {
  /** Names of the events seen so far, in order. */
  readonly events: string[] = [];
  #socket: Socket;
  #buffer = '';
  #replies: Array<(message: QmpMessage) => void> = [];
  #last: Promise<unknown> = Promise.resolve();

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setEncoding('utf8');
    socket.on('data', (chunk: string) => this.#receive(chunk));
    socket.on('error', () => {});
    socket.on('close', () => {
      for (const reply of this.#replies.splice(0))
        reply({ error: { class: 'Closed', desc: 'QEMU closed QMP' } });
    });
  }

  /** Connects, trying until QEMU has made its socket, and leaves negotiation mode. */
  static async connect(path: string, timeoutMs = 10_000): Promise<QmpClient> {
    const socket = await waitUntil('QMP socket', timeoutMs, () => tryConnect(path));
    const client = new QmpClient(socket);
    await client.execute('qmp_capabilities');
    return client;
  }

  /**
   * Runs a QMP command and returns its `return` value.
   *
   * @throws Error with QEMU's description when the command fails; DeadlineError after `timeoutMs`
   */
  execute(command: string, args: Record<string, unknown> = {}, timeoutMs = 10_000): Promise<unknown> {
    const run = this.#last.then(
      () =>
        new Promise<unknown>((resolve, reject) => {
          const timer = setTimeout(() => reject(new DeadlineError(`QMP ${command}`, timeoutMs)), timeoutMs);
          this.#replies.push((message) => {
            clearTimeout(timer);
            if (message.error !== undefined) reject(new Error(`QMP ${command}: ${message.error.desc}`));
            else resolve(message.return);
          });
          this.#socket.write(`${JSON.stringify({ execute: command, arguments: args })}\n`);
        }),
    );
    this.#last = run.catch(() => {});
    return run;
  }

  close(): void {
    this.#socket.destroy();
  }

  #receive(chunk: string): void {
    this.#buffer += chunk;
    const lines = this.#buffer.split('\n');
    this.#buffer = lines.pop() ?? '';
    for (const line of lines.filter((text) => text.trim() !== '')) {
      const message = JSON.parse(line) as QmpMessage;
      if (message.event !== undefined) this.events.push(message.event);
      else if (message.QMP === undefined) this.#replies.shift()?.(message);
    }
  }
}

/** One attempt to connect; undefined when nobody listens. */
export function tryConnect(path: string): Promise<Socket | undefined> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => resolve(socket));
    socket.once('error', () => resolve(undefined));
  });
}
