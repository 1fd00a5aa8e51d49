// Checks what a page shows as YAML: manifests, and parts of ours, by the API server; values by the chart; what is not ours is read.
import assert from 'node:assert/strict';
import { parseAllDocuments, stringify } from 'yaml';
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

/** `applied`: a command of the page applies the file, so it need not be tried before. */
export async function checkYaml(block: Block, shell: PageShell, applied: boolean): Promise<void> {
  const documents = parseAllDocuments(block.text).map((document) => {
    assert.deepEqual(document.errors, [], `line ${block.line}`);
    return document.toJS() as Tree;
  });
  const [what] = block.info;
  if (what === 'part' || applied) return;
  if (what === 'values') return trySoon(shell, 'helm template tranche charts/tranche -f -', block.text);
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
  await trySoon(shell, 'kubectl apply --dry-run=server -f -', ours.map((object) => stringify(object)).join('---\n'));
}

/** Admission answers a limited number of questions of a namespace at once, and asks to try again. */
const ATTEMPTS = 20;

async function trySoon(shell: PageShell, command: string, input: string): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    const { code, stdout } = await shell.run(`${command} <<'END-OF-BLOCK'\n${input}\nEND-OF-BLOCK`);
    if (code === 0) return;
    assert.ok(attempt < ATTEMPTS && stdout.includes('try again in'), `${stdout}\n${input}`);
    await new Promise((resolve) => setTimeout(resolve, 1_000));
  }
}

function merge(whole: unknown, part: unknown): Tree {
  const both = { ...(whole as Tree) };
  for (const [key, value] of Object.entries(part as Tree))
    both[key] = isTree(value) && isTree(both[key]) ? merge(both[key], value) : value;
  return both;
}

const isTree = (value: unknown): value is Tree => typeof value === 'object' && value !== null && !Array.isArray(value);
