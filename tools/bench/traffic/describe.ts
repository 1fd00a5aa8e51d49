// Describes the figures of traffic: requests of each step, the reaction to ready endpoints, and memory. Pure.
import type { Section } from '../bench.ts';
import type { Requests } from '../plane/audit.ts';
import { MIB, shown } from '../text.ts';
import type { Mode, TrafficFigures } from './measure.ts';

const MODES: Readonly<Record<Mode, string>> = { None: 'without traffic', Shared: 'Shared', Apart: 'Apart' };
const KINDS: Readonly<Record<string, readonly string[]>> = {
  reads: ['get'],
  'lists and watches': ['list', 'watch'],
  writes: ['create', 'update', 'patch', 'delete'],
};

export function describeTraffic({ releases, graceSeconds, requests, reactionMs, memory }: TrafficFigures): Section[] {
  const modes = Object.keys(requests) as Mode[];
  return [
    {
      heading: 'Requests of a step',
      text: [
        `${releases} releases of ten Pods at once, in steps of 1, 50 % and 100 %. _Shared_ has \`traffic\` 30 % and 80 %, _Apart_ has 5 % and 50 %, and the others are the same without \`trafficRoutings\`. \`gracePeriodSeconds\` is ${graceSeconds}. A stand-in for the controller of the gateway accepts each route at once. The compiled program runs as a process of its own, with the rights of the chart. Requests of the program for one release, without renewals of Leases:`,
      ],
      table: {
        head: ['mode', 'phase', 'all', ...Object.keys(KINDS), 'of them to routes', 'to Services'],
        rows: modes.flatMap((mode) =>
          requests[mode].map(({ phase, requests: of }) => [
            MODES[mode],
            phase,
            sum(of, () => true),
            ...Object.values(KINDS).map((verbs) => sum(of, (verb) => verbs.includes(verb))),
            sum(of, (_, resource) => resource === 'httproutes'),
            sum(of, (_, resource) => resource === 'services'),
          ]),
        ),
      },
    },
    {
      heading: 'Reaction',
      text: [
        `From the moment when the EndpointSlices have the last ready Pod of step 2 until the route has the weight of the step, Shared, as an observer of both sees it. No grace period is in between, because the proxies know the Service already. In step 1, three grace periods are added to it.`,
      ],
      table: {
        head: ['releases', 'p50 (ms)', 'p95', 'max'],
        rows: [[reactionMs.count, reactionMs.p50, reactionMs.p95, reactionMs.max]],
      },
    },
    {
      heading: 'Memory',
      text: [
        `${memory.rollouts} Deployments of two Pods, all paused in step 1, first without traffic and then with a route each. After a garbage collection, a routed Rollout adds ${shown(addedKib(memory))} KiB to the heap.`,
      ],
      table: {
        head: ['', 'heap (MiB)', 'RSS (MiB)'],
        rows: [
          ['without traffic', memory.plainHeapBytes / MIB, memory.plainRssBytes / MIB],
          ['routed', memory.routedHeapBytes / MIB, memory.routedRssBytes / MIB],
        ],
      },
    },
  ];
}

const addedKib = ({ rollouts, plainHeapBytes, routedHeapBytes }: TrafficFigures['memory']): number =>
  (routedHeapBytes - plainHeapBytes) / 1024 / rollouts;

/** Keys are e.g. `tranche patch httproutes`. */
const sum = (requests: Requests, isCounted: (verb: string, resource: string) => boolean): number =>
  Object.entries(requests).reduce((all, [what, count]) => {
    const [, verb = '', resource = ''] = what.split(' ');
    return all + (isCounted(verb, resource) ? count : 0);
  }, 0);
