/** Column helpers and ruler lines that the reports share. Widths are DPDK's; scripts count on them. */

type Value = number | bigint | string;

/** Padded on the right to `width`. */
export const left = (value: Value, width: number): string => String(value).padEnd(width);

/** Padded on the left to `width`. */
export const right = (value: Value, width: number): string => String(value).padStart(width);

/** A line of `count` times `character`, two blanks in. */
export const rule = (character: string, count: number): string => `  ${character.repeat(count)}`;

/** ` Infos for port 0  ` between two rows of 21 asterisks. */
export const infoTitle = (text: string): string => `${'*'.repeat(21)} ${text} ${'*'.repeat(21)}`;

export const onOff = (on: boolean): string => (on ? 'on' : 'off');

/** Lines with a newline behind each. */
export const lines = (...all: string[]): string => all.map((line) => `${line}\n`).join('');
