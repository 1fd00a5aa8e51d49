// Checks the operator: its Lease, its Pods and its version.
import { DEPLOYMENTS, LEASES } from '../../api/resources.ts';
import type { KubeObject } from '../../api/types.ts';
import { parseTime } from '../../engine/lib/time.ts';
import type { Cluster } from '../cluster.ts';
import { duration } from '../text.ts';
import { attempt, FORBIDDEN } from './attempt.ts';
import { INSTALL, note, ok, problem, type Finding } from './finding.ts';

interface Lease extends KubeObject {
  readonly spec?: {
    readonly holderIdentity?: string;
    readonly renewTime?: string;
    readonly leaseDurationSeconds?: number;
  };
}

interface OperatorDeployment extends KubeObject {
  readonly spec?: {
    readonly replicas?: number;
    readonly template?: { readonly spec?: { readonly containers?: readonly { readonly image?: string }[] } };
  };
  readonly status?: { readonly availableReplicas?: number };
}

export interface Examination {
  readonly findings: readonly Finding[];
  /** The Lease is current, or the user may not read it. */
  readonly alive: boolean;
  /** The Deployment of the operator; undefined if it runs outside the cluster, or if the user may not read it. */
  readonly deployment: OperatorDeployment | undefined;
}

export async function checkOperator(cluster: Cluster, namespace: string, now: number): Promise<Examination> {
  const findings: Finding[] = [];
  const leases = await attempt(findings, `Leases in ${namespace}`, () => cluster.list<Lease>(LEASES, { namespace }));
  const deployments = await attempt(findings, `Deployments in ${namespace}`, () =>
    cluster.list<OperatorDeployment>(DEPLOYMENTS, {
      namespace,
      selector: { matchLabels: { 'app.kubernetes.io/name': 'tranche' } },
    }),
  );
  const [deployment] = deployments === FORBIDDEN ? [] : deployments;
  const restart = deployment
    ? `kubectl rollout restart deployment/${deployment.metadata.name} -n ${namespace}`
    : INSTALL;
  if (deployment) findings.push(...checkPods(deployment, namespace));
  if (leases === FORBIDDEN) return { findings, alive: true, deployment };
  const lease = leases.find(({ metadata }) => metadata.name.includes('tranche'));
  if (!lease) {
    findings.push(
      problem(`no operator is active: namespace ${namespace} has no Lease; releases do not continue`, restart),
    );
    return { findings, alive: false, deployment };
  }
  const { holderIdentity = '', renewTime, leaseDurationSeconds = 15 } = lease.spec ?? {};
  const renewed = parseTime(renewTime);
  const age = renewed === undefined ? Infinity : now - renewed;
  const alive = holderIdentity !== '' && age < leaseDurationSeconds * 2000;
  findings.push(
    alive
      ? ok(`the operator is active: ${holderIdentity}`)
      : problem(
          `no operator is active: Lease ${lease.metadata.name} in ${namespace} ${holderIdentity === '' ? 'was released' : Number.isFinite(age) ? `was last renewed ${duration(age)} ago` : 'was never renewed'}; releases do not continue`,
          restart,
        ),
  );
  return { findings, alive, deployment };
}

function checkPods({ metadata, spec, status }: OperatorDeployment, namespace: string): Finding[] {
  const available = status?.availableReplicas ?? 0;
  const wanted = spec?.replicas ?? 1;
  const version = metadata.labels?.['app.kubernetes.io/version'];
  const image = spec?.template?.spec?.containers?.[0]?.image ?? '';
  // A digest cannot be compared with a version.
  const tag = image.includes('@') ? undefined : /:([\w.-]+)$/.exec(image)?.[1];
  const findings: Finding[] = [];
  if (available < wanted) {
    const what = `${available} of ${wanted} Pods of the operator are available`;
    const look = `kubectl get pods -n ${namespace} -l app.kubernetes.io/name=tranche`;
    findings.push(available === 0 ? problem(what, look) : note(what, look));
  }
  if (version !== undefined && tag !== undefined && tag.replace(/^v/, '') !== version)
    findings.push(note(`the operator runs image ${image}, but its chart has version ${version}`));
  return findings;
}
