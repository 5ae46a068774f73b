import { expect, it } from 'vitest';
import type { RxOffload } from './offloads.js';
import {
  QINQ_STRIP,
  rxOffloadMask,
  rxOffloadNames,
  TX_OFFLOADS,
  txOffloadMask,
  txOffloadNames,
  VLAN_FILTER,
  VLAN_STRIP,
  vlanOffloadOf,
  withVlanOffload,
} from './offloads.js';

it('converts names to bits and back', () => {
  expect(rxOffloadMask(['VLAN_STRIP', 'TCP_CKSUM', 'BUFFER_SPLIT'])).toBe(0x100009);
  expect(rxOffloadNames(0x100009)).toEqual(['VLAN_STRIP', 'TCP_CKSUM', 'BUFFER_SPLIT']);
});

it('converts every tx name both ways', () => {
  const all = txOffloadNames(0xffff_ffff);
  expect(all).toEqual(Object.keys(TX_OFFLOADS));
  expect(txOffloadNames(txOffloadMask(all))).toEqual(all);
});

it('takes a mask as it is', () => {
  expect(txOffloadMask(0x8000)).toBe(0x8000);
});

it('refuses an unknown name', () => {
  expect(() => rxOffloadMask(['VLAN_STRPI' as RxOffload])).toThrow(
    "Unknown rx offload 'VLAN_STRPI'; did you mean 'VLAN_STRIP'?",
  );
});

it('knows the VLAN part of a mask', () => {
  const mask = rxOffloadMask(['TCP_CKSUM', 'VLAN_STRIP', 'QINQ_STRIP']);
  expect(vlanOffloadOf(mask)).toBe(VLAN_STRIP | QINQ_STRIP);
  expect(rxOffloadNames(withVlanOffload(mask, VLAN_FILTER))).toEqual(['TCP_CKSUM', 'VLAN_FILTER']);
});
