// Subresources of Pods: binding (for schedulers), eviction (with disruption budgets), log.
import { badRequest, conflict, internal, notFound, tooManyRequests } from './errors.ts';
import { collectionOf } from './resources.ts';
import { groupResource, isBytes, type Call, type Machinery, type Result } from './call.ts';
import { labelSelectorOf, matchesLabels } from './select.ts';
import { checkPreconditions, removeObject, type DeleteOptions } from './remove.ts';
import { readOptions } from './options.ts';
import { timestamp } from './names.ts';
import type { KubeObject } from './types.ts';

const PODS = '/pods';
const DISRUPTED = 'DisruptionTarget';
const BUDGETS = 'policy/poddisruptionbudgets';

const success = (code = 201): Result => ({
  kind: 'object',
  code,
  object: {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {} as KubeObject['metadata'],
    status: 'Success',
    code,
  },
});

function readObject(call: Call): KubeObject {
  if (!isBytes(call.body)) return (call.body ?? {}) as KubeObject;
  try {
    return JSON.parse(new TextDecoder().decode(call.body)) as KubeObject;
  } catch (error) {
    throw badRequest((error as Error).message);
  }
}

function livePod(m: Machinery, call: Call): KubeObject {
  const pod = m.store.get(PODS, call.info.namespace, call.info.name);
  if (!pod) throw notFound(groupResource(call.type), call.info.name);
  return pod;
}

/** Binds the Pod to a node. Refuses if it is already bound. */
export function bind(m: Machinery, call: Call): Result {
  const options = readOptions(call, 'CreateOptions');
  const binding = readObject(call);
  const node: unknown = binding.target?.name;
  for (;;) {
    const pod = livePod(m, call);
    const about = { group: '', resource: 'pods/binding' };
    if (pod.metadata.deletionTimestamp) {
      throw conflict(about, call.info.name, `pod ${call.info.name} is being deleted, cannot be assigned to a host`);
    }
    if (pod.spec.nodeName) {
      throw conflict(
        about,
        call.info.name,
        `pod ${call.info.name} is already assigned to node ${JSON.stringify(pod.spec.nodeName)}`,
      );
    }
    const scheduled = {
      type: 'PodScheduled',
      status: 'True',
      lastProbeTime: null,
      lastTransitionTime: timestamp(m.clock.now()),
    };
    const others = ((pod.status?.conditions ?? []) as { type: string }[]).filter(({ type }) => type !== 'PodScheduled');
    const next: KubeObject = {
      ...pod,
      spec: { ...pod.spec, nodeName: node },
      status: { ...pod.status, conditions: [...others, scheduled] },
    };
    if (options.dryRun || m.store.commit(collectionOf(call.type), pod, next)) return success();
  }
}

const TERMINAL = ['Succeeded', 'Failed'];
const isReady = (pod: KubeObject): boolean =>
  ((pod.status?.conditions ?? []) as { type: string; status: string }[]).some(
    ({ type, status }) => type === 'Ready' && status === 'True',
  );

/** Deletes the Pod if its disruption budget allows another disruption. */
export async function evict(m: Machinery, call: Call): Promise<Result> {
  const eviction = readObject(call);
  const name = eviction.metadata?.name;
  if (name && name !== call.info.name) throw badRequest('name in URL does not match name in Eviction object');
  const { kind: _, apiVersion: __, ...options } = (eviction.deleteOptions ?? {}) as DeleteOptions & Partial<KubeObject>;
  const dryRun = call.query.getAll('dryRun');
  if (dryRun.length) options.dryRun = dryRun;
  const pod = livePod(m, call);
  const unprotected =
    TERMINAL.includes(pod.status?.phase) ||
    pod.status?.phase === 'Pending' ||
    pod.metadata.deletionTimestamp !== undefined;
  if (!unprotected) spend(m, pod, Boolean(options.dryRun?.length));
  const marked = markDisrupted(m, call, options);
  await removeObject(m, { ...call, info: { ...call.info, verb: 'delete', subresource: '' } }, marked);
  return success();
}

/** Writes the reason into the Pod before it is deleted. With a precondition, the deletion then requires the Pod with the reason. */
function markDisrupted(m: Machinery, call: Call, options: DeleteOptions): DeleteOptions {
  for (;;) {
    const pod = livePod(m, call);
    const { preconditions } = options;
    checkPreconditions(call.type, pod, options);
    if (options.dryRun?.length) return options;
    const others = ((pod.status?.conditions ?? []) as { type: string }[]).filter(({ type }) => type !== DISRUPTED);
    const condition = {
      type: DISRUPTED,
      status: 'True',
      lastProbeTime: null,
      lastTransitionTime: timestamp(m.clock.now()),
      reason: 'EvictionByEvictionAPI',
      message: 'Eviction API: evicting',
    };
    const next: KubeObject = { ...pod, status: { ...pod.status, conditions: [...others, condition] } };
    const saved = m.store.commit(PODS, pod, next);
    if (!saved) continue;
    if (preconditions?.resourceVersion === undefined) return options;
    return { ...options, preconditions: { ...preconditions, resourceVersion: saved.metadata.resourceVersion! } };
  }
}

function spend(m: Machinery, pod: KubeObject, dryRun: boolean): void {
  const { name, namespace, labels } = pod.metadata;
  for (;;) {
    const budgets = m.store
      .list(BUDGETS, namespace)
      .filter(({ spec }) => spec.selector && matchesLabels(labelSelectorOf(spec.selector), labels));
    if (budgets.length === 0) return;
    if (budgets.length > 1) {
      throw internal(
        'This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.',
      );
    }
    const budget = budgets[0]!;
    const status = budget.status ?? {};
    if (!isReady(pod)) {
      if (budget.spec.unhealthyPodEvictionPolicy === 'AlwaysAllow') return;
      if (status.currentHealthy >= status.desiredHealthy && status.desiredHealthy > 0) return;
    }
    if ((status.observedGeneration ?? 0) < (budget.metadata.generation ?? 0)) {
      throw refused(`The disruption budget ${budget.metadata.name} is still being processed by the server.`, 10);
    }
    if ((status.disruptionsAllowed ?? 0) <= 0) {
      throw refused(
        `The disruption budget ${budget.metadata.name} needs ${status.desiredHealthy} healthy pods and has ${status.currentHealthy} currently`,
        0,
      );
    }
    if (dryRun) return;
    const next: KubeObject = {
      ...budget,
      status: {
        ...status,
        disruptionsAllowed: status.disruptionsAllowed - 1,
        disruptedPods: { ...status.disruptedPods, [name]: timestamp(m.clock.now()) },
      },
    };
    if (m.store.commit(BUDGETS, budget, next)) return;
  }
}

const refused = (message: string, retryAfterSeconds: number): Error =>
  tooManyRequests("Cannot evict pod as it would violate the pod's disruption budget.", retryAfterSeconds, [
    { reason: 'DisruptionBudget', message },
  ]);

/** Pods have no processes, so the log is one line per container that says so. */
export function log(m: Machinery, call: Call): Result {
  const pod = livePod(m, call);
  const containers = pod.spec.containers as { name: string; image: string }[];
  const asked = call.query.get('container');
  const chosen = asked ? containers.find(({ name }) => name === asked) : containers[0];
  if (!chosen) throw badRequest(`container ${asked} is not valid for pod ${call.info.name}`);
  return { kind: 'text', code: 200, text: `sandbox: ${chosen.image} would have written its log here\n` };
}
