// Checks whether OpenKruise Rollouts is still running. It would overwrite the takeover.
import { LEASES, MUTATING, type Resource } from '../../api/resources.ts';
import type { KubeObject } from '../../api/types.ts';
import { parseTime } from '../../engine/lib/time.ts';
import type { Cluster } from '../cluster.ts';

interface Lease extends KubeObject {
  readonly spec?: {
    readonly holderIdentity?: string;
    readonly renewTime?: string;
    readonly leaseDurationSeconds?: number;
  };
}

interface WebhookConfiguration extends KubeObject {
  readonly webhooks?: readonly { readonly name: string }[];
}

/** The Lease for the leader election of its replicas. */
const LEASE = '71ddec2c.kruise.io';
/** Webhooks in its mutating webhook configuration. */
const WEBHOOKS = new Set(['mdeployment.kb.io', 'munifiedworkload.kb.io']);

export interface Running {
  /** Why a takeover is not possible yet; undefined if OpenKruise is not running. */
  readonly why?: string;
  readonly remedy?: string;
  /** The kinds that the user may not read. */
  readonly unknown: readonly string[];
}

export async function findRunning(cluster: Cluster, now: number): Promise<Running> {
  const unknown: string[] = [];
  const look = async <T extends KubeObject>(what: string, resource: Resource, name?: string): Promise<T[]> => {
    try {
      return await cluster.list<T>(resource, { name });
    } catch (error) {
      if (cluster.answerOf(error) !== 'Forbidden') throw error;
      unknown.push(what);
      return [];
    }
  };
  const leases = await look<Lease>('Leases', LEASES, LEASE);
  for (const { metadata, spec } of leases) {
    const { holderIdentity = '', renewTime, leaseDurationSeconds = 15 } = spec ?? {};
    const left = (parseTime(renewTime) ?? 0) + leaseDurationSeconds * 1000 - now;
    if (holderIdentity !== '' && left > 0)
      return {
        why: `OpenKruise Rollouts is still running: its Lease ${LEASE} in namespace ${metadata.namespace} was renewed a moment ago`,
        remedy:
          `kubectl scale deployment kruise-rollout-controller-manager -n ${metadata.namespace} --replicas=0, ` +
          `then try again in ${Math.ceil(left / 1000)} s`,
        unknown,
      };
  }
  const configurations = await look<WebhookConfiguration>('webhook configurations', MUTATING);
  const still = configurations.find(({ webhooks }) => webhooks?.some(({ name }) => WEBHOOKS.has(name)));
  return still
    ? {
        why: `the webhooks of OpenKruise Rollouts are still installed: mutatingwebhookconfiguration ${still.metadata.name}`,
        remedy: `kubectl delete mutatingwebhookconfiguration ${still.metadata.name}`,
        unknown,
      }
    : { unknown };
}
