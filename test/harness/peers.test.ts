import { afterEach, describe, expect, test, vi } from 'vitest';
import { interopBackend } from './backend.js';
import { dpdkTestpmd, requirePeer } from './peers.js';

describe('peers', () => {
  afterEach(() => vi.unstubAllEnvs());

  test('a missing peer is a reason that says how to get it', () => {
    vi.stubEnv('POLLWIRE_REQUIRE_PEERS', '');
    vi.stubEnv('POLLWIRE_DPDK_TESTPMD', '/nowhere/dpdk-testpmd');
    expect(dpdkTestpmd()).toBeUndefined();
    expect(requirePeer('dpdk')).toBe(
      'no dpdk-testpmd: apt-get install dpdk-dev, or set POLLWIRE_DPDK_TESTPMD',
    );
    vi.stubEnv('POLLWIRE_DPDK_TESTPMD', process.execPath);
    expect(requirePeer('dpdk')).toBeUndefined();
  });

  test('with POLLWIRE_REQUIRE_PEERS=1 it is an error', () => {
    vi.stubEnv('POLLWIRE_REQUIRE_PEERS', '1');
    vi.stubEnv('POLLWIRE_QEMU', '/nowhere/qemu');
    expect(() => requirePeer('qemu')).toThrow('peer qemu is not usable: no qemu-system-x86_64');
    expect(() => requirePeer('ipxe')).toThrow('ipxe-qemu');
    expect(() => requirePeer('hugepages')).not.toThrow();
  });

  test('the back-end under test is ours unless another known one is named', () => {
    vi.stubEnv('POLLWIRE_INTEROP_BACKEND', undefined);
    expect(interopBackend().kind).toBe('pollwire');
    vi.stubEnv('POLLWIRE_INTEROP_BACKEND', 'dpdk');
    expect(interopBackend().needs).toEqual(['dpdk']);
    vi.stubEnv('POLLWIRE_INTEROP_BACKEND', 'vpp');
    expect(() => interopBackend()).toThrow('POLLWIRE_INTEROP_BACKEND=vpp is unknown; use pollwire or dpdk');
  });
});
