/** Node options for the thread of an lcore. Called by Lcore. */

/** Options that carry a program or say what kind of text it is: a thread has a file, and refuses them. */
const PROGRAM = new Set(['-e', '--eval', '-p', '-pe', '--print', '--input-type']);

/** `execArgv` of the process without the options that belong to a program given as text (`node --input-type=module -e …`). */
export function threadExecArgv(execArgv: readonly string[]): string[] {
  const kept: string[] = [];
  for (let i = 0; i < execArgv.length; i++) {
    const word = execArgv[i] as string;
    if (PROGRAM.has(word)) i++;
    else if (!PROGRAM.has(word.split('=', 1)[0] as string)) kept.push(word);
  }
  return kept;
}
