/** The command table: every command of the prompt. A new family is a file beside this one and a line here. */
import type { Command } from '../grammar.js';
import { addressCommands } from './addresses.js';
import type { CommandContext } from './context.js';
import { controlCommands } from './control.js';
import { helpCommands } from './help.js';
import { offloadCommands } from './offloads.js';
import { portCommands } from './port.js';
import { rssCommands } from './rss.js';
import { setForwardingCommands } from './set-forwarding.js';
import { setPortCommands } from './set-port.js';
import { showConfigCommands } from './show-config.js';
import { showPortCommands } from './show-port.js';
import { showVhostCommands } from './show-vhost.js';

export const COMMANDS: readonly Command<CommandContext>[] = [
  ...helpCommands(() => COMMANDS),
  ...controlCommands,
  ...showPortCommands,
  ...showVhostCommands,
  ...showConfigCommands,
  ...setForwardingCommands,
  ...setPortCommands,
  ...portCommands,
  ...addressCommands,
  ...offloadCommands,
  ...rssCommands,
];
