import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { TextOutput } from './output.js';
import { Prompt } from './prompt.js';
import type { Session } from './session.js';

/** A session that takes its time and remembers. */
function fakeSession(onLine: (line: string) => void = () => undefined) {
  const quitting = new AbortController();
  const out = new TextOutput();
  const ran: string[] = [];
  const app = { out, quitSignal: quitting.signal, redraw: undefined as (() => void) | undefined };
  const session = {
    app,
    run: async (line: string) => {
      await new Promise((resolve) => setImmediate(resolve));
      ran.push(line);
      if (line === 'quit') quitting.abort();
      onLine(line);
    },
  } as unknown as Session;
  return { session, out, ran, app, quitting };
}

function open(onLine?: (line: string) => void) {
  const fake = fakeSession(onLine);
  const input = new PassThrough();
  const prompt = new Prompt(fake.session, { input, output: new PassThrough() });
  return { ...fake, input, done: prompt.run() };
}

describe('a prompt on a pipe', () => {
  it('echoes each line behind the prompt and runs them in order', async () => {
    const { input, done, out, ran } = open();
    input.end('start\n\nstop\nquit\n');
    await done;
    expect(ran).toEqual(['start', '', 'stop', 'quit']);
    expect(out.text).toBe('testpmd> start\ntestpmd> \ntestpmd> stop\ntestpmd> quit\n');
  });

  it('ends with the input, after the last line ran, even without a newline', async () => {
    const { input, done, ran } = open();
    input.end('start\nshow port stats all');
    await done;
    expect(ran).toEqual(['start', 'show port stats all']);
  });

  it('leaves lines behind quit alone', async () => {
    const { input, done, ran } = open();
    input.write('quit\nstart\n');
    await done;
    expect(ran).toEqual(['quit']);
  });

  it('ends when the application is asked to end, while it waits for input', async () => {
    const { done, quitting, out } = open();
    quitting.abort();
    await done;
    expect(out.text).toBe('testpmd> ');
  });

  it('waits for the line that runs', async () => {
    let finished = false;
    const { input, done, quitting } = open(() => {
      finished = true;
    });
    input.write('start\n');
    await new Promise((resolve) => setImmediate(resolve));
    quitting.abort();
    await done;
    expect(finished).toBe(true);
  });

  it('draws itself again after an event, but not while a command runs', async () => {
    const { input, done, app, out } = open(() => app.redraw?.());
    app.redraw?.();
    expect(out.text).toBe('testpmd> testpmd> ');
    input.end('start\n');
    await done;
    expect(out.text).toBe('testpmd> testpmd> start\n');
    expect(app.redraw).toBeUndefined();
  });
});
