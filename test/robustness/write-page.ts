/** Writes docs/hostile-inputs.md anew. Run by `npm run hostile -- --write`. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { repoRoot } from '../harness/paths.js';
import { makePage, PAGE } from './page.js';

writeFileSync(join(repoRoot, PAGE), makePage());
