// The rights for traffic routing: what the chart's value adds is what docs/security.md says, and each right, taken away, stops something aloud.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { ApiError } from '@tranche/sandbox/types';
import { createLane, LANE, laneIn, untilLane } from '../operator/lane.ts';
import { NAME, type World, type WorldOptions } from '../operator/world.ts';
import { OPERATOR } from '../operator/api.ts';
import { routedWorld, routeIn, ROUTING, serviceIn } from '../operator/traffic.ts';
import { silent, type Fields, type Logger } from '../../src/kube/log.ts';
import { granted, isFor, show, watchRequests, type Grant } from './grants.ts';

const VALUE = 'traffic.gatewayAPI.enabled';
const STEPS = [{ replicas: 1, traffic: '30%' }, { replicas: '50%', traffic: '80%' }, { replicas: '100%' }];

async function added(): Promise<readonly Grant[]> {
  const without = new Set((await granted()).map(show));
  return (await granted(`${VALUE}=true`)).filter((grant) => !without.has(show(grant)));
}

interface Outcome {
  /** The first that does not come about. */
  readonly stops: string;
  /** The status of the Rollout or the log names the right. */
  readonly aloud: boolean;
}

type Milestone = readonly [title: string, reach: (world: World) => Promise<void>];

const HEALTHY: Milestone = [
  'the Rollout becomes Healthy',
  async (world) => {
    await world.createDeployment();
    await world.createRollout(STEPS, { canary: { trafficRoutings: ROUTING } });
    await world.untilHealthy();
  },
];
const ROUTED: readonly Milestone[] = [
  HEALTHY,
  [
    'a step is done',
    async (world) => {
      await world.release('v2');
      await world.untilPaused(1, 120_000);
    },
  ],
  [
    'a newer version gets its share',
    async (world) => {
      await world.release('v3');
      await world.until('its share', () => world.canary.traffic?.state === 'Watch' && world.sizes['v3'] === 1, 120_000);
    },
  ],
  [
    'the release ends',
    async (world) => {
      await world.release('v1');
      await world.until('the end', () => world.rollout.status?.phase === 'Healthy', 120_000);
    },
  ],
  [
    'nothing is left',
    async (world) => {
      await world.until('the user’s route', () => routeIn(world)?.spec.rules?.[0]?.backendRefs?.length === 1);
      await world.until('no Services', () => serviceIn(world, `${NAME}-canary`) === undefined);
    },
  ],
];
/** With a TrafficRouting. */
const HEADERS: readonly Milestone[] = [
  [
    'the Rollout becomes Healthy',
    async (world) => {
      await createLane(world);
      await world.createDeployment();
      await world.createRollout([{ replicas: 1 }, { replicas: '100%' }], { canary: { trafficRoutingRef: LANE } });
      await world.untilHealthy();
    },
  ],
  ['the TrafficRouting is Healthy', (world) => untilLane(world, 'Healthy')],
  [
    'requests get their headers',
    async (world) => {
      await world.release('v2');
      await world.untilPaused(1);
      await world.until('a rule more', () => routeIn(world)?.spec.rules?.length === 2);
    },
  ],
  [
    'the route is given back',
    async (world) => {
      await world.approve();
      await world.untilHealthy();
      await untilLane(world, 'Healthy');
    },
  ],
];

