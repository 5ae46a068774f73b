// The histogram of round trips: exact where it can be, within 1.6 % elsewhere, and the same array for ever.
import { describe, expect, it } from 'vitest';
import { Histogram } from './histogram.js';

describe('Histogram', () => {
  it('is empty at first', () => {
    const histogram = new Histogram();
    expect([histogram.count, histogram.max, histogram.quantile(0.5)]).toEqual([0, 0, 0]);
  });

  it('is exact below 128', () => {
    const histogram = new Histogram();
    for (let value = 1; value <= 100; value++) histogram.record(value);
    expect([0, 0.5, 0.99, 1].map((share) => histogram.quantile(share))).toEqual([1, 50, 99, 100]);
  });

  it.each([128, 1000, 4095, 4096, 65_537, 1_234_567, 536_870_912, 999_999_999])(
    'knows %d to 1.6 %%, and never as less',
    (value) => {
      const histogram = new Histogram();
      histogram.record(value);
      histogram.record(1_000_000_000);
      const seen = histogram.quantile(0.5);
      expect(seen).toBeGreaterThanOrEqual(value);
      expect(seen).toBeLessThanOrEqual(value * 1.016);
    },
  );

  it('has its quantiles where a sorted list has them', () => {
    const histogram = new Histogram();
    const values = Array.from({ length: 20_000 }, (_, i) => ((i * 7919) % 20_011) * ((i % 37) + 1));
    for (const value of values) histogram.record(value);
    values.sort((a, b) => a - b);
    for (const share of [0.1, 0.5, 0.9, 0.99, 0.999]) {
      const exact = values[Math.ceil(share * values.length) - 1] as number;
      expect(Math.abs(histogram.quantile(share) - exact)).toBeLessThanOrEqual(exact * 0.016 + 1);
    }
    expect(histogram.quantile(1)).toBe(values.at(-1));
  });

  it('takes what is out of range at its ends', () => {
    const histogram = new Histogram();
    histogram.record(-5);
    expect(histogram.quantile(1)).toBe(0);
    histogram.record(5e12);
    expect(histogram.max).toBe(1_000_000_000);
    expect(histogram.quantile(1)).toBe(1_000_000_000);
    expect(histogram.count).toBe(2);
  });
});
