import assert from 'node:assert/strict';
import { Ajv } from 'ajv';
import { rolloutCrdSpec } from '../../src/api/schema/crd.ts';
import { KUBERNETES_KEYWORDS, type JsonSchema } from '../../src/api/schema/json-schema.ts';
import { rolloutV1alpha1, rolloutV1beta1 } from '../../src/api/schema/rollout.ts';
import type {
  Approval,
  CanaryStatus,
  CanaryStep,
  CanaryStrategy,
  Condition,
  HistoryEntry,
  RolloutSpec,
  RolloutStatus,
} from '../../src/api/types.ts';

/** Every name of a type: the compiler complains when one is missing here. */
type Names<T> = Readonly<Record<keyof T, true>>;

const status: Names<RolloutStatus> = {
  observedGeneration: true,
  phase: true,
  message: true,
  currentStepIndex: true,
  currentStepState: true,
  conditions: true,
  canaryStatus: true,
  history: true,
  completedVersions: true,
};
const canaryStatus: Names<CanaryStatus> = {
  observedWorkloadGeneration: true,
  observedRolloutID: true,
  rolloutHash: true,
  stableRevision: true,
  canaryRevision: true,
  podTemplateHash: true,
  canaryReplicas: true,
  canaryReadyReplicas: true,
  currentStepIndex: true,
  nextStepIndex: true,
  currentStepState: true,
  finalisingStep: true,
  message: true,
  lastUpdateTime: true,
  approvals: true,
  templateDigest: true,
  stableDigest: true,
  keepsReplicas: true,
  plan: true,
  planChanged: true,
  notBegun: true,
  releasedRolloutID: true,
  grantedReplicas: true,
  stepReplicas: true,
  undoTo: true,
  restores: true,
  analysis: true,
  traffic: true,
};
const condition: Names<Condition> = {
  type: true,
  status: true,
  reason: true,
  message: true,
  lastUpdateTime: true,
  lastTransitionTime: true,
};
const history: Names<HistoryEntry> = {
  rolloutID: true,
  revision: true,
  author: true,
  startTime: true,
  endTime: true,
  outcome: true,
  approvals: true,
  bypassed: true,
  brokenGlass: true,
  trace: true,
  steps: true,
  analysis: true,
};
const approval: Names<Approval> = {
  step: true,
  rolloutID: true,
  revision: true,
  user: true,
  time: true,
  plan: true,
  groups: true,
  past: true,
};
const spec: Names<RolloutSpec> = { workloadRef: true, disabled: true, strategy: true };
const canary: Names<CanaryStrategy> = {
  steps: true,
  failureThreshold: true,
  enableExtraWorkloadForCanary: true,
  trafficRoutings: true,
  trafficRoutingRef: true,
  stepDeadlineSeconds: true,
  onFailure: true,
  rollbackWindow: true,
  analysis: true,
};
const step: Names<CanaryStep> = {
  replicas: true,
  traffic: true,
  matches: true,
  requestHeaderModifier: true,
  pause: true,
  analysis: true,
};

/** The schema at a path such as `status.history[]`. */
const at = (schema: JsonSchema, path: string): JsonSchema =>
  path.split('.').reduce<JsonSchema>((node, part) => {
    const child = node.properties?.[part.replace('[]', '')];
    assert.ok(child, `${path}: no ${part}`);
    return part.endsWith('[]') ? (child.items ?? {}) : child;
  }, schema);

const walk = (schema: JsonSchema, visit: (node: JsonSchema, path: string) => void, path = ''): void => {
  visit(schema, path);
  for (const [name, child] of Object.entries(schema.properties ?? {})) walk(child, visit, `${path}.${name}`);
  if (schema.items) walk(schema.items, visit, `${path}[]`);
  if (schema.additionalProperties) walk(schema.additionalProperties, visit, `${path}.*`);
};

