// @ts-check
// Finds V8's headers of the Node that runs this, which most packages of Node install beside it. With them the addon's burst
// functions are called by V8 itself; without them through Node-API, which needs no headers of Node's own and costs more.
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** The folder, or '' when there are none, they are another version's, or this Node's V8 was built in an unusual way. */
export function v8Headers() {
  const folder = join(dirname(dirname(process.execPath)), 'include/node');
  const { v8_enable_pointer_compression: compressed, v8_enable_sandbox: sandboxed } =
    /** @type {Record<string, unknown>} */ (process.config.variables);
  if (compressed || sandboxed) return '';
  try {
    readFileSync(join(folder, 'v8.h'));
    const text = readFileSync(join(folder, 'node_version.h'), 'utf8');
    const version = ['MAJOR', 'MINOR', 'PATCH'].map(
      (part) => new RegExp(`define NODE_${part}_VERSION (\\d+)`).exec(text)?.[1],
    );
    return `v${version.join('.')}` === process.version ? folder : '';
  } catch {
    return '';
  }
}
