/** net_null against the conformance suite. */
import { describeDriver } from '@pollwire/testkit';
import driver from './null.js';

describeDriver({
  driver,
  devargs: () => '',
  refused: [
    [',size=13', /size.*13/],
    [',size=big', /size.*big/],
    [',copy=maybe', /copy.*maybe/],
  ],
});
