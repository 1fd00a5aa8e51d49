// Measures releases that route traffic: on the embedded cluster, and with BIN on a real control plane.
import path from 'node:path';
import type { Bench } from '../bench.ts';
import { builtProgram } from '../plain.ts';
import { describeTraffic } from './describe.ts';
import { embedded, openGround, realPlane } from './ground.ts';
import { measureTraffic, type TrafficFigures } from './measure.ts';

const FULL = { releases: 5, rollouts: 20 } as const;
const QUICK = { releases: 2, rollouts: 5 } as const;

const benchOn = (name: string, title: string, start: () => ReturnType<typeof embedded>): Bench<TrafficFigures> => ({
  name,
  title,
  async run({ quick, progress }) {
    progress('compiling the program as for the image');
    await builtProgram();
    const ground = await openGround(await start());
    try {
      return await measureTraffic(ground, quick ? QUICK : FULL, progress);
    } finally {
      await ground.stop();
    }
  },
  describe: describeTraffic,
});

export const trafficBench = benchOn('traffic', 'Traffic', embedded);

/** `bin`: the program with the sub-commands etcd, kube-apiserver and kube-controller-manager. */
export const trafficPlaneBench = (bin: string): Bench<TrafficFigures> =>
  benchOn('traffic-plane', 'Traffic, on a real control plane', () => realPlane(path.resolve(bin)));