describe('the schemas of a Rollout', () => {
  const ours: Readonly<Record<string, object>> = {
    spec: spec,
    'spec.strategy.canary': canary,
    'spec.strategy.canary.steps[]': step,
    status: status,
    'status.canaryStatus': canaryStatus,
    'status.canaryStatus.approvals[]': approval,
    'status.conditions[]': condition,
    'status.history[]': history,
  };
  for (const [path, names] of Object.entries(ours)) {
    it(`have every field of ${path} that the program reads or writes: an API server drops what they lack`, () => {
      const known = Object.keys(at(rolloutV1beta1, path).properties ?? {});
      assert.deepEqual(
        Object.keys(names).filter((name) => !known.includes(name)),
        [],
      );
    });
  }

  for (const path of ['status.canaryStatus', 'status.history[]', 'status.conditions[]']) {
    it(`have the same ${path} in both versions`, () => {
      assert.deepEqual(at(rolloutV1alpha1, path), at(rolloutV1beta1, path));
    });
  }

  for (const [version, schema] of Object.entries({ rolloutV1alpha1, rolloutV1beta1 })) {
    it(`${version} is structural: every node has a type, and describes itself below the root`, () => {
      walk(schema, (node, path) => {
        const union = node['x-kubernetes-int-or-string'] === true;
        assert.ok(union ? node.type === undefined : node.type !== undefined, `${path}: type`);
        if (union)
          assert.deepEqual(
            node.anyOf,
            [{ type: 'integer' }, { type: 'string' }],
            `${path}: nothing else is allowed here`,
          );
        if (path.includes('.', 1) && !path.endsWith('.*')) assert.ok(node.description, `${path}: description`);
        if (node['x-kubernetes-list-type'] === 'map') {
          for (const key of node['x-kubernetes-list-map-keys'] ?? [])
            assert.ok(node.items?.required?.includes(key), `${path}: ${key}`);
        }
      });
    });

    it(`${version} bounds every list and text of the spec: what a rule may cost depends on it`, () => {
      walk(schema.properties?.['spec'] ?? {}, (node, path) => {
        if (node.type === 'array') assert.ok(node.maxItems !== undefined, `${path}: maxItems`);
      });
    });
  }

  it('compile with ajv', () => {
    const ajv = new Ajv({ strict: true, strictTypes: false, formats: { int32: true, int64: true, 'date-time': true } });
    ajv.addVocabulary([...KUBERNETES_KEYWORDS]);
    assert.ok(ajv.compile(rolloutV1beta1));
    assert.ok(ajv.compile(rolloutV1alpha1));
  });
});

describe('the CRD of a Rollout', () => {
  it('serves both versions and stores v1beta1, with a status of its own', () => {
    const versions = rolloutCrdSpec.versions as {
      name: string;
      served: boolean;
      storage: boolean;
      subresources: object;
    }[];
    assert.deepEqual(
      versions.map(({ name, served, storage, subresources }) => ({ name, served, storage, subresources })),
      [
        { name: 'v1beta1', served: true, storage: true, subresources: { status: {} } },
        { name: 'v1alpha1', served: true, storage: false, subresources: { status: {} } },
      ],
    );
  });

  it("prints OpenKruise's columns, and some more with -o wide, each from a field that is there", () => {
    const versions = rolloutCrdSpec.versions as {
      additionalPrinterColumns: { name: string; jsonPath: string; priority?: number }[];
      schema: { openAPIV3Schema: JsonSchema };
    }[];
    for (const { additionalPrinterColumns, schema } of versions) {
      const [narrow, wide] = [false, true].map((isWide) =>
        additionalPrinterColumns.filter(({ priority }) => (priority === 1) === isWide).map(({ name }) => name),
      );
      assert.deepEqual(narrow, ['STATUS', 'CANARY_STEP', 'CANARY_STATE', 'MESSAGE', 'AGE']);
      assert.deepEqual(wide, ['WORKLOAD', 'NEW_PODS', 'NEW_READY', 'RELEASE']);
      for (const { name, jsonPath } of additionalPrinterColumns)
        if (name !== 'AGE') at(schema.openAPIV3Schema, jsonPath.slice(1));
    }
  });
});
