/** The example driver is a driver: it passes the conformance suite like those of the packages. */
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Driver } from '@pollwire/ethdev';
import { describeDriver } from '@pollwire/testkit';
import { repoRoot } from '../harness/paths.js';

const file = join(repoRoot, 'examples/dist/custom-driver.js');
const { default: driver } = (await import(pathToFileURL(file).href)) as { default: Driver };

describeDriver({
  driver,
  devargs: () => '',
  refused: [
    [',drop=-1', /drop.*-1/],
    [',drop=all', /drop.*all/],
  ],
});
