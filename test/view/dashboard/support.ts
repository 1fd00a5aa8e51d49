// What the views of the dashboard are tested with: surroundings, a StatefulSet, and golden files of JSON.
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { ControllerRevision, Pod, Rollout, StatefulSet } from '../../../src/api/types.ts';
import { digest, sha256 } from '../../../src/kube/digest.ts';
import { createCalendar } from '../../../src/schedule/calendar.ts';
import type { Surroundings } from '../../../src/view/dashboard/detail.ts';
import { factsOf, type Facts } from '../../../src/view/facts.ts';
import { ago, NOW } from '../support.ts';

export const around = (more: Partial<Surroundings> = {}): Surroundings => ({
  now: NOW,
  policies: [],
  rollouts: [],
  plots: undefined,
  gaps: [],
  calendar: createCalendar(),
  digest,
  sha256,
  ...more,
});

const FOLDER = fileURLToPath(new URL('golden', import.meta.url));

/** Compares with test/view/dashboard/golden/NAME.json, after `clean` has changed the JSON. UPDATE_GOLDEN=1 writes the file instead. */
export function goldenView(name: string, view: unknown, clean: (text: string) => string = (text) => text): void {
  const file = `${FOLDER}/${name}.json`;
  const actual = `${pretty(JSON.parse(clean(JSON.stringify(view))))}\n`;
  if (process.env.UPDATE_GOLDEN) {
    mkdirSync(FOLDER, { recursive: true });
    writeFileSync(file, actual);
    return;
  }
  assert.equal(actual, readFileSync(file, 'utf8'), `${name}.json`);
}

const WIDTH = 120;

/** JSON with an object or list on one line if it fits, as prettier writes it. */
function pretty(value: unknown, indent = '', used = 0): string {
  const short = oneLine(value);
  const fits = indent.length + used + short.length < WIDTH;
  if (typeof value !== 'object' || value === null || (fits && !breaks(value))) return short;
  const inner = `${indent}  `;
  const isList = Array.isArray(value);
  const items = isList
    ? value.map((item) => `${inner}${pretty(item, inner)}`)
    : Object.entries(value).map(([key, item]) => `${inner}"${key}": ${pretty(item, inner, key.length + 4)}`);
  return `${isList ? '[' : '{'}\n${items.join(',\n')}\n${indent}${isList ? ']' : '}'}`;
}

/** A list of several objects with several fields has a line for each. */
const breaks = (value: object): boolean =>
  Array.isArray(value)
    ? value.some((item) => typeof item === 'object' && breaks(item as object)) ||
      (value.length > 1 && value.every((item) => typeof item === 'object' && Object.keys(item as object).length > 1))
    : Object.values(value).some((item) => typeof item === 'object' && item !== null && breaks(item as object));

function oneLine(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(oneLine).join(', ')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const fields = Object.entries(value).map(([key, item]) => `${JSON.stringify(key)}: ${oneLine(item)}`);
  return fields.length === 0 ? '{}' : `{ ${fields.join(', ')} }`;
}

// A StatefulSet -------------------------------------------------------------------------------------------------------

const template = (version: string): StatefulSet['spec']['template'] => ({
  metadata: { labels: { app: 'db' } },
  spec: { containers: [{ name: 'db', image: `db:${version}` }] },
});

export const statefulSet = (version: string, replicas: number, metadata: object = {}, partition = 0): StatefulSet => ({
  apiVersion: 'apps/v1',
  kind: 'StatefulSet',
  metadata: {
    name: 'db',
    namespace: 'shop',
    uid: 's',
    generation: 2,
    resourceVersion: '7',
    labels: { 'rollouts.kruise.io/rollout-id': 'r1' },
    ...metadata,
  },
  spec: {
    replicas,
    selector: { matchLabels: { app: 'db' } },
    template: template(version),
    updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition } },
  },
  status: { observedGeneration: 2, updateRevision: `db-${version}`, replicas, availableReplicas: replicas },
});

const owner = { apiVersion: 'apps/v1', kind: 'StatefulSet', name: 'db', uid: 's', controller: true };

export const revision = (version: string, number: number): ControllerRevision => ({
  apiVersion: 'apps/v1',
  kind: 'ControllerRevision',
  metadata: { name: `db-${version}`, namespace: 'shop', creationTimestamp: ago(600), ownerReferences: [owner] },
  revision: number,
  data: { spec: { template: template(version) } },
});

/** The Pod with this ordinal. `waits`: why it is not Ready. */
export const podOf = (version: string, ordinal: number, waits?: string): Pod =>
  ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: `db-${ordinal}`,
      namespace: 'shop',
      uid: `db-${ordinal}`,
      creationTimestamp: ago(120),
      labels: { app: 'db', 'controller-revision-hash': `db-${version}` },
      ownerReferences: [owner],
    },
    spec: { nodeName: `node-${ordinal}` },
    status: waits
      ? {
          phase: 'Pending',
          conditions: [{ type: 'Ready', status: 'False', lastTransitionTime: ago(100) }],
          containerStatuses: [{ name: 'db', ready: false, restartCount: 4, state: { waiting: { reason: waits } } }],
        }
      : { phase: 'Running', conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: ago(100) }] },
  }) as Pod;

export const statefulFacts = (
  rollout: Rollout,
  workload: StatefulSet,
  revisions: readonly ControllerRevision[],
  pods: readonly Pod[],
): Facts => factsOf(rollout, workload, { replicaSets: [], pods, revisions }, { now: NOW, digest });
