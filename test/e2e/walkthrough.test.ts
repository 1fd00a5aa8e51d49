// The guide's walkthrough as an acceptance test: S1, S2, S5, S6 and S7.
import assert from 'node:assert/strict';
import type { Context } from 'mocha';
import { theCluster, makeNamespace } from './harness/session.ts';
import { observe } from './observe.ts';
import { walkthrough, type Stage } from './walkthrough.ts';

describe('The walkthrough of the basic-usage guide', function () {
  this.timeout(240_000);
  let stage: Stage;
  let broken = false;

  before(async () => {
    const { client } = theCluster();
    const namespace = await makeNamespace('walkthrough');
    stage = {
      namespace,
      kubectl: (args, input) => client.kubectl(args, { input }),
      look: () => observe(client, namespace),
    };
  });

  for (const { title, promises, play } of walkthrough()) {
    it([...promises, title].join(' '), async function (this: Context) {
      if (broken) this.skip(); // Each step goes on from the one before.
      broken = true;
      await play(stage);
      broken = false;
    });
  }

  it('leaves no warning and no error in the log: the rights that the chart gives are enough', () => {
    const lines =
      theCluster()
        .services.find(({ name }) => name === 'the program')
        ?.output()
        .split('\n') ?? [];
    assert.ok(lines.some((line) => line.includes('"level":"info"')));
    const bad = lines.filter((line) => /"level":"(warn|error)"|forbidden/i.test(line));
    assert.deepEqual(bad, []);
  });
});
