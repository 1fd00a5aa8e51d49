// The Pods that a Service sends requests to, by its EndpointSlices.
import { MANAGED_BY, SERVICE_NAME } from '../../api/keys.ts';
import type { Endpoint, EndpointSlice, Service } from '../../api/traffic.ts';

/** What Kubernetes' controller of EndpointSlices writes in their label `endpointslice.kubernetes.io/managed-by`. */
export const SLICE_CONTROLLER = 'endpointslice-controller.k8s.io';

/** Kubernetes: an unknown `ready` counts as ready. A terminating Pod is going away, even if it is still ready (publishNotReadyAddresses). */
const isReady = ({ conditions }: Endpoint): boolean => conditions?.ready !== false && conditions?.terminating !== true;

/** A Pod has an endpoint in a slice of each address family. */
const idOf = ({ targetRef, addresses }: Endpoint): string => targetRef?.uid ?? targetRef?.name ?? addresses?.[0] ?? '';

/** True for a slice that Kubernetes' controller made for this Service. */
const isSliceOf = ({ metadata }: EndpointSlice, service: Service): boolean =>
  metadata.deletionTimestamp === undefined &&
  metadata.labels?.[SERVICE_NAME] === service.metadata.name &&
  metadata.labels[MANAGED_BY] === SLICE_CONTROLLER &&
  (metadata.ownerReferences ?? []).some(
    ({ kind, uid, controller }) => controller === true && kind === 'Service' && uid === service.metadata.uid,
  );

/**
 * The uids of the Pods that are ready endpoints of the Service. Who can forge the labels and the owner of a slice can send the Service's requests
 * anywhere, with or without Tranche. For a release, a forged slice makes a leg look ready too early, or too late, in its own namespace.
 */
export const readyEndpoints = (slices: readonly EndpointSlice[], service: Service): ReadonlySet<string> =>
  new Set(
    slices
      .filter((slice) => isSliceOf(slice, service))
      .flatMap(({ endpoints }) => endpoints ?? [])
      .filter(isReady)
      .map(idOf),
  );
