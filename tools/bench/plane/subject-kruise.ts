// OpenKruise Rollouts, of a checkout with its built program. It has the same API as Tranche.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { KubeObject } from '@tranche/sandbox/types';
import { freePort } from '../../../test/support/ports.ts';
import { run, temporaryFolder } from '../../../test/support/processes.ts';
import { findTool } from '../../../test/support/tools.ts';
import { objectsIn, reachable } from './apply.ts';
import { folderOf } from './choice.ts';
import { seenRollout } from './objects.ts';
import { startPeer } from './peer.ts';
import type { SeenRollout } from './releases.ts';
import { onDeployments } from './subject-tranche.ts';
import type { Peer } from './subject.ts';

const NAMESPACE = 'kruise-rollout';
const ACCOUNT = 'kruise-rollout-controller-manager';
const PROGRAM = 'bin/manager';
const MANIFESTS = 'config/default';

/** `value`: the variable KRUISE. Throws ChoiceError. */
export function kruise(value: string): Peer {
  const what = `a checkout of OpenKruise Rollouts after make build, with ${PROGRAM} and ${MANIFESTS}`;
  const folder = folderOf('KRUISE', value, [PROGRAM, MANIFESTS, 'CHANGELOG.md'], what);
  return {
    name: `OpenKruise Rollouts ${versionIn(readFileSync(path.join(folder, 'CHANGELOG.md'), 'utf8'))}`,
    how: 'is its manager, built from source and installed with `config/default`: its flags, except for leader election, and its rights are those of the manifests. Its Deployments and Rollouts are the same objects.',
    own: { user: `system:serviceaccount:${NAMESPACE}:${ACCOUNT}`, name: 'kruise-rollout' },
    hasMainThread: false,
    ...onDeployments,
    seen: seenKruise,
    async start(plane, api) {
      const port = await freePort();
      const rendered = await run(await findTool('kubectl'), ['kustomize', path.join(folder, MANIFESTS)]);
      if (rendered.code !== 0) throw new Error(`kubectl: ${rendered.stderr}`);
      return startPeer(plane, api, {
        ...{ name: 'kruise-rollout', namespace: NAMESPACE, account: ACCOUNT, container: 'manager' },
        objects: objectsIn(rendered.stdout).map((object) => reachable(object, port)),
        program: path.join(folder, PROGRAM),
        env: {
          POD_NAMESPACE: NAMESPACE,
          WEBHOOK_PORT: String(port),
          WEBHOOK_CERT_DIR: temporaryFolder('bench-kruise-certificates'),
        },
        flags: (own) => [
          // It finds the namespace of its Lease only inside of a cluster.
          ...own.filter((flag) => !/^--((metrics|health-probe)-bind-address=|leader-elect$)/.test(flag)),
          ...['--metrics-bind-address=0', '--health-probe-bind-address=0'],
        ],
        ready: (output) => /Starting workers/.test(output),
      });
    },
  };
}

/** The newest one. */
const versionIn = (changelog: string): string => /^## v(\S+)/m.exec(changelog)?.[1] ?? 'of an unknown version';

/** While a release is initialized, the step is that of the last release, which is left out. */
export function seenKruise(rollout: KubeObject): SeenRollout {
  const { workload, phase, ...step } = seenRollout(rollout);
  const conditions = (rollout.status?.conditions ?? []) as readonly { type: string; reason: string }[];
  const isOld = conditions.some(({ type, reason }) => type === 'Progressing' && reason === 'Initializing');
  return { workload, phase, ...(!isOld && step) };
}
