import { describe, expect, it } from 'vitest';
import type { Command } from './grammar.js';
import {
  command,
  completeLine,
  kw,
  num,
  onOff,
  parseLine,
  pick,
  port,
  ports,
  usageOf,
  word,
} from './grammar.js';

const ran: unknown[] = [];
const COMMANDS: Command<string>[] = [
  command({
    words: [kw('set'), kw('burst'), num('count', 1, 512)],
    section: 'config',
    help: '',
    run: ({ count }, context: string) => void ran.push([context, count + 1]),
  }),
  command({
    words: [kw('set'), kw('flush'), onOff('on')],
    section: 'config',
    help: '',
    run: ({ on }) => void ran.push(!on),
  }),
  command({
    words: [kw('show'), pick('what', ['info', 'stats']), ports()],
    section: 'display',
    help: '',
    run: ({ what, ports: which }) => void ran.push([what, which]),
  }),
  command({ words: [kw('show'), port(), kw('macs')], section: 'display', help: '', run: () => undefined }),
  command({
    words: [kw('load'), word('file')],
    section: 'control',
    help: '',
    run: ({ file }) => void ran.push(file),
  }),
];

function run(line: string): unknown {
  const parsed = parseLine(line, COMMANDS);
  if (parsed.kind !== 'run') return parsed.kind;
  ran.length = 0;
  void parsed.command.run(parsed.args, 'here');
  return ran[0];
}

describe('parseLine', () => {
  it.each([
    ['set burst 16', ['here', 17]],
    ['  set   burst\t0x10 ', ['here', 17]],
    ['set burst 0b11', ['here', 4]],
    ['set flush on', false],
    ['show info all', ['info', 'all']],
    ['show stats 7', ['stats', 7]],
    ['load ./a-file,b=c', './a-file,b=c'],
  ])('gives %j its typed values', (line, expected) => {
    expect(run(line)).toEqual(expected);
  });

  it.each([
    ['', 'empty'],
    ['   ', 'empty'],
    ['# set burst 4', 'empty'],
    ['frobnicate', 'unknown'],
    ['burst set', 'unknown'],
    ['set', 'bad'],
    ['set burst', 'bad'],
    ['set burst 0', 'bad'],
    ['set burst 513', 'bad'],
    ['set burst -1', 'bad'],
    ['set burst 1e2', 'bad'],
    ['set burst 16 17', 'bad'],
    ['set flush maybe', 'bad'],
    ['show info', 'bad'],
    ['show info 0x', 'bad'],
    ['SET burst 16', 'unknown'],
  ])('answers %j with %s', (line, kind) => {
    expect(run(line)).toBe(kind);
  });

  it('names the commands that came nearest', () => {
    const parsed = parseLine('set burst none', COMMANDS);
    expect(parsed.kind === 'bad' && parsed.near.map((one) => usageOf(one.words))).toEqual([
      'set burst (count)',
    ]);
  });
});

describe('completeLine', () => {
  const complete = (line: string) => completeLine(line, COMMANDS, { portIds: () => [0, 3] });

  it.each([
    ['', [['load', 'set', 'show'], '']],
    ['s', [['set', 'show'], 's']],
    ['se', [['set '], 'se']],
    ['set ', [['burst', 'flush'], '']],
    ['set burst ', [[], '']],
    ['set flush o', [['off', 'on'], 'o']],
    ['show ', [['0', '3', 'info', 'stats'], '']],
    ['show info ', [['0', '3', 'all'], '']],
    ['show info a', [['all '], 'a']],
    ['show 3 ', [['macs '], '']],
    ['nothing ', [[], '']],
    ['show info all ', [[], '']],
  ])('%j', (line, expected) => {
    expect(complete(line)).toEqual(expected);
  });
});

it('writes usage from the tokens', () => {
  expect(usageOf((COMMANDS[2] as Command<string>).words)).toBe('show (info|stats) (port_id|all)');
});
