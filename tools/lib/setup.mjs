// @ts-check
// Brings the checkout to the state that a script needs: checks the machine, installs, builds what is stale, and
// nothing else. Called by every entry point of tools/. A set-up that is current takes a fraction of a second.
import { install, isInstalled } from './install.mjs';
import { withLock } from './lock.mjs';
import { buildNative, isBuilt } from './native.mjs';
import { note, seconds } from './progress.mjs';
import { checkSystem, Unmet } from './requirements.mjs';
import { CommandFailed } from './run.mjs';
import { compile, isCompiled } from './typescript.mjs';

/**
 * @typedef {object} Wanted
 * @property {import('./flavours.mjs').Flavour[]} [flavours] native builds
 * @property {import('./typescript.mjs').Scope} [scope] TypeScript to compile
 */

/**
 * @param {Wanted} wanted
 * @throws {Unmet | CommandFailed} see `explain`
 */
export async function ensure({ flavours = [], scope } = {}) {
  const started = performance.now();
  checkSystem();
  if (isCurrent({ flavours, scope })) return;
  await withLock(
    async () => {
      if (!isInstalled()) await install();
      for (const flavour of flavours) if (!isBuilt(flavour)) await buildNative(flavour);
      if (scope !== undefined && !isCompiled(scope)) await compile(scope);
    },
    () => note('set-up', 'another set-up of this checkout is running; waiting for it'),
  );
  note('set-up', `ready after ${seconds(performance.now() - started)}`);
}

/** @param {{ flavours: import('./flavours.mjs').Flavour[], scope: Wanted['scope'] }} wanted */
function isCurrent({ flavours, scope }) {
  return (
    isInstalled() &&
    flavours.every((flavour) => isBuilt(flavour)) &&
    (scope === undefined || isCompiled(scope))
  );
}

/**
 * Prints a failed set-up: what is missing with its remedy, or the whole output of the command that failed.
 * @param {unknown} error
 */
export function explain(error) {
  if (error instanceof Unmet) process.stderr.write(`${error.message}\n`);
  else if (error instanceof CommandFailed)
    process.stderr.write(`${error.output.trimEnd()}\n\n${error.message}\n`);
  else process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
}
