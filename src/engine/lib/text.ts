// Counts and namespaces as parts of a sentence or of a command that a sentence names.
import type { KubeObject } from '../../api/types.ts';

/** `1 step`, `2 steps`; `many` is the plural where it is irregular. */
export const plural = (count: number, one: string, many = `${one}s`): string => `${count} ${count === 1 ? one : many}`;

/** `1 Pod`, `2 Pods`. */
export const pods = (count: number): string => plural(count, 'Pod');

/** ` -n staging`, to follow the name in a kubectl command; empty for the namespace `default`, and where none is known. */
export const inNamespace = (namespace: string | undefined): string =>
  namespace && namespace !== 'default' ? ` -n ${namespace}` : '';

/** The same for the namespace of an object. */
export const namespaceFlag = ({ metadata }: KubeObject): string => inNamespace(metadata.namespace);
