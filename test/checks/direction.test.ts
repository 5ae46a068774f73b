// Arrows between folders and packages: the right ones pass, each wrong one is one line with its place.
import { check as native } from '@pollwire/tools/check/direction-native';
import { check as packages } from '@pollwire/tools/check/direction-packages';
import { describe, expect, it } from 'vitest';
import { violationsIn } from './fixture.js';

const HEADERS = {
  'native/src/base/ids.hpp': '#include <cstdint>\n',
  'native/src/mbuf/mbuf.hpp': '#include "base/ids.hpp"\n',
  'native/src/virtqueue/layout_split.hpp': '#include "../base/ids.hpp"\n',
  'native/src/virtqueue/split_device.hpp': '#include "layout_split.hpp"\n',
  'native/src/offload/virtio_net.hpp': '#include "virtqueue/layout_split.hpp"\n#include "mbuf/mbuf.hpp"\n',
  'native/src/vhost/rx.cpp': '#include "offload/virtio_net.hpp"\n#include "base/ids.hpp"\n',
  'native/src/virtio/queue.hpp': '#include "virtqueue/layout_split.hpp"\n',
  'native/src/binding/addon.cpp': '#include "vhost/rx.cpp"\n#include <napi.h>\n',
};

describe('direction-native', () => {
  it('accepts the arrows of the architecture', async () => {
    expect(await violationsIn(native, HEADERS)).toEqual([]);
  });

  it.each([
    [
      'a ring that knows mbufs',
      'native/src/virtqueue/chain.hpp',
      'mbuf/mbuf.hpp',
      'virtqueue/ must not include mbuf/',
    ],
    [
      'vhost that knows virtio',
      'native/src/vhost/tx.cpp',
      '../virtio/queue.hpp',
      'vhost/ must not include virtio/',
    ],
    [
      'a core that knows the binding',
      'native/src/mbuf/pool.cpp',
      'binding/addon.cpp',
      'must not include binding/',
    ],
    [
      'offload that knows a ring',
      'native/src/offload/csum.cpp',
      'virtqueue/split_device.hpp',
      'only layouts',
    ],
    [
      'a folder without a row',
      'native/src/misc/x.cpp',
      'base/ids.hpp',
      'native/src/misc is not in the table',
    ],
  ])('refuses %s', async (_what, file, header, message) => {
    const found = await violationsIn(native, { ...HEADERS, [file]: `// first\n#include "${header}"\n` });
    expect(found).toHaveLength(1);
    expect(found[0]).toContain(`${file}:2: `);
    expect(found[0]).toContain(message);
  });
});

describe('direction-packages', () => {
  it('accepts the arrows of the architecture, and testkit in tests', async () => {
    const found = await violationsIn(packages, {
      'packages/vhost/package.json':
        '{ "dependencies": { "@pollwire/ethdev": "workspace:*", "tsyringe": "4" } }',
      'packages/vhost/src/index.ts': "import { Port } from '@pollwire/ethdev';\nimport './session.js';\n",
      'packages/vhost/src/index.test.ts': "import { fake } from '@pollwire/testkit';\n",
      'packages/vhost/src/note.ts': "// import '@pollwire/testpmd' would be wrong\nexport {};\n",
    });
    expect(found).toEqual([]);
  });

  it.each([
    [
      'a library that knows the application',
      'packages/vhost/src/x.ts',
      '@pollwire/testpmd',
      'vhost must not import',
    ],
    [
      'vhost that knows virtio',
      'packages/vhost/src/x.ts',
      '@pollwire/virtio',
      'must not import @pollwire/virtio',
    ],
    [
      'testkit outside tests',
      'packages/ethdev/src/x.ts',
      '@pollwire/testkit',
      'must not import @pollwire/testkit',
    ],
    [
      'an engine that knows a driver',
      'packages/testpmd/src/engines/x.ts',
      '@pollwire/drivers/null',
      'an engine',
    ],
    [
      'a path out of the package',
      'packages/ethdev/src/x.ts',
      '../../native/src/load.js',
      'leaves the package',
    ],
  ])('refuses %s', async (_what, file, target, message) => {
    const found = await violationsIn(packages, { [file]: `export {};\nexport type * from '${target}';\n` });
    const located = found.filter((line) => line.startsWith(`${file}:2: `));
    expect(located).toHaveLength(1);
    expect(located[0]).toContain(message);
  });

  it('refuses a wrong dependency in a manifest, and a package without a row', async () => {
    const found = await violationsIn(packages, {
      'packages/native/package.json': '{ "dependencies": { "@pollwire/ethdev": "workspace:*" } }',
      'packages/misc/package.json': '{}',
    });
    expect(found).toHaveLength(2);
    expect(found.join('\n')).toContain('native must not depend on @pollwire/ethdev');
    expect(found.join('\n')).toContain('misc is not in the table of packages');
  });
});
