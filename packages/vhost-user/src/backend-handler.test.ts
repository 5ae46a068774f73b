/** A back-end session as its device sees it: quiescing, failures, extern handlers, the time line. */
import { describe, expect, it, vi } from 'vitest';
import type { BackendHandler } from './backend-handler.js';
import { ProtocolFeature } from './protocol-features.js';
import { refuse } from './refusal.js';
import { backendBench, negotiateRaw } from './testing/backend-bench.js';
import { REGION } from './testing/samples.js';

const nextTurn = () => new Promise<void>((resolve) => setImmediate(resolve));

describe('quiescing', () => {
  it('wraps what the table says, by ring or by device', () => {
    const bench = backendBench();
    negotiateRaw(bench);
    bench.device.calls.length = 0;
    bench.peer.send('SET_VRING_CALL', { index: 3, noFd: true });
    bench.peer.send('SET_MEM_TABLE', [REGION], { fds: 1 });
    bench.peer.send('GET_FEATURES', undefined);
    bench.exchange();
    expect(bench.device.calls.map(([name, ...args]) => [name, ...args.slice(0, 2)].join(' '))).toEqual([
      'quiesce SET_VRING_CALL 3',
      'setVringCall 3 false',
      'resume SET_VRING_CALL 3',
      'messageHandled SET_VRING_CALL',
      'quiesce SET_MEM_TABLE ',
      'setMemoryTable [object Object]',
      'resume SET_MEM_TABLE ',
      'messageHandled SET_MEM_TABLE',
      'messageHandled GET_FEATURES',
    ]);
  });

  it('resumes also after a refusal and a throw', async () => {
    for (const fail of [
      () => refuse('no'),
      () => {
        throw new Error('no');
      },
    ]) {
      const bench = backendBench({}, (device) => Object.assign(device, { setVringNum: fail }));
      negotiateRaw(bench);
      bench.peer.send('SET_VRING_NUM', { index: 0, num: 256 }, { needReply: true });
      bench.exchange();
      await nextTurn();
      expect(bench.device.calls).toContainEqual(['resume', 'SET_VRING_NUM', 0]);
    }
  });

  it('may take time; messages wait and stay in order', async () => {
    const bench = backendBench({}, (device) => Object.assign(device, { quiesce: nextTurn }));
    negotiateRaw(bench);
    await vi.waitFor(() => expect(bench.device.names).toContain('setFeatures'));
    bench.peer.send('SET_VRING_NUM', { index: 0, num: 256 }, { needReply: true });
    bench.peer.send('GET_VRING_BASE', { index: 0, num: 0 });
    bench.peer.send('GET_FEATURES', undefined);
    bench.peer.frames();
    const names: string[] = [];
    await vi.waitFor(() => {
      names.push(...bench.peer.frames().map((reply) => reply.name));
      expect(names).toHaveLength(3);
    });
    expect(names).toEqual(['SET_VRING_NUM', 'GET_VRING_BASE', 'GET_FEATURES']);
  });
});

describe('a device that fails', () => {
  it('ends the connection with its own words', async () => {
    const boom = () => {
      throw new Error('out of mappings');
    };
    const bench = backendBench({}, (device) => Object.assign(device, { setMemoryTable: boom }));
    negotiateRaw(bench);
    bench.peer.send('SET_MEM_TABLE', [REGION], { fds: 1, needReply: true });
    bench.exchange();
    await nextTurn();
    expect(bench.device.closedWith).toMatchObject({ code: 'VHOST_HANDLER_FAILED' });
    expect(bench.device.closedWith?.text).toContain('out of mappings');
    expect(bench.leaked()).toBe(0);
  });
});

describe('a device that fails at the end', () => {
  it('is noted, and nothing more', async () => {
    const boom = () => {
      throw new Error('late');
    };
    const bench = backendBench({}, (device) => Object.assign(device, { connectionClosed: boom }));
    bench.session.close();
    await expect(bench.session.closed).resolves.toMatchObject({ code: 'VHOST_CLOSED' });
    expect(bench.session.trace.entries.at(-1)).toMatchObject({
      name: 'handler failed',
      fields: { error: 'late' },
    });
  });
});

describe('extern handlers', () => {
  const withExtern = (extern: NonNullable<BackendHandler['extern']>) => {
    const options = { extraProtocolFeatures: ProtocolFeature.CRYPTO_SESSION };
    const bench = backendBench(options, (device) => Object.assign(device, { extern }));
    negotiateRaw(bench, ProtocolFeature.REPLY_ACK | ProtocolFeature.CRYPTO_SESSION);
    return bench;
  };

  it('before: see everything first, replace or refuse it', () => {
    const seen: string[] = [];
    const bench = withExtern({
      before: ({ id, name }) => {
        seen.push(name ?? `request ${id}`);
        if (id === 99) {
          return { reply: Uint8Array.of(7) };
        }
        if (name === 'SET_VRING_NUM') {
          return 'handled';
        }
        return name === 'SET_VRING_BASE' ? refuse('not today') : 'not-handled';
      },
    });
    seen.length = 0;
    bench.peer.sendRaw(99, Uint8Array.of(1));
    bench.peer.send('SET_VRING_NUM', { index: 0, num: 3 }, { needReply: true });
    bench.peer.send('SET_VRING_BASE', { index: 0, num: 3 }, { needReply: true });
    const replies = bench.exchange();
    expect(seen).toEqual(['request 99', 'SET_VRING_NUM', 'SET_VRING_BASE']);
    expect(replies.map(({ payload }) => [...payload][0])).toEqual([7, 0, 1]);
    expect(bench.device.names).not.toContain('setVringNum');
  });

  it('after: serve what nobody handled', () => {
    const bench = withExtern({
      after: ({ name }, handled) => {
        return handled || name !== 'CREATE_CRYPTO_SESSION'
          ? 'not-handled'
          : { reply: Uint8Array.of(1, 2, 3) };
      },
    });
    bench.peer.send('CREATE_CRYPTO_SESSION', Uint8Array.of(9, 9, 9));
    bench.peer.send('CLOSE_CRYPTO_SESSION', 1n, { needReply: true });
    const replies = bench.exchange();
    expect(replies[0]).toMatchObject({ name: 'CREATE_CRYPTO_SESSION', payload: Uint8Array.of(1, 2, 3) });
    expect(replies[1]).toMatchObject({ name: 'CLOSE_CRYPTO_SESSION', u64: 1n });
  });
});

describe('the time line', () => {
  it('tells what happened, both ways, up to the end', async () => {
    const bench = backendBench();
    negotiateRaw(bench);
    bench.peer.send('SET_VRING_NUM', { index: 0, num: 3 });
    bench.exchange();
    await nextTurn();
    const lines = bench.session.trace.entries.map(
      (entry) => `${entry.dir} ${entry.name}${entry.reply ? ' reply' : ''}`,
    );
    expect(lines).toEqual([
      'in GET_FEATURES',
      'out GET_FEATURES reply',
      'in GET_PROTOCOL_FEATURES',
      'out GET_PROTOCOL_FEATURES reply',
      'in SET_PROTOCOL_FEATURES',
      'in SET_OWNER',
      'in SET_FEATURES',
      'in SET_VRING_NUM',
      'note refused',
      'note closed',
    ]);
  });
});
