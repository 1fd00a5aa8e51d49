// Checks what a page shows as YAML: manifests, and parts of ours, by the API server; values by the chart; what is not ours is read.
import assert from 'node:assert/strict';
import { parseAllDocuments } from 'yaml';
import type { KubeObject } from '../../src/api/types.ts';
import type { Client } from '../e2e/harness/client.ts';
import { FOREIGN_GROUPS } from './listed.ts';
import type { Block } from './page.ts';
import type { PageShell } from './shell.ts';

type Tree = Record<string, unknown>;

const steps = [{ replicas: 1 }, { replicas: '100%' }];
const workloadRef = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'part' };

/** What stands around a part. */
const WHOLES: Readonly<Record<string, Tree>> = {
  Rollout: {
    apiVersion: 'rollouts.kruise.io/v1beta1',
    kind: 'Rollout',
    metadata: { name: 'part' },
    spec: { workloadRef, strategy: { canary: { steps } } },
  },
  RolloutV1alpha1: {
    apiVersion: 'rollouts.kruise.io/v1alpha1',
    kind: 'Rollout',
    metadata: { name: 'part', annotations: { 'rollouts.kruise.io/rolling-style': 'partition' } },
    spec: { objectRef: { workloadRef }, strategy: { canary: { steps } } },
  },
  ReleasePolicy: { apiVersion: 'tranche.dev/v1alpha1', kind: 'ReleasePolicy', metadata: { name: 'part' }, spec: {} },
  MetricSource: { apiVersion: 'tranche.dev/v1alpha1', kind: 'MetricSource', metadata: { name: 'part' }, spec: {} },
  Deployment: {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'part' },
    spec: {
      selector: { matchLabels: { app: 'part' } },
      template: {
        metadata: { labels: { app: 'part' } },
        spec: { containers: [{ name: 'part', image: 'registry.example/part:v1' }] },
      },
    },
  },
};

/** Where a page is tried out. */
export interface Place {
  readonly client: Client;
  readonly namespace: string;
  readonly shell: PageShell;
}

/** `applied`: a command of the page applies the file, so it need not be tried before. */
export async function checkYaml(block: Block, place: Place, applied: boolean): Promise<void> {
  const documents = parseAllDocuments(block.text).map((document) => {
    assert.deepEqual(document.errors, [], `line ${block.line}`);
    return document.toJS() as Tree;
  });
  const [what] = block.info;
  if (what === 'part' || applied) return;
  if (what === 'values') return tryValues(place.shell, block.text);
  const objects = documents.filter(Boolean).map((object) => {
    if (what === undefined) return object;
    const whole = WHOLES[what];
    assert.ok(whole, `line ${block.line}: a part of what? One of ${Object.keys(WHOLES).join(', ')}, values, part`);
    return merge(whole, object);
  });
  const ours = objects.filter(({ apiVersion }) => !FOREIGN_GROUPS.some((group) => group.test(String(apiVersion))));
  if (ours.length === 0) return;
  for (const { apiVersion, kind } of ours)
    assert.ok(
      apiVersion && kind,
      `line ${block.line}: not a manifest; say what it is a part of, e.g. \`\`\`yaml Rollout, or yaml part when it is not of Kubernetes`,
    );
  for (const object of ours) await tryOut(place, object as unknown as KubeObject);
}

async function tryValues(shell: PageShell, values: string): Promise<void> {
  const { code, stdout } = await shell.run(
    `helm template tranche charts/tranche -f - <<'END-OF-BLOCK'\n${values}\nEND-OF-BLOCK`,
  );
  assert.equal(code, 0, `${stdout}\n${values}`);
}

/** Admission answers a limited number of questions of a namespace at once, and asks to try again. */
const ATTEMPTS = 20;

/** As `kubectl apply --server-side --force-conflicts --dry-run=server` asks the API server, without a process for each object. */
async function tryOut({ client, namespace }: Place, object: KubeObject): Promise<void> {
  const { apiVersion, kind, metadata } = object;
  const group = `${apiVersion!.includes('/') ? '/apis' : '/api'}/${apiVersion}`;
  const resources = (await client.look<{ resources: Served[] }>(group))?.resources ?? [];
  const served = resources.find((one) => one.kind === kind && !one.name.includes('/'));
  assert.ok(served, `the API server does not have ${kind} of ${apiVersion}`);
  const within = served.namespaced ? `/namespaces/${metadata.namespace ?? namespace}` : '';
  const at = `${group}${within}/${served.name}/${metadata.name}?dryRun=All&fieldManager=docs&fieldValidation=Strict&force=true`;
  for (let attempt = 1; ; attempt++) {
    const { ok, text } = await client.apply(at, object);
    if (ok) return;
    assert.ok(attempt < ATTEMPTS && text.includes('try again in'), `${text}\n${JSON.stringify(object, null, 2)}`);
    await new Promise((resolve) => setTimeout(resolve, 1_000));
  }
}

/** Of the list of what an API server has. */
interface Served {
  readonly kind: string;
  readonly name: string;
  readonly namespaced: boolean;
}

function merge(whole: unknown, part: unknown): Tree {
  const both = { ...(whole as Tree) };
  for (const [key, value] of Object.entries(part as Tree))
    both[key] = isTree(value) && isTree(both[key]) ? merge(both[key], value) : value;
  return both;
}

const isTree = (value: unknown): value is Tree => typeof value === 'object' && value !== null && !Array.isArray(value);
