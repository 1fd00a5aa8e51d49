// How soon a change is decided on: what a release waits for at once, and what its controllers are still counting a little later, together.
import type { KubeObject, Pod } from '../api/types.ts';
import { sameJson } from '../engine/lib/template.ts';
import { readySince } from '../engine/workload/pods.ts';
import type { Change } from '../kube/reflector.ts';

/** Milliseconds. The first change causes a decision at once. Further changes within this time cause one decision. */
export const TOGETHER_MS = 15;
/** Milliseconds. Another change follows, which causes a decision sooner. */
export const LATER_MS = 250;

/** Of the changes of a Pod that starts or ends, only that it becomes Ready is waited for. */
export const delayOfPod = ({ type, object, old }: Change<Pod>): number =>
  type !== 'deleted' && isReady(object) && !(old && isReady(old)) ? 0 : LATER_MS;

const isReady = (pod: Pod): boolean => readySince(pod, Infinity) !== undefined;

/** The change is one of counts in the status: neither the object nor the generation that its controller has observed changed. */
export function isOfCounts({ object, old }: Change<Observed>): boolean {
  return (
    old !== undefined &&
    old.metadata.generation === object.metadata.generation &&
    old.status?.observedGeneration === object.status?.observedGeneration &&
    sameJson(metadataOf(old), metadataOf(object))
  );
}

type Observed = KubeObject & { readonly status?: { readonly observedGeneration?: number } };

/** Changes of the metadata do not change the generation. */
const metadataOf = ({ metadata }: KubeObject): object => ({ ...metadata, resourceVersion: undefined });
