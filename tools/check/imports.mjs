// @ts-check
// What a file imports: TypeScript through the compiler's own scanner, C++ by its include lines. Used by the
// checks on direction and confinement.
import { dirname, join } from 'node:path';
import { filesIn, lineAt, readText } from './violation.mjs';

/**
 * @typedef {object} Import
 * @property {string} file importing file, from the root
 * @property {number} line
 * @property {string} name as written
 */

/**
 * All imports of the TypeScript and JavaScript below `folders`: static, dynamic, re-exports and types.
 * @param {string} root
 * @param {string[]} folders
 * @returns {Promise<Import[]>}
 */
export async function scriptImports(root, folders) {
  const { default: ts } = await import('typescript');
  return filesIn(root, folders, /\.(ts|mjs)$/).flatMap((file) => {
    const text = readText(root, file);
    return ts
      .preProcessFile(text, true, true)
      .importedFiles.map(({ fileName, pos }) => ({ file, line: lineAt(text, pos), name: fileName }));
  });
}

/**
 * The workspace package or file that an import means: `@pollwire/x`, or a path from the root for a relative one.
 * @param {Import} entry
 */
export function importTarget({ file, name }) {
  if (name.startsWith('.')) return join(dirname(file), name);
  return name;
}

/**
 * All includes of the C++ below `folders`.
 * @param {string} root
 * @param {string[]} folders
 * @returns {Import[]} `name` without quotes or brackets
 */
export function nativeIncludes(root, folders) {
  return filesIn(root, folders, /\.(cpp|hpp|h|def)$/).flatMap((file) =>
    readText(root, file)
      .split('\n')
      .flatMap((text, index) => {
        const name = /^\s*#\s*include\s*["<]([^">]+)[">]/.exec(text)?.[1];
        return name === undefined ? [] : [{ file, line: index + 1, name }];
      }),
  );
}
