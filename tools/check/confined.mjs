// @ts-check
// Things that may be named in few places: Node's headers, loading the addon, Workers, the container.
import { nativeIncludes, scriptImports } from './imports.mjs';
import { filesIn, isTestFile, readText } from './violation.mjs';

const NATIVE_FOLDERS = ['native/src', 'native/test', 'native/bench', 'native/fuzz'];

/** @type {{ header: RegExp, allowed: RegExp, remedy: string }[]} */
const HEADERS = [
  {
    header: /^(napi|node_api|js_native_api)\b.*\.h$/,
    allowed: /^native\/src\/binding\//,
    remedy: 'keep the core free of Node-API: only native/src/binding/ includes it',
  },
  {
    header: /^(uv|v8|node)(-\w+)?\.h$/,
    allowed: /^native\/src\/binding\/fast_call\.hpp$/,
    remedy:
      'not part of node-api-headers: use sys/ (epoll, threads) or Node-API instead; fast_call.hpp alone does without them',
  },
];

/** @type {{ module: RegExp, allowed: RegExp, remedy: string }[]} */
const MODULES = [
  {
    module: /^(node:)?worker_threads$/,
    allowed: /^packages\/(ethdev\/src\/lcore[\w-]*\.ts|testkit\/)/,
    remedy: 'start Workers through an Lcore (packages/ethdev/src/lcore*.ts)',
  },
  {
    module: /^tsyringe$/,
    allowed: /^packages\/(ethdev\/src\/di\.ts|testpmd\/)/,
    remedy: 'take plain constructor arguments; compose in ethdev/src/di.ts or testpmd',
  },
];

const ADDON = {
  load: /\bprocess\.dlopen\b|\.node['"`]\s*\)/,
  allowed: 'packages/native/src/load.ts',
  remedy: 'import @pollwire/native instead: one file loads the addon',
};

export const name = 'confined';

/** @param {string} root @returns {Promise<import('./violation.mjs').Result>} */
export async function check(root) {
  return { violations: [...headers(root), ...(await modules(root)), ...addonLoads(root)] };
}

/** @param {string} root */
function headers(root) {
  return nativeIncludes(root, NATIVE_FOLDERS).flatMap(({ file, line, name: header }) =>
    HEADERS.filter((row) => row.header.test(header) && !row.allowed.test(file)).map(({ remedy }) => ({
      file,
      line,
      message: `<${header}> is not allowed here`,
      remedy,
    })),
  );
}

/** @param {string} root */
async function modules(root) {
  const imports = await scriptImports(root, ['packages', 'examples']);
  return imports.flatMap(({ file, line, name: module }) =>
    MODULES.filter((row) => row.module.test(module) && !row.allowed.test(file) && !isTestFile(file)).map(
      ({ remedy }) => ({ file, line, message: `${module} is not allowed here`, remedy }),
    ),
  );
}

/** @param {string} root */
function addonLoads(root) {
  return filesIn(root, ['packages', 'test', 'examples'], /\.ts$/)
    .filter((file) => file !== ADDON.allowed && !file.startsWith('test/checks/'))
    .flatMap((file) =>
      readText(root, file)
        .split('\n')
        .flatMap((text, index) =>
          ADDON.load.test(text)
            ? [{ file, line: index + 1, message: 'the addon is loaded here', remedy: ADDON.remedy }]
            : [],
        ),
    );
}
