// Things that few files may name: allowed where the table says, one line anywhere else.
import { check } from '@pollwire/tools/check/confined';
import { describe, expect, it } from 'vitest';
import { violationsIn } from './fixture.js';

describe('confined', () => {
  it('accepts each thing in its place', async () => {
    const found = await violationsIn(check, {
      'native/src/binding/addon.cpp': '#include <napi.h>\n',
      'packages/native/src/load.ts': 'process.dlopen(module, path);\n',
      'packages/ethdev/src/lcore-worker.ts': "import { parentPort } from 'node:worker_threads';\n",
      'packages/ethdev/src/lcore.test.ts': "import { Worker } from 'node:worker_threads';\n",
      'packages/testpmd/src/main.ts': "import { container } from 'tsyringe';\n",
    });
    expect(found).toEqual([]);
  });

  it.each([
    ['native/src/mbuf/mempool.cpp', '#include <napi.h>'],
    ['native/test/mbuf_test.cpp', '#include <node_api.h>'],
    ['native/src/binding/watcher.cpp', '#include <uv.h>'],
    ['packages/vhost/src/worker.ts', "import { Worker } from 'node:worker_threads';"],
    ['packages/ethdev/src/port.ts', "import { inject } from 'tsyringe';"],
    ['packages/vhost/src/raw.ts', "const addon = require('./pollwire.node');"],
  ])('refuses %s: %s', async (file, text) => {
    const found = await violationsIn(check, { [file]: `\n${text}\n` });
    expect(found).toHaveLength(1);
    expect(found[0]).toContain(`${file}:2: `);
  });
});
