/** The shape of one command line option; each file beside this one is a table of them by family. Read by ../options.ts. */
import type { Settings } from '../settings.js';

export interface OptionRow {
  /** DPDK's long name, without dashes. */
  readonly name: string;
  /** One-letter form. */
  readonly short?: string;
  /** Label of the value; absent for a flag. */
  readonly value?: string;
  readonly help: string;
  /**
   * Takes the value over. `option` is the name as typed, for messages. Absent: the option is accepted and changes nothing,
   * which is said once for all such options.
   */
  readonly apply?: (settings: Settings, value: string, option: string) => void;
}
