// The chart as the real helm renders it.
import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { parseAllDocuments } from 'yaml';
import { run } from '../support/processes.ts';
import { findTool } from '../support/tools.ts';

export const chart = fileURLToPath(new URL('../../charts/tranche', import.meta.url));

export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels: Record<string, string>;
    readonly annotations?: Record<string, string>;
  };
  readonly spec?: Record<string, any>; // eslint-disable-line @typescript-eslint/no-explicit-any -- any kind's
  readonly data?: Record<string, string>;
  readonly rules?: readonly Rule[];
  readonly aggregationRule?: { readonly clusterRoleSelectors: readonly { matchLabels: Record<string, string> }[] };
  readonly roleRef?: { readonly kind: string; readonly name: string };
  readonly subjects?: readonly { readonly kind: string; readonly name: string }[];
  readonly webhooks?: readonly {
    readonly name: string;
    readonly clientConfig: ClientConfig;
    readonly namespaceSelector?: { readonly matchExpressions: readonly object[] };
  }[];
}

export interface Rule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
  readonly resourceNames?: readonly string[];
}

export interface ClientConfig {
  readonly url?: string;
  readonly service?: { readonly name: string; readonly namespace: string; readonly path: string };
}

export const helm = async (...args: string[]) => run(await findTool('helm'), args);

const rendered = new Map<string, Promise<Manifest[]>>();

/** Values as for `--set`. The same values are rendered once; what a test changes is its own. */
export async function render(...set: string[]): Promise<Manifest[]> {
  const key = JSON.stringify(set);
  if (!rendered.has(key)) rendered.set(key, renderOnce(set));
  return structuredClone(await rendered.get(key)!);
}

async function renderOnce(set: readonly string[]): Promise<Manifest[]> {
  const values = set.flatMap((value) => ['--set', value]);
  const { code, stdout, stderr } = await helm('template', 'tranche', chart, '-n', 'tranche-system', ...values);
  assert.equal(code, 0, stderr);
  return parseAllDocuments(stdout).flatMap((document) => {
    assert.deepEqual(document.errors, []);
    const manifest = document.toJS() as Manifest | null;
    return manifest ? [manifest] : [];
  });
}

export const named = (manifests: readonly Manifest[]): string[] =>
  manifests.map(({ kind, metadata }) => `${kind}/${metadata.name}`).toSorted();

export const find = (manifests: readonly Manifest[], kind: string, name = 'tranche'): Manifest => {
  const found = manifests.find((manifest) => manifest.kind === kind && manifest.metadata.name === name);
  assert.ok(found, `there is no ${kind} ${name} among ${named(manifests).join(', ')}`);
  return found;
};

/** The rules of a role, with those that Kubernetes adds to it. */
export const rulesOf = (manifests: readonly Manifest[], { rules = [], aggregationRule }: Manifest): readonly Rule[] =>
  aggregationRule === undefined
    ? rules
    : manifests
        .filter(({ kind, metadata }) =>
          aggregationRule.clusterRoleSelectors.some(
            ({ matchLabels }) =>
              kind === 'ClusterRole' &&
              Object.entries(matchLabels).every(([key, value]) => metadata.labels[key] === value),
          ),
        )
        .flatMap((found) => found.rules ?? []);
