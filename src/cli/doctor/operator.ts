// Checks the operator: its Lease, its Pods and its version.
import { DEPLOYMENTS, LEASES, PODS } from '../../api/resources.ts';
import type { KubeObject, Pod } from '../../api/types.ts';
import { cleaned } from '../../engine/messages.ts';
import { parseTime } from '../../engine/lib/time.ts';
import type { Cluster } from '../cluster.ts';
import { duration } from '../text.ts';
import { attempt, FORBIDDEN } from './attempt.ts';
import { INSTALL, note, ok, problem, type Finding } from './finding.ts';

const PUSH_IT =
  'push it to this registry, set operator.imagePullSecrets if the registry is private, or name another image with this command';

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

/** `outside`: the address of a webhook of a program that runs outside the cluster. */
export async function checkOperator(
  cluster: Cluster,
  namespace: string,
  { now, outside }: { readonly now: number; readonly outside: string | undefined },
): Promise<Examination> {
  const findings: Finding[] = [];
  const leases = await attempt(findings, `Leases in ${namespace}`, () => cluster.list<Lease>(LEASES, { namespace }));
  const deployments = await attempt(findings, `Deployments in ${namespace}`, () =>
    cluster.list<OperatorDeployment>(DEPLOYMENTS, {
      namespace,
      selector: { matchLabels: { 'app.kubernetes.io/name': 'tranche' } },
    }),
  );
  const [deployment] = deployments === FORBIDDEN ? [] : deployments;
  const pods =
    deployment && (await attempt(findings, `Pods in ${namespace}`, () => cluster.list<Pod>(PODS, { namespace })));
  const restart = deployment
    ? `kubectl rollout restart deployment/${deployment.metadata.name} -n ${namespace}`
    : outside !== undefined && URL.canParse(outside)
      ? `make run WEBHOOK_URL=${new URL(outside).origin}`
      : INSTALL;
  if (deployment) findings.push(...checkPods(deployment, namespace));
  if (deployment && pods !== undefined && pods !== FORBIDDEN) findings.push(...checkImages(deployment, pods));
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

/** The reasons of the kubelet, and what to do. */
const NO_IMAGE: Readonly<Record<string, string>> = {
  ErrImagePull: PUSH_IT,
  ImagePullBackOff: PUSH_IT,
  ErrImageNeverPull: 'with pullPolicy Never, load the image on each node',
  InvalidImageName: 'this is not a name of an image: name another one with this command',
};

/** The operator, and the Jobs of the chart, which have the same image. */
const isOurs = ({ metadata }: Pod): boolean => /^tranche(-|$)/.test(metadata.labels?.['app.kubernetes.io/name'] ?? '');

/** Images that the kubelet cannot pull, each once. */
function checkImages({ metadata }: OperatorDeployment, pods: readonly Pod[]): Finding[] {
  const found = new Map<string, { reason: string; message: string; pods: string[] }>();
  for (const pod of pods.filter(isOurs)) {
    const { containers = [], initContainers = [] } = (pod.spec ?? {}) as ImagesOfPod;
    const { containerStatuses = [], initContainerStatuses = [] } = pod.status ?? {};
    for (const { name, state } of [...initContainerStatuses, ...containerStatuses]) {
      const { reason = '', message = '' } = state?.waiting ?? {};
      if (!Object.hasOwn(NO_IMAGE, reason)) continue;
      const image = [...initContainers, ...containers].find((one) => one.name === name)?.image ?? '?';
      const known = found.get(image);
      found.set(image, {
        reason,
        message: message || (known?.message ?? ''),
        pods: [...(known?.pods ?? []), pod.metadata.name],
      });
    }
  }
  const release = metadata.annotations?.['meta.helm.sh/release-name'] ?? metadata.name;
  return [...found].map(([image, { reason, message, pods: names }]) =>
    problem(
      `image ${image} cannot be pulled (${reason}${message === '' ? '' : `: ${cleaned(message)}`}), so ${names.length === 1 ? `Pod ${names[0]} does` : `${names.length} Pods of Tranche do`} not start: ${NO_IMAGE[reason]}`,
      `helm upgrade ${release} charts/tranche --namespace ${metadata.namespace} --reuse-values --set operator.image.repository=REGISTRY/tranche,operator.image.tag=TAG`,
    ),
  );
}

interface ImagesOfPod {
  readonly containers?: readonly { readonly name: string; readonly image?: string }[];
  readonly initContainers?: readonly { readonly name: string; readonly image?: string }[];
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
