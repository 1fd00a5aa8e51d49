// The view of a release in an embedded cluster, as the dashboard would make it.
import type { ReleasePolicy } from '../../../src/api/policy.ts';
import type { Rollout } from '../../../src/api/types.ts';
import { NAMESPACES, POLICIES, ROLLOUTS } from '../../../src/api/resources.ts';
import { connectCluster } from '../../../src/cli/cluster.ts';
import type { Io } from '../../../src/cli/io.ts';
import { findWorkload, gather } from '../../../src/cli/resources.ts';
import { detailOf } from '../../../src/view/dashboard/detail.ts';
import { overviewOf } from '../../../src/view/dashboard/overview.ts';
import type { Overview, ReleaseDetail } from '../../../src/view/dashboard/types.ts';
import { policiesAmong } from '../../../src/view/policies.ts';
import { around, goldenView } from './support.ts';

/** The overview of a namespace, and the detail of each of its Rollouts. */
export async function liveViews(
  kubeconfig: string,
  namespace: string,
): Promise<{ overview: Overview; details: Readonly<Record<string, ReleaseDetail>> }> {
  const io = { env: { KUBECONFIG: kubeconfig }, err: () => undefined } as unknown as Io;
  const cluster = await connectCluster(io, { namespace, color: false }, '0.0.0');
  const now = Date.now();
  const rollouts = await cluster.list<Rollout>(ROLLOUTS, { namespace });
  const [found, all] = await Promise.all([
    cluster.find(NAMESPACES, { name: namespace }),
    cluster.list<ReleasePolicy>(POLICIES),
  ]);
  const details: Record<string, ReleaseDetail> = {};
  for (const rollout of rollouts) {
    const facts = await gather(cluster, rollout, now);
    const policies = policiesAmong(all, found, namespace, facts.deployment);
    details[rollout.metadata.name] = detailOf(facts, around({ now, rollouts, policies }));
  }
  const items = await Promise.all(
    rollouts.map(async (rollout) => ({ rollout, workload: await findWorkload(cluster, rollout) })),
  );
  return { overview: overviewOf(items, { namespace, now }), details };
}

/** Compares with a golden file. Names that chance gives and times are made the same. */
export function goldenLive(name: string, view: unknown): void {
  const seen = new Map<string, string>();
  const named = (kind: string) => (found: string) => {
    if (!seen.has(found)) seen.set(found, `${kind}${seen.size + 1}`);
    return seen.get(found)!;
  };
  goldenView(name, view, (text) =>
    text
      .replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ/g, 'TIME')
      .replace(/("version":)"[0-9a-f]{16}"/g, '$1"VERSION"')
      .replace(/\b[0-9a-f]{16}\b/g, named('RELEASE'))
      .replace(/\bweb-[bcdf-hj-np-tv-z2456789]{6,10}-[bcdf-hj-np-tv-z2456789]{5}\b/g, 'web-HASH-POD')
      .replace(/(?<=\bweb-|\(|")(?=[a-z]*\d)[bcdf-hj-np-tv-z2456789]{8,10}\b/g, named('HASH'))
      .replace(/waiting for web-HASH-POD \(\w+\)/g, 'waiting for Pods')
      .replace(/\bErrImagePull\b/g, 'ImagePullBackOff'),
  );
}
