import { expect, it } from 'vitest';
import { adjustDescriptors } from './port-info.js';

const info = { min: 64, max: 4096, align: 32, powerOfTwo: false, default: 512 };

it.each([
  [0, 512],
  [1, 64],
  [100, 128],
  [4096, 4096],
  [9999, 4096],
])('brings %d descriptors within the limits', (asked, adjusted) => {
  expect(adjustDescriptors(asked, info)).toBe(adjusted);
});

it('rounds up to a power of two', () => {
  expect(adjustDescriptors(300, { ...info, powerOfTwo: true })).toBe(512);
});
