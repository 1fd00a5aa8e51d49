// Kills the program with SIGKILL around its writes of routes and Services, while proxies watch them.
import type { Fault, Run } from '../fault.ts';
import type { Stage } from '../stage.ts';
import type { Call, Moment } from '../tap.ts';

/** The versions are apart: 1 of 4 Pods gets 5 % of the requests. */
const STEPS = [{ replicas: 1, traffic: '5%' }, { replicas: '50%', traffic: '30%' }, { replicas: '100%' }];

const writesTraffic = ({ method, path }: Call): boolean =>
  method !== 'GET' && /\/(httproutes|services)(\/|$)/.test(path) && !path.endsWith('/status');

type Ending = 'completed' | 'rolled back';

/** Kills the program at the k-th of these writes, and starts it again. Resolves with false if it made fewer. */
async function killAtWrite(
  stage: Stage,
  k: number,
  moment: Moment,
  ending: Ending,
  recovered: (seconds: number) => void,
): Promise<boolean> {
  const subject = await stage.routedSubject(4, STEPS);
  let writes = 0;
  let struckAt: number | undefined;
  const struck = Promise.withResolvers<void>();
  const [replica] = stage.replicas;
  replica!.tap!.strike = (call, when) => {
    if (when !== moment || !writesTraffic(call) || struckAt !== undefined || ++writes !== k) return undefined;
    struckAt = Date.now();
    return () => {
      replica!.kill();
      struck.resolve();
    };
  };
  const second = struck.promise.then(() => stage.startReplica());
  second.catch(() => undefined);
  await subject.release('v2');
  if (ending === 'rolled back') {
    await subject.stands(1, 120);
    await stage.persist('the rollback', () => subject.release('v1'));
  }
  await subject.toEnd(ending === 'rolled back' ? 'v1' : 'v2', 240);
  await subject.checkRoute();
  if (struckAt === undefined) return false;
  recovered((Date.now() - struckAt) / 1000);
  await second;
  return true;
}

const atWrites = (moment: Moment, ending: Ending): Run => ({
  what: `${ending}, killed ${moment} each write of a route or a Service`,
  async play(stage, recovered) {
    for (let k = 1; await killAtWrite(stage, k, moment, ending, recovered); k++);
  },
});

/** A short form that kills at one write only. */
const atOneWrite: Run = {
  what: 'rolled back, killed after one write of a route or a Service',
  short: 'only',
  async play(stage, recovered) {
    await killAtWrite(stage, stage.chance.between(1, 6), 'after', 'rolled back', recovered);
  },
};

export const killedAtTraffic: Fault = {
  name: 'operator-killed-at-traffic',
  title: 'kill -9 of the operator before and after each of its writes of routes and Services',
  stage: { tapped: true, replicas: 1, nodes: 16, routes: true, flags: ['--leader-elect', 'false'] },
  client: false,
  runs: [
    atWrites('after', 'completed'),
    atWrites('after', 'rolled back'),
    atWrites('before', 'completed'),
    atWrites('before', 'rolled back'),
    atOneWrite,
  ],
};