async function without(
  grant: Grant | undefined,
  milestones: readonly Milestone[],
  options: WorldOptions = {},
): Promise<Outcome> {
  const said: string[] = [];
  const hear = (_: string, fields?: Fields): void =>
    void said.push(String((fields?.['error'] as Error | undefined)?.message));
  const logger: Logger = { ...silent, warn: hear, error: hear, child: () => logger };
  const world = await routedWorld({ ...options, logger });
  watchRequests(world.virtual.cluster, OPERATOR.username, (asked) => {
    if (grant && isFor(grant, asked))
      throw new ApiError({ code: 403, reason: 'Forbidden', message: `no ${show(grant)}` } as never);
  });
  const outcome = (stops: string): Outcome => {
    const status = JSON.stringify([world.rollout.status, laneIn(world)?.status]);
    const named = grant && `no ${show(grant)}`;
    return { stops, aloud: named === undefined || [...said, status].some((text) => text.includes(named)) };
  };
  try {
    for (const [milestone, reach] of milestones) {
      try {
        await reach(world);
      } catch (error) {
        if (!(error instanceof assert.AssertionError) || grant === undefined) throw error;
        return outcome(milestone);
      }
    }
    return outcome('');
  } finally {
    await world.stop();
  }
}

async function stopsWithout(
  grants: readonly Grant[],
  milestones: readonly Milestone[],
  options?: WorldOptions,
): Promise<Readonly<Record<string, string>>> {
  const found: Record<string, Outcome> = {};
  for (const grant of grants) found[show(grant)] = await without(grant, milestones, options);
  const silentOnes = Object.entries(found).flatMap(([name, { aloud }]) => (aloud ? [] : [name]));
  assert.deepEqual(silentOnes, []);
  return Object.fromEntries(Object.entries(found).map(([name, outcome]) => [name, outcome.stops]));
}

const isForHeaders = ({ resource }: Grant): boolean => resource.startsWith('trafficroutings');

describe('the rights for traffic routing', () => {
  it('are in docs/security.md, each with its reason, and no other', async () => {
    const text = await readFile(new URL('../../docs/security.md', import.meta.url), 'utf8');
    const rows = text.split('\n').filter((line) => line.startsWith('| `') && line.includes(`only with \`${VALUE}\``));
    const written = rows.flatMap((row) => {
      const [, resources = '', verbs = '', why = ''] = row.split('|').map((cell) => cell.trim());
      assert.notEqual(why, '', row);
      const names = [...resources.matchAll(/`([a-z/]+)`/g)].map(([, name]) => name!);
      return names.flatMap((name) => (verbs.split(', only')[0] ?? '').split(', ').map((verb) => `${verb} ${name}`));
    });
    assert.deepEqual(written.toSorted(), (await added()).map(show).toSorted());
  });

  it('are enough', async () => {
    assert.deepEqual(await without(undefined, ROUTED), { stops: '', aloud: true });
    assert.deepEqual(await without(undefined, HEADERS, { routings: true }), { stops: '', aloud: true });
  });

  it('are each needed, and each missed aloud', async () => {
    const grants = (await added()).filter((grant) => !isForHeaders(grant));
    const verbs = (of: string): string[] => grants.filter(({ resource }) => resource === of).map(({ verb }) => verb);
    // A GRPCRoute is written by the same code.
    assert.deepEqual(verbs('grpcroutes'), verbs('httproutes'));
    const stops = await stopsWithout(
      grants.filter(({ resource }) => resource !== 'grpcroutes'),
      ROUTED,
    );
    assert.deepEqual(stops, {
      'get httproutes': 'a step is done',
      'list httproutes': 'a step is done',
      'watch httproutes': 'a step is done',
      'patch httproutes': 'a step is done',
      'get services': 'a step is done',
      'create services': 'a step is done',
      'patch services': 'a newer version gets its share',
      'delete services': 'the release ends',
      'list endpointslices': 'a step is done',
      'watch endpointslices': 'a step is done',
    });
  });

  it('for TrafficRoutings are each needed, and each missed aloud', async () => {
    const stops = await stopsWithout((await added()).filter(isForHeaders), HEADERS, { routings: true });
    assert.deepEqual(stops, {
      'list trafficroutings': 'the TrafficRouting is Healthy',
      // It is late.
      'watch trafficroutings': '',
      'patch trafficroutings': 'requests get their headers',
      'patch trafficroutings/status': 'the TrafficRouting is Healthy',
    });
  });
});
