// Stand-ins for OpenKruise's controllers: what they have in common. For tests only, written from the documented behaviour of OpenKruise.
import { createHash } from 'node:crypto';
import { canonicalTemplate } from '../../../src/engine/lib/template.ts';
import type { ControllerRevision, Pod, PodTemplate, Workload } from '../../../src/api/types.ts';

/** Any client of an API server. Rejects with an error that has a `code`. */
export type Request = (method: string, path: string, body?: object, type?: string) => Promise<unknown>;

/** The fields of a workload of OpenKruise that the stand-ins read. */
export interface Kruise extends Workload {
  readonly spec: Workload['spec'] & {
    readonly updateStrategy?: Strategy & { readonly type?: string; readonly rollingUpdate?: Strategy };
    readonly podManagementPolicy?: string;
    readonly reserveOrdinals?: readonly number[];
  };
  readonly status?: Workload['status'] & { readonly currentRevision?: string; readonly updateRevision?: string };
}
export interface Strategy {
  readonly partition?: number | string;
  readonly paused?: boolean;
  readonly maxUnavailable?: number | string;
  readonly maxSurge?: number | string;
  readonly podUpdatePolicy?: string;
  readonly unorderedUpdate?: object;
  readonly minReadySeconds?: number;
}

export const MERGE = 'application/merge-patch+json';
export const HASH = 'controller-revision-hash';

/** What a reconciliation works on. */
export interface Scene {
  readonly workload: Kruise;
  readonly pods: readonly Pod[];
  readonly revisions: readonly ControllerRevision[];
  readonly now: number;
  request: Request;
  /** A new name for a Pod. */
  suffix(): string;
}

const base = (scene: Scene): string => `/api/v1/namespaces/${scene.workload.metadata.namespace}/pods`;

export const ignoring =
  (...codes: number[]) =>
  (error: unknown): undefined => {
    const { code, status } = error as { code?: number; status?: { code?: number } };
    if (codes.includes(code ?? 0) || codes.includes(status?.code ?? 0)) return undefined;
    throw error;
  };

/** The ControllerRevision of the template, made if it is missing, and the newest one. */
export async function updateRevision({ workload, revisions, request }: Scene): Promise<ControllerRevision> {
  const { namespace, name } = workload.metadata;
  const path = `/apis/apps/v1/namespaces/${namespace}/controllerrevisions`;
  const wanted = canonicalTemplate(workload.spec.template);
  const latest = Math.max(0, ...revisions.map(({ revision }) => revision));
  const found = revisions.find((one) => canonicalTemplate(templateOf(one)) === wanted);
  if (found !== undefined) {
    if (found.revision === latest) return found;
    const number = { revision: latest + 1 };
    return (await request('PATCH', `${path}/${found.metadata.name}`, number, MERGE)) as ControllerRevision;
  }
  const hash = createHash('sha256').update(wanted).digest('hex').slice(0, 9);
  const body = {
    apiVersion: 'apps/v1',
    kind: 'ControllerRevision',
    metadata: {
      name: `${name}-${hash}`,
      namespace,
      labels: { ...workload.spec.template.metadata?.labels, [HASH]: hash },
      ownerReferences: [ownerOf(workload)],
    },
    revision: latest + 1,
    data: { spec: { template: { ...workload.spec.template, $patch: 'replace' } } },
  };
  return (await request('POST', path, body)) as ControllerRevision;
}

export const templateOf = ({ data }: ControllerRevision): PodTemplate => {
  const { $patch: _, ...template } = data?.spec?.template ?? {};
  return template;
};

const ownerOf = ({ apiVersion, kind, metadata }: Kruise): object => ({
  apiVersion,
  kind,
  name: metadata.name,
  uid: metadata.uid,
  controller: true,
  blockOwnerDeletion: true,
});

/** Only the Pods of a CloneSet have the second label. */
const labelsOf = ({ workload }: Scene, of: ControllerRevision, label: string): Record<string, string> => ({
  [HASH]: label,
  ...(workload.kind === 'CloneSet' && { 'pod-template-hash': shortOf(of.metadata.name) }),
});

export async function createPod(
  scene: Scene,
  of: ControllerRevision,
  name: string,
  more: { readonly label: string; readonly spec?: object },
): Promise<void> {
  const template = templateOf(of);
  const labels = { ...template.metadata?.labels, ...labelsOf(scene, of, more.label) };
  const metadata = { ...template.metadata, name, labels, ownerReferences: [ownerOf(scene.workload)] };
  const body = { apiVersion: 'v1', kind: 'Pod', metadata, spec: { ...template.spec, ...more.spec } };
  await scene.request('POST', base(scene), body).catch(ignoring(409));
}

