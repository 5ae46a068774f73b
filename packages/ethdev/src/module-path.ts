/** Module names as users type them (path, URL, package) → what import() takes. Called for drivers (-d) and poll functions. */
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

/** A path (absolute, ./ or ../, or ending in a script's suffix) becomes a file URL relative to the working directory; the rest stays. */
export function moduleUrl(module: URL | string): string {
  if (typeof module !== 'string') return module.href;
  const isPath =
    module.startsWith('/') ||
    /^\.{1,2}\//.test(module) ||
    (/\.[mc]?[jt]s$/.test(module) && !module.includes(':'));
  return isPath && !module.startsWith('@') ? pathToFileURL(resolve(module)).href : module;
}
