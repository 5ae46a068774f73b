// Words that must not appear: found with their place, and not found where they mean something else.
import { check } from '@pollwire/tools/check/forbidden-tokens';
import { describe, expect, it } from 'vitest';
import { violationsIn } from './fixture.js';

describe('forbidden-tokens', () => {
  it.each([
    ['native/src/base/shared.hpp', 'v.load(std::memory_order_acquire);'],
    ['native/src/ring/ring.hpp', 'v.load(std::memory_order_acquire);'],
    ['native/src/mbuf/pool.hpp', '// no memory_order here: see shared.hpp'],
    ['native/src/virtio/pci.cpp', '// sets the bus master bit'],
    ['packages/ethdev/src/registry.ts', 'return drivers.find((driver) => driver.name === wanted);'],
    ['packages/testpmd/src/x.ts', "if (word === 'null') return null;"],
    ['test/system/x.test.ts', "expect(port.driverName).toBe('net_vhost');"],
  ])('accepts %s: %s', async (file, text) => {
    expect(await violationsIn(check, { [file]: `${text}\n` })).toEqual([]);
  });

  it.each([
    ['native/src/mbuf/pool.hpp', 'v.load(std::memory_order_acquire);'],
    ['test/system/x.test.ts', "if (port.driverName === 'net_vhost') return;"],
    ['packages/drivers/src/x.test.ts', "describe.skipIf('ring' === name)('x', () => {});"],
    ['packages/testpmd/src/x.ts', "switch (name) { case 'net_null0': break; }"],
    ['docs/x.md', 'the slave request channel'],
    ['packages/vhost-user/src/x.ts', 'const SET_SLAVE_REQ_FD = 21;'],
    ['pnpm-lock.yaml', '    resolution: {integrity: x, tarball: y}'],
  ])('refuses %s: %s', async (file, text) => {
    const found = await violationsIn(check, { [file]: `\n\n${text}\n` });
    expect(found).toHaveLength(1);
    expect(found[0]).toContain(`${file}:3: `);
  });
});