export const deletePod = async (scene: Scene, { metadata }: Pod): Promise<void> => {
  const preconditions = { uid: metadata.uid };
  const body = { apiVersion: 'v1', kind: 'DeleteOptions', preconditions };
  await scene.request('DELETE', `${base(scene)}/${metadata.name}`, body).catch(ignoring(404, 409));
};

/** In place: the Pod keeps its uid, gets the images and the label, and is not ready until its containers have the images. */
export async function updateInPlace(scene: Scene, pod: Pod, to: ControllerRevision, label: string): Promise<void> {
  const path = `${base(scene)}/${pod.metadata.name}`;
  const { uid } = pod.metadata;
  await patchCondition(scene, pod, 'False');
  const wanted = (templateOf(to).spec?.['containers'] ?? []) as { name: string; image: string }[];
  const containers = wanted.map(({ name, image }) => ({ name, image }));
  const labels = labelsOf(scene, to, label);
  const updateTimestamp = new Date(scene.now).toISOString().replace(/\.\d+/, '');
  const annotations = { 'apps.kruise.io/inplace-update-state': JSON.stringify({ revision: label, updateTimestamp }) };
  const body = { metadata: { uid, labels, annotations }, spec: { containers } };
  await scene.request('PATCH', path, body, 'application/strategic-merge-patch+json').catch(ignoring(404, 409));
}

export async function endInPlace(scene: Scene, pod: Pod): Promise<void> {
  const condition = pod.status?.conditions?.find(({ type }) => type === 'InPlaceUpdateReady');
  if (condition?.status !== 'False') return;
  const { containers = [] } = (pod as { spec?: { containers?: { name: string; image: string }[] } }).spec ?? {};
  const running = (pod.status?.containerStatuses ?? []) as { name: string; image?: string; ready?: boolean }[];
  const done = containers.every(({ name, image }) => running.find((one) => one.name === name)?.image === image);
  if (done && running.every(({ ready }) => ready === true)) await patchCondition(scene, pod, 'True');
}

async function patchCondition(scene: Scene, pod: Pod, status: string): Promise<void> {
  const time = new Date(scene.now).toISOString().replace(/\.\d+/, '');
  const conditions = [{ type: 'InPlaceUpdateReady', status, lastTransitionTime: time }];
  const path = `${base(scene)}/${pod.metadata.name}/status`;
  const body = { metadata: { uid: pod.metadata.uid }, status: { conditions } };
  await scene.request('PATCH', path, body, 'application/strategic-merge-patch+json').catch(ignoring(404, 409));
}

/** Only the images differ, so the Pods can be updated in place. */
export function differsInImages(a: ControllerRevision, b: ControllerRevision): boolean {
  const bare = (one: ControllerRevision): string => {
    const template = structuredClone(templateOf(one)) as { spec?: { containers?: { image?: string }[] } };
    for (const container of template.spec?.containers ?? []) delete container.image;
    return canonicalTemplate(template as PodTemplate);
  };
  return bare(a) === bare(b);
}

export const shortOf = (name: string): string => name.slice(name.lastIndexOf('-') + 1);
export const isActive = ({ metadata, status }: Pod): boolean =>
  metadata.deletionTimestamp === undefined && status?.phase !== 'Failed' && status?.phase !== 'Succeeded';

export function isAvailable({ status }: Pod, minReadySeconds: number, now: number): boolean {
  const of = (type: string) => status?.conditions?.find((condition) => condition.type === type);
  const ready = of('Ready');
  if (ready?.status !== 'True' || of('InPlaceUpdateReady')?.status === 'False') return false;
  return Date.parse(ready.lastTransitionTime ?? '') + minReadySeconds * 1000 <= now;
}

/** A number, or a percentage of `whole`. */
export function scaled(value: number | string | undefined, whole: number, round: 'ceil' | 'floor'): number {
  if (typeof value !== 'string') return value ?? 0;
  return Math[round]((Number.parseInt(value, 10) * whole) / 100);
}

/** Writes the status if it differs. */
export async function writeStatus(scene: Scene, collection: string, status: object): Promise<void> {
  const { workload, request } = scene;
  const { namespace, name, uid } = workload.metadata;
  const next = { ...workload.status, ...status };
  if (JSON.stringify(next) === JSON.stringify(workload.status ?? {})) return;
  const path = `/apis/${workload.apiVersion}/namespaces/${namespace}/${collection}/${name}/status`;
  await request('PATCH', path, { metadata: { uid }, status: next }, MERGE).catch(ignoring(404, 409));
}
