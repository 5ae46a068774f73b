/** net_ring against the conformance suite. */
import { describeDriver } from '@pollwire/testkit';
import driver from './ring.js';

describeDriver({ driver, devargs: () => '', refused: [] });
