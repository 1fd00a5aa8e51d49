// What a command un-pauses while nobody of Tranche answers: only the template that it restored itself.
import assert from 'node:assert/strict';
import { PAUSED_UNSEEN } from '../../src/api/keys.ts';
import type { Deployment } from '../../src/api/types.ts';
import type { Cluster } from '../../src/cli/cluster.ts';
import type { Context } from '../../src/cli/context.ts';
import { letGo } from '../../src/cli/without-us.ts';
import { deployment, type DeploymentSketch } from '../engine/build.ts';

const waiting = (sketch: DeploymentSketch = {}): Deployment =>
  deployment({ settings: { paused: true }, annotations: { [PAUSED_UNSEEN]: 'false' }, ...sketch });

/** `found`: what is there when the time to wait for an operator is over. */
async function letGoWhere(found: Deployment): Promise<{ sent: unknown[]; said: string }> {
  const sent: unknown[] = [];
  let [said, now] = ['', 0];
  const cluster = {
    find: async () => found,
    send: async ({ body }: { body: unknown }) => sent.push(body),
  } as unknown as Cluster;
  const io = { now: () => (now += 60_000), out: (text: string) => (said += text) };
  const context = { io, cluster: async () => cluster } as unknown as Context;
  try {
    await letGo(context, waiting());
  } catch (error) {
    said += (error as Error).message;
  }
  return { sent, said };
}

describe('a Deployment that nobody else gives back', () => {
  it('is given back with the template that was restored', async () => {
    const { sent, said } = await letGoWhere(waiting({ metadata: { ...waiting().metadata, resourceVersion: '101' } }));
    assert.deepEqual(sent, [
      { metadata: { annotations: { [PAUSED_UNSEEN]: null }, resourceVersion: '101' }, spec: { paused: null } },
    ]);
    assert.match(said, /was given back/);
  });

  it('is not given back with a template that somebody wrote since', async () => {
    const { sent, said } = await letGoWhere(waiting({ version: 'evil' }));
    assert.deepEqual(sent, []);
    assert.match(said, /^somebody changed the template of Deployment web after this command had restored it/);
  });

  it('is not given back if it is another one of this name', async () => {
    const { sent, said } = await letGoWhere(waiting({ metadata: { ...waiting().metadata, uid: 'other' } }));
    assert.deepEqual(sent, []);
    assert.match(said, /does not exist any more/);
  });
});
