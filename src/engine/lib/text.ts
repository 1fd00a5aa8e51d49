// Counts and namespaces in messages and commands.
import { argumentOf, DEPLOYMENTS, type Resource } from '../../api/resources.ts';
import type { KubeObject } from '../../api/types.ts';

/** `1 step`, `2 steps`. `many`: an irregular plural. */
export const plural = (count: number, one: string, many = `${one}s`): string => `${count} ${count === 1 ? one : many}`;

/** `1 Pod`, `2 Pods`. */
export const pods = (count: number): string => plural(count, 'Pod');

/** ` -n staging`, for a kubectl command. Empty for the namespace `default` and if the namespace is unknown. */
export const inNamespace = (namespace: string | undefined): string =>
  namespace && namespace !== 'default' ? ` -n ${namespace}` : '';

/** The flag for the namespace of an object. */
export const namespaceFlag = ({ metadata }: KubeObject): string => inNamespace(metadata.namespace);

/** A workload as an argument of `kubectl tranche`: `web` for a Deployment, `statefulset/db` for another kind. */
export const workloadArgument = (resource: Resource, name: string): string =>
  resource === DEPLOYMENTS ? name : `${argumentOf(resource)}/${name}`;

const MAX_LABEL = 63;

/** The name of an object as the value of a label: truncated to its length. */
export const labelValueOf = (name: string): string => name.slice(0, MAX_LABEL).replace(/[^a-z0-9]+$/, '');
