// What the client suites share: a Deployment to work on, and kubectl bound to a namespace of the suite's own.
import type { Context } from 'mocha';
import type { Result, RunOptions } from '../../support/processes.ts';
import type { Deployment } from '../../../src/api/types.ts';
import { makeNamespace, theCluster } from '../harness/session.ts';

export interface Workbench {
  readonly namespace: string;
  /** Runs kubectl in the namespace; fails the test when it fails. */
  kubectl(args: readonly string[], options?: RunOptions): Promise<string>;
  /** Runs kubectl in the namespace; its failure may be what is expected. */
  attempt(args: readonly string[], options?: RunOptions): Promise<Result>;
  helm(args: readonly string[], options?: RunOptions): Promise<string>;
  attemptHelm(args: readonly string[], options?: RunOptions): Promise<Result>;
  get<T = Deployment>(resource: string): Promise<T>;
}

/** These suites try the embedded cluster, not Tranche: on another cluster they are left out. */
export async function openWorkbench(suite: Context, name: string): Promise<Workbench> {
  const { client, embedded } = theCluster();
  if (!embedded) suite.skip();
  const namespace = await makeNamespace(name);
  const here = (args: readonly string[]) => [...args, '-n', namespace];
  return {
    namespace,
    kubectl: (args, options) => client.kubectl(here(args), options),
    attempt: (args, options) => client.attempt('kubectl', here(args), options),
    helm: (args, options) => client.helm(here(args), options),
    attemptHelm: (args, options) => client.attempt('helm', here(args), options),
    get: (resource) => client.json(here(['get', resource])),
  };
}

/** A Deployment as a person writes it. */
export const deploymentYaml = ({ name = 'web', replicas = 2, image = 'nginx:1', env = '' } = {}): string => `\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: ${name}
spec:
  replicas: ${replicas}
  selector:
    matchLabels: {app: ${name}}
  template:
    metadata:
      labels: {app: ${name}}
    spec:
      containers:
      - name: main
        image: ${image}
        ports:
        - containerPort: 80
${env && `        env:\n        - {name: COLOUR, value: ${env}}\n`}`;

/** The image of a Deployment's first container. */
export const imageOf = (deployment: Deployment): unknown => containerOf(deployment).image;

export function containerOf(deployment: Deployment): Record<string, unknown> {
  const [container] = deployment.spec.template.spec?.containers as Record<string, unknown>[];
  return container ?? {};
}
