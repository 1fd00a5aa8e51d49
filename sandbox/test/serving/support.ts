// A cluster whose Pods serve, and what tests do with it.
import assert from 'node:assert/strict';
import { startSandbox, type Sandbox, type SandboxOptions } from '../../src/index.ts';
import type { Client, KubeObject } from '../../src/core/types.ts';

export const PODS = '/api/v1/namespaces/default/pods';

export class ServingCluster {
  readonly sandbox: Sandbox;
  readonly client: Client;

  private constructor(sandbox: Sandbox) {
    this.sandbox = sandbox;
    this.client = sandbox.cluster.client();
  }

  static async start(options: SandboxOptions = {}): Promise<ServingCluster> {
    return new ServingCluster(await startSandbox({ readyMs: 50, serve: true, ...options }));
  }

  create(name: string, image: string, spec: object = {}, container: object = {}): Promise<KubeObject> {
    return this.client.request('POST', PODS, {
      body: {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name, labels: { app: 'web' } },
        spec: { containers: [{ name: 'c', image, ports: [{ containerPort: 8080 }], ...container }], ...spec },
      },
    });
  }

  pod(name: string): KubeObject | undefined {
    return this.sandbox.cluster.store.get('/pods', 'default', name);
  }

  async ready(name: string): Promise<KubeObject> {
    await until(() => isReady(this.pod(name)), `Pod ${name} is Ready`);
    return this.pod(name)!;
  }

  close(): Promise<void> {
    return this.sandbox.close();
  }
}

export const isReady = (pod: KubeObject | undefined): boolean =>
  ((pod?.status?.conditions ?? []) as { type: string; status: string }[]).some(
    ({ type, status }) => type === 'Ready' && status === 'True',
  );

export async function until(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const end = Date.now() + 20_000;
  while (!(await condition())) {
    if (Date.now() > end) assert.fail(`not within 20 s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** One request on a connection of its own. */
export async function ask(pod: KubeObject, path = '/'): Promise<{ code: number; text: string }> {
  const response = await fetch(`http://${pod.status.podIP}:8080${path}`, { headers: { connection: 'close' } });
  return { code: response.status, text: await response.text() };
}
