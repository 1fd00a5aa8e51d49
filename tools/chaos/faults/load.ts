// Faults by load: many releases at once, and many faults at once.
import { setTimeout as pause } from 'node:timers/promises';
import type { KubeObject } from '../../../src/api/types.ts';
import { Client } from '../client.ts';
import type { Fault, Run } from '../fault.ts';
import { HOOKS, LEASE, SECRET, type Stage } from '../stage.ts';
import type { Subject } from '../subject.ts';

const PODS = '/api/v1/namespaces/default/pods';
/** Steps without approval. */
const STEPS = [{ replicas: '50%', pause: { duration: 1 } }, { replicas: '100%' }];

async function inTurns<T>(items: readonly T[], width: number, work: (item: T) => Promise<unknown>): Promise<void> {
  let next = 0;
  const turn = async (): Promise<void> => {
    for (let i = next++; i < items.length; i = next++) await work(items[i]!);
  };
  await Promise.all(Array.from({ length: width }, turn));
}

interface Listed extends KubeObject {
  readonly status?: { readonly phase?: string; readonly canaryStatus?: { readonly currentStepState?: string } };
}

/** Starts all releases at once, while labels of Pods change continuously. Each label is an event for the operator. */
const full = (count: number, short: Run['short'] = false): Run => ({
  what: `${count} releases at once, and a storm of events`,
  short,
  async play(stage, recovered) {
    const all: Subject[] = [];
    await inTurns(Array.from({ length: count }), 8, async () => void all.push(await stage.subject(2, STEPS)));
    let running = true;
    const storm = (async () => {
      for (let i = 0; running; i++) {
        const { items } = (await stage.get(PODS)) as unknown as { items: KubeObject[] };
        await inTurns(items, 4, async ({ metadata }) => {
          if (running)
            await stage
              .patch(`${PODS}/${metadata.name}`, { metadata: { labels: { storm: `${i}` } } })
              .catch(() => undefined);
        });
      }
    })();
    const began = Date.now();
    await inTurns(all, 8, (subject) => stage.persist(`${subject.name}: the edit`, () => subject.release('v2')));
    await stage.until(
      'all released',
      async () => {
        const { items } = (await stage.get('/apis/rollouts.kruise.io/v1beta1/rollouts')) as unknown as {
          items: Listed[];
        };
        const mine = items.filter(({ metadata }) => all.some(({ name }) => name === metadata.name));
        await pause(500);
        return mine.every(
          ({ status }) => status?.phase === 'Healthy' && status.canaryStatus?.currentStepState === 'Completed',
        );
      },
      300,
    );
    recovered((Date.now() - began) / 1000);
    running = false;
    await storm;
    await inTurns(all, 8, (subject) => subject.toEnd('v2'));
  },
});

export const fullQueue: Fault = {
  name: 'full-queue',
  title: 'more concurrent releases than workers, and a storm of events on their Pods',
  stage: { nodes: 8 },
  client: false,
  runs: [full(200), full(12, 'only')],
};

const SECONDS = 60;

type Harm = (stage: Stage) => Promise<unknown>;

const HARMS: readonly Harm[] = [
  async (stage) => {
    (await stage.leader()).kill();
    await stage.startReplica();
  },
  async (stage) => {
    stage.killServer();
    await stage.startServer();
  },
  async (stage) =>
    cutFor(
      stage,
      stage.replicas.map(({ wire }) => wire),
    ),
  async (stage) => cutFor(stage, [stage.toWebhooks]),
  (stage) => stage.remove(LEASE),
  async (stage) => {
    await stage.remove(SECRET);
    await stage.runJob();
  },
  async (stage) => {
    const replica = stage.chance.pick(stage.replicas);
    replica.service.kill('SIGSTOP');
    await pause(stage.chance.between(500, 4_000));
    replica.service.kill('SIGCONT');
  },
  (stage) =>
    stage.patch(`${HOOKS}/mutatingwebhookconfigurations/tranche`, { metadata: { labels: { 'chaos/touched': 'yes' } } }),
];

async function cutFor(
  stage: Stage,
  wires: readonly { cut(how: 'silence' | 'refuse' | 'reset'): void; heal(): Promise<void> }[],
) {
  const how = stage.chance.pick(['silence', 'refuse', 'reset'] as const);
  for (const wire of wires) wire.cut(how);
  await pause(stage.chance.between(200, 4_000));
  for (const wire of wires) await wire.heal();
}

/** A client works on four Deployments, which must all end correctly. Meanwhile, random faults are injected one after the other, or none. */
const busy = (what: string, harms: readonly Harm[]): Run => ({
  what,
  async play(stage, recovered) {
    const client = await Client.start(stage, stage.chance, 4);
    const until = Date.now() + SECONDS * 1000;
    try {
      await stage.trouble(async () => {
        while (Date.now() < until) {
          // An object that is already deleted cannot be deleted again.
          if (harms.length > 0)
            await stage.chance
              .pick(harms)(stage)
              .catch((error: { code?: number }) => {
                if (error.code !== 404) throw error;
              });
          await pause(stage.chance.between(500, 5_000));
        }
      });
      const began = Date.now();
      await client.finish();
      recovered((Date.now() - began) / 1000);
    } finally {
      client.stop();
    }
  },
});

const storm = busy(`${SECONDS} s of random faults`, HARMS);
const calm = busy(`${SECONDS} s`, []);

export const everythingAtOnce: Fault = {
  name: 'everything',
  title: 'random faults of all kinds, while a client edits, approves, scales, rolls back and breaks images',
  client: false,
  runs: [storm, storm, storm],
};

export const busyClient: Fault = {
  name: 'busy-client',
  title: 'the client without faults',
  client: false,
  runs: [calm, calm],
};
