// The line of `status` about the TrafficRouting that a Rollout names.
import { isName, SUBDOMAIN_NAME } from '../api/names.ts';
import { TRAFFIC_ROUTINGS } from '../api/resources.ts';
import type { TrafficRoutingObject } from '../api/traffic.ts';
import type { Rollout } from '../api/types.ts';
import { cleaned } from '../engine/messages.ts';
import { routingRefOf } from '../engine/traffic/routing-object.ts';
import { show } from '../engine/validate/violation.ts';
import type { Cluster } from './cluster.ts';

/** Undefined, without a request, if it names none. */
export async function routingLine(cluster: Cluster, rollout: Rollout): Promise<string | undefined> {
  const name = routingRefOf(rollout);
  if (name === undefined) return undefined;
  const { namespace = cluster.namespace } = rollout.metadata;
  const isValid = isName(SUBDOMAIN_NAME, name);
  const what = `TrafficRouting ${isValid ? name : show(name)}`;
  const absent = `${what} does not exist: no request gets its headers`;
  try {
    // The verb list, because the ServiceAccount of the installation does not have get.
    const [found] = isValid ? await cluster.list<TrafficRoutingObject>(TRAFFIC_ROUTINGS, { namespace, name }) : [];
    if (found === undefined) return absent;
    const { phase, message } = found.status ?? {};
    const said = [phase, message].filter((text) => typeof text === 'string' && text !== '') as string[];
    return `${what}: ${said.map((text) => cleaned(text)).join(': ') || 'no status yet'}`;
  } catch (error) {
    const answer = cluster.answerOf(error);
    if (answer === 'NotFound') return absent;
    if (answer !== 'Forbidden') throw error;
    return `${what}: you may not read it`;
  }
}
