/** Tables in the documents say what the code says. */
import { drivers } from '@pollwire/drivers';
import { L } from '@pollwire/native';
import { ENGINE_NAMES } from '@pollwire/testpmd';
import netVhost, { offeredFeatures, VhostSocket } from '@pollwire/vhost';
import { DEFAULT_LIMITS, FRONTEND_REQUESTS, featureNames, protocolFeatureNames } from '@pollwire/vhost-user';
import { netVirtioUser } from '@pollwire/virtio';
import { describe, expect, it } from 'vitest';
import { codeBlocks, readDocument, tableRows } from './markdown.js';

describe('docs/vhost-user.md', () => {
  it('lists every request of the front-end as the message table has it', () => {
    const rows = Object.values(FRONTEND_REQUESTS).map(({ id, name, fds, feature, handledSince }) => {
      const carried = fds.min === fds.max ? String(fds.min) : `${fds.min} to ${fds.max}`;
      return [String(id), name, carried, feature ?? '', handledSince === null ? 'no' : 'yes'];
    });
    expect(tableRows('docs/vhost-user.md', 'Id')).toEqual(rows);
  });

  it('names the limits of a connection', () => {
    const text = readDocument('docs/vhost-user.md');
    const { handshakeTimeout, partialTimeout, writeTimeout, messageBudget, pauseReadingAbove, maxOutput } =
      DEFAULT_LIMITS;
    expect(text).toContain(`| first message after the connection | within ${handshakeTimeout / 1000} s |`);
    expect(text).toContain(`| rest of a message after its first byte | within ${partialTimeout / 1000} s |`);
    expect(text).toContain(`| a full socket that does not move | ${writeTimeout / 1000} s |`);
    expect(text).toContain(`| messages handled before other work gets a turn | ${messageBudget} |`);
    expect(text).toContain(
      `pauses at ${pauseReadingAbove / 1024} KiB, the connection closes at ${maxOutput / 1024} KiB`,
    );
  });
});

describe('docs/ports.md', () => {
  it('lists every devarg of the simple drivers with its default and meaning', () => {
    const text = (value: unknown) =>
      typeof value === 'boolean' ? String(Number(value)) : String(value ?? '');
    const rows = drivers.flatMap((driver) =>
      Object.entries(driver.args).map(([name, kind]) => [
        driver.name,
        name,
        kind.required === true ? 'required' : text(kind.default),
        kind.doc,
      ]),
    );
    expect(tableRows('docs/ports.md', 'Port')).toEqual(rows);
  });

  it('lists every simple driver with its aliases', () => {
    const named = tableRows('docs/ports.md', 'Driver (alias)').map(([name]) => name);
    for (const { name, aliases } of drivers) {
      expect(named).toContain(aliases.length === 0 ? name : `${name} (${aliases.join(', ')})`);
    }
  });
});

describe('docs/vhost.md', () => {
  const words = (first: string) => {
    const block = codeBlocks('docs/vhost.md').find(({ code }) => code.startsWith(first));
    return block?.code.trim().split(/\s+/);
  };

  it('lists every devarg with its default, and which come later', () => {
    const rows = Object.entries(netVhost.args).map(([name, kind]) => {
      const text = kind.required === true ? 'required' : String(Number(kind.default ?? 0));
      return [name, text, kind.kind === 'later'];
    });
    const documented = tableRows('docs/vhost.md', 'Devarg').map(([name, text, meaning]) => [
      name,
      text,
      meaning === 'comes later',
    ]);
    expect(documented.sort()).toEqual(rows.sort());
  });

  it('gives the feature word and its names', () => {
    expect(readDocument('docs/vhost.md')).toContain(`\`0x${offeredFeatures().toString(16)}\``);
    expect(words('VIRTIO_NET_F_CSUM')).toEqual(featureNames(offeredFeatures()));
  });

  it('gives the protocol features', () => {
    const { protocolFeatures } = new VhostSocket('/tmp/never-started');
    expect(words('MQ  LOG_SHMFD')).toEqual(protocolFeatureNames(protocolFeatures));
  });
});

describe('docs/virtio-user.md', () => {
  it('lists every devarg with its default', () => {
    const words: Record<string, string> = { mac: 'random', speed: 'unknown' };
    const rows = Object.entries(netVirtioUser.args).map(([name, kind]) => {
      const text = kind.required === true ? 'required' : String(Number(kind.default));
      return [name, words[name] ?? text];
    });
    const documented = tableRows('docs/virtio-user.md', 'Argument').map(([name, text]) => [name, text]);
    expect(documented.sort()).toEqual(rows.sort());
  });
});

describe('docs/testpmd.md', () => {
  it('lists every engine', () => {
    const documented = tableRows('docs/testpmd.md', 'Mode').map(([name]) => name);
    expect(documented.sort()).toEqual([...ENGINE_NAMES].sort());
  });
});

describe('docs/memory.md', () => {
  it('draws the mbuf header where the fields are', () => {
    const drawing = codeBlocks('docs/memory.md').find(({ code }) => code.includes('bufAddr'))?.code ?? '';
    const place = (field: string) => {
      const line = drawing.split('\n').find((text) => new RegExp(`\\b${field}\\b`).test(text)) ?? '';
      const header = drawing.split('\n')[0] as string;
      const row = Number(/^ *(\d+)/.exec(line)?.[1]);
      const column = line.search(new RegExp(`\\b${field}\\b`));
      return row + Number(/^\d+/.exec(header.slice(column))?.[0]);
    };
    expect(place('bufAddr')).toBe(L.MBUF_BUF_ADDR);
    expect(place('dataOff')).toBe(L.MBUF_DATA_OFF);
    expect(place('refcnt')).toBe(L.MBUF_REFCNT);
    expect(place('nbSegs')).toBe(L.MBUF_NB_SEGS);
    expect(place('port')).toBe(L.MBUF_PORT);
    expect(place('pktLen')).toBe(L.MBUF_PKT_LEN);
    expect(place('dataLen')).toBe(L.MBUF_DATA_LEN);
    expect(place('vlanTci')).toBe(L.MBUF_VLAN_TCI);
    expect(place('next')).toBe(L.MBUF_NEXT);
    expect(place('olFlags')).toBe(L.MBUF_OL_FLAGS);
    expect(place('packetType')).toBe(L.MBUF_PACKET_TYPE);
    expect(place('hashRss')).toBe(L.MBUF_HASH_RSS);
    expect(place('l3Len')).toBe(L.MBUF_L3_LEN);
    expect(place('tsoSegsz')).toBe(L.MBUF_TSO_SEGSZ);
    expect(place('vlanOuter')).toBe(L.MBUF_VLAN_TCI_OUTER);
    expect(place('bufLen')).toBe(L.MBUF_BUF_LEN);
    expect(place('ext')).toBe(L.MBUF_EXT);
    expect(place('timestamp')).toBe(L.MBUF_TIMESTAMP);
    expect(readDocument('docs/memory.md')).toContain(`headroom of ${L.MBUF_HEADROOM} bytes`);
  });
});
