// The Services of the legs: copies of the user's Service that select one version. The user's Service is never written.
import { TRAFFIC } from '../../api/keys.ts';
import { isName, LABEL_NAME } from '../../api/names.ts';
import { ROLLOUTS, SERVICES } from '../../api/resources.ts';
import type { Service, ServiceSpec } from '../../api/traffic.ts';
import type { KubeObject, PodTemplate, Rollout } from '../../api/types.ts';
import type { Effect } from '../decision.ts';
import { sameJson } from '../lib/template.ts';
import { labelValueOf } from '../lib/text.ts';
import { show } from '../validate/violation.ts';
import { patchObject } from '../workload/effects.ts';
import { legName, legNames, MAX_SERVICE_NAME, type Leg } from './split.ts';

/** The label of the Pods of one version: of a Deployment, the pod-template-hash that Kubernetes has given its ReplicaSet. */
export interface VersionLabel {
  readonly key: string;
  readonly value: string;
}

/** Fields of the user's Service that a leg has too. Others are its own, such as the cluster IP, or are about a load balancer. */
const COPIED = [
  'sessionAffinity',
  'sessionAffinityConfig',
  'publishNotReadyAddresses',
  'internalTrafficPolicy',
  'trafficDistribution',
  'ipFamilyPolicy',
  'ipFamilies',
] as const;

/** Annotations of the user's Service that are about that object only: who manages it, its load balancer, its DNS name, its scraping. */
const NOT_COPIED =
  /^(kubectl\.kubernetes\.io|argocd\.argoproj\.io|meta\.helm\.sh|helm\.sh|kustomize\.toolkit\.fluxcd\.io|external-dns\.alpha\.kubernetes\.io|service\.(beta\.)?kubernetes\.io|endpoints\.kubernetes\.io|cloud\.google\.com|networking\.gke\.io|metallb\.(io|universe\.tf)|io\.cilium|prometheus\.io|tranche\.dev|rollouts\.kruise\.io)\//;
/** The one annotation of `service.kubernetes.io` that is about the endpoints. */
const TOPOLOGY = 'service.kubernetes.io/topology-mode';

/** The Service of a leg. */
export function legOf(service: Service, leg: Leg, { key, value }: VersionLabel, rollout: Rollout): Service {
  const { name, namespace, annotations = {} } = service.metadata;
  const copied = Object.entries(annotations).filter(([of]) => of === TOPOLOGY || !NOT_COPIED.test(of));
  return {
    apiVersion: SERVICES.apiVersion,
    kind: SERVICES.kind,
    metadata: {
      name: legName(name, leg),
      ...(namespace === undefined ? {} : { namespace }),
      labels: { [TRAFFIC]: labelValueOf(rollout.metadata.name) },
      ...(copied.length > 0 && { annotations: Object.fromEntries(copied) }),
      ownerReferences: [
        {
          apiVersion: ROLLOUTS.apiVersion,
          kind: ROLLOUTS.kind,
          name: rollout.metadata.name,
          uid: rollout.metadata.uid ?? '',
          controller: true,
        },
      ],
    },
    spec: specOf(service.spec, { key, value }),
  };
}

function specOf(spec: ServiceSpec, { key, value }: VersionLabel): ServiceSpec {
  return {
    type: spec.type === 'NodePort' ? 'NodePort' : 'ClusterIP',
    ...(spec.clusterIP === 'None' && { clusterIP: 'None' }),
    selector: { ...spec.selector, [key]: value },
    ports: (spec.ports ?? []).map(({ nodePort: _nodePort, ...port }) => port),
    ...Object.fromEntries(COPIED.filter((field) => spec[field] !== undefined).map((field) => [field, spec[field]])),
  };
}

/** True if the Rollout controls the object. Its label and its name prove nothing. */
export const isLegOf = ({ metadata }: KubeObject, rollout: Rollout): boolean =>
  (metadata.ownerReferences ?? []).some(
    ({ uid, controller }) => controller === true && uid !== '' && uid === rollout.metadata.uid,
  );

/** Why a Service cannot have legs, and what to do. Undefined if it can. */
export interface Obstacle {
  readonly reason: string;
  readonly remedy: string;
}

/** `template`: of the workload. `found`: the existing Services with the names of the legs. */
export function obstacleOf(
  service: Service,
  template: PodTemplate,
  rollout: Rollout,
  found: readonly Service[] = [],
): Obstacle | undefined {
  const { spec, metadata } = service;
  const selector = Object.entries(spec.selector ?? {});
  if (spec.type === 'ExternalName') return { reason: 'has type ExternalName, so it selects no Pods', remedy: ANOTHER };
  if (selector.length === 0) return { reason: 'has no selector, so it selects no Pods', remedy: ANOTHER };
  const labels = template.metadata?.labels ?? {};
  const other = selector.find(([key, value]) => labels[key] !== value);
  if (other !== undefined) {
    const reason = `selects Pods with label ${show(other.join('='))}, which the Pods of the workload do not have`;
    return { reason, remedy: ANOTHER };
  }
  const legs = legNames(metadata.name);
  if (![...legs].every((name) => isName(LABEL_NAME, name))) {
    const reason = `must have at most ${MAX_SERVICE_NAME} characters, because Services ${[...legs].join(' and ')} are created`;
    return { reason, remedy: 'use a Service with a shorter name' };
  }
  const foreign = found.find((one) => legs.has(one.metadata.name) && !isLegOf(one, rollout));
  if (foreign === undefined) return undefined;
  const reason = `needs the name ${foreign.metadata.name} for a Service of the release, and a Service of this name exists`;
  return { reason, remedy: `delete or rename Service ${foreign.metadata.name}` };
}

const ANOTHER = 'name a Service that selects the Pods of the workload';

/** Creates the leg, or makes the existing one select the version. Empty if it does. The caller makes sure that a leg of another version is idle. */
export function writeLeg(found: Service | undefined, wanted: Service): readonly Effect[] {
  if (found === undefined) return [{ kind: 'Create', why: 'service', resource: SERVICES, object: wanted }];
  const spec = differences(found.spec, wanted.spec);
  return patchObject('service', SERVICES, found, { labels: wanted.metadata.labels ?? {}, spec });
}

/** True if the leg selects this version. */
export const selects = ({ spec }: Service, { key, value }: VersionLabel): boolean => spec.selector?.[key] === value;

/** Deletes a leg that the Rollout controls. */
export const deleteLeg = (name: string, rollout: Rollout): Effect => ({
  kind: 'Delete',
  why: 'service',
  resource: SERVICES,
  name,
  owner: rollout,
});

/** Of a merge patch: the selector and the ports, if they differ. The other fields of a leg stay as they were created. */
function differences(found: ServiceSpec, wanted: ServiceSpec): Readonly<Record<string, unknown>> | undefined {
  const ports = (found.ports ?? []).map(({ nodePort: _nodePort, ...port }) => port);
  const gone = Object.keys(found.selector ?? {}).filter((key) => !Object.hasOwn(wanted.selector ?? {}, key));
  const patch = {
    ...(!sameJson(found.selector, wanted.selector) && {
      selector: { ...wanted.selector, ...Object.fromEntries(gone.map((key) => [key, null])) },
    }),
    ...(!sameJson(ports, wanted.ports) && { ports: wanted.ports }),
  };
  return Object.keys(patch).length > 0 ? patch : undefined;
}
