// A small tree of files in a temporary folder, on which a check is tried. Used by the tests beside it.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { format } from '@pollwire/tools/check';
import type { Check } from '@pollwire/tools/check/violation';

/** Runs a check on `files` (path → text) and returns its violations, one line each. */
export async function violationsIn(check: Check['check'], files: Record<string, string>): Promise<string[]> {
  const root = mkdtempSync(join(tmpdir(), 'pollwire-check-'));
  try {
    mkdirSync(join(root, 'packages'), { recursive: true });
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), text);
    }
    return (await check(root)).violations.map(format);
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}
