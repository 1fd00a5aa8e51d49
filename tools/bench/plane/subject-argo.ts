// Argo Rollouts, of a checkout with its built program. Its Rollout takes the place of a Deployment.
import { execFileSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { KubeObject } from '@tranche/sandbox/types';
import type { Resource } from '../../../src/api/resources.ts';
import { pathOf } from '../../../src/kube/path.ts';
import { freePort } from '../../../test/support/ports.ts';
import { objectsIn } from './apply.ts';
import { folderOf } from './choice.ts';
import { deployment, podTemplate, workloadOf, type Place } from './objects.ts';
import { startPeer } from './peer.ts';
import type { SeenRollout } from './releases.ts';
import type { Peer } from './subject.ts';

const NAMESPACE = 'argo-rollouts';
const ACCOUNT = 'argo-rollouts';
const PROGRAM = 'dist/rollouts-controller';
const MANIFEST = 'manifests/install.yaml';
const ROLLOUTS: Resource = { apiVersion: 'argoproj.io/v1alpha1', kind: 'Rollout', plural: 'rollouts' };

/** `value`: the variable ARGO. Throws ChoiceError. */
export function argo(value: string): Peer {
  const what = `a checkout of Argo Rollouts after make controller, with ${PROGRAM} and ${MANIFEST}`;
  const folder = folderOf('ARGO', value, [PROGRAM, MANIFEST], what);
  const program = path.join(folder, PROGRAM);
  return {
    name: `Argo Rollouts ${versionOf(program)}`,
    how: 'is its controller, built from source and installed with `manifests/install.yaml`: its flags, rights and limits of requests are the defaults. Its Rollout has the Pods itself: it has the same Pod template, `setWeight` 10 and 50, and the defaults of `maxSurge` and `maxUnavailable`. Its batches have the same sizes; in the first two, it deletes old Pods before it creates new ones. To enrol is to create the Rollouts, with their Pods.',
    own: { user: `system:serviceaccount:${NAMESPACE}:${ACCOUNT}`, name: 'argo-rollouts' },
    hasMainThread: false,
    ...{ rollouts: ROLLOUTS, rollout, seen: seenArgo },
    release: (place, version) => ({
      method: 'PATCH',
      path: pathOf(ROLLOUTS, place),
      // A custom resource has no strategic merge patch.
      contentType: 'application/merge-patch+json',
      body: { spec: { template: { spec: podTemplate(place.name, version).spec } } },
    }),
    async start(plane, api) {
      const [metricsPort, healthzPort] = await Promise.all([freePort(), freePort()]);
      return startPeer(plane, api, {
        ...{ name: 'argo-rollouts', namespace: NAMESPACE, account: ACCOUNT, container: 'argo-rollouts' },
        objects: objectsIn(await readFile(path.join(folder, MANIFEST), 'utf8')),
        ...{ program, env: { POD_NAMESPACE: NAMESPACE } },
        flags: (own) => [...own, `--metricsPort=${metricsPort}`, `--healthzPort=${healthzPort}`],
        ready: (output) => /Started controller/.test(output),
      });
    },
  };
}

/** What the program says, e.g. `v1.9.0` or `v1.9.0+unknown`. */
const versionOf = (program: string): string =>
  /\d+\.\d+\.\d+/.exec(execFileSync(program, ['--version'], { encoding: 'utf8' }))?.[0] ?? 'of an unknown version';

/** Steps of 1 and 5 of ten Pods; all Pods follow the last one. */
function rollout(place: Place, replicas: number): object {
  const { metadata, spec } = deployment(place, replicas);
  const strategy = { canary: { steps: [{ setWeight: 10 }, { setWeight: 50 }] } };
  return { apiVersion: ROLLOUTS.apiVersion, kind: ROLLOUTS.kind, metadata, spec: { ...spec, strategy } };
}

/** `currentStepIndex` counts from 0. What the status says of an earlier spec is left out. */
export function seenArgo({ metadata, status }: KubeObject): SeenRollout {
  const workload = workloadOf({ namespace: metadata.namespace!, name: metadata.name });
  const { observedGeneration, phase, currentStepIndex } = (status ?? {}) as {
    readonly observedGeneration?: string;
    readonly phase?: string;
    readonly currentStepIndex?: number;
  };
  if (observedGeneration !== String(metadata.generation)) return { workload };
  return { workload, phase, stepIndex: (currentStepIndex ?? 0) + 1 };
}
