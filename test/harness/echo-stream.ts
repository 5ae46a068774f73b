/**
 * The stream of checked pings that runs in a guest while something is restarted or taken away under it: builds
 * tools/guest/echo-stream.cpp, and reads what it prints.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { guestTools } from './paths.js';
import type { QemuGuest } from './qemu.js';
import type { Scope } from './scope.js';

/** Where the program lies in the guest. */
const IN_GUEST = 'bin/echo-stream';

/** For `GuestOptions.files`. */
export function echoStreamFile(scope: Scope): Record<string, Uint8Array> {
  const program = scope.path('echo-stream');
  const source = join(guestTools, 'echo-stream.cpp');
  execFileSync(process.env.CXX ?? 'c++', ['-O1', '-static', '-o', program, source]);
  return { [IN_GUEST]: readFileSync(program) };
}

/** What the stream saw until it was told to end. */
export interface StreamReport {
  sent: number;
  received: number;
  duplicates: number;
  corrupted: number;
  /** Milliseconds without a reply, the most. */
  longest: number;
}

/** Lengths in milliseconds of the silences that have ended so far. */
export function silences(guest: QemuGuest): number[] {
  return [...guest.output().matchAll(/^@@BACK (\d+)/gm)].map((match) => Number(match[1]));
}

/** Ends the stream and returns its report. */
export async function endStream(guest: QemuGuest): Promise<StreamReport> {
  await guest.send('end');
  const match = await guest.waitOutput(/@@STREAM (.*)/, 10_000);
  const pairs = (match[1] ?? '').split(' ').map((pair) => pair.split('='));
  return Object.fromEntries(pairs.map(([name, value]) => [name, Number(value)])) as unknown as StreamReport;
}
