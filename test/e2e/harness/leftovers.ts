// What a run leaves on a cluster outside its namespaces: objects of cluster scope, compared by name before and after.
import type { Client } from './client.ts';

/** They come and go by themselves. */
const OTHERS =
  /^(componentstatuses|nodes|certificatesigningrequests\.|csinodes\.|volumeattachments\.|resourceslices\.)/;

/** The names of all objects of cluster scope, e.g. `clusterrole.rbac.authorization.k8s.io/view`. */
export async function clusterObjects(client: Client): Promise<ReadonlySet<string>> {
  // The exit code is 1 if a single aggregated API does not answer.
  const { stdout } = await client.attempt('kubectl', [
    'api-resources',
    '--namespaced=false',
    '--verbs=list',
    '-o',
    'name',
  ]);
  const kinds = stdout.split('\n').filter((kind) => kind !== '' && !OTHERS.test(kind));
  const names = await client.kubectl(['get', kinds.join(','), '-o', 'name']);
  return new Set(names.split('\n').filter((name) => name !== ''));
}

/** What there is now and was not there before. Some objects go a moment after their owner, so it waits for them. */
export async function leftovers(client: Client, before: ReadonlySet<string>, withinSeconds = 60): Promise<string[]> {
  const deadline = Date.now() + withinSeconds * 1000;
  for (;;) {
    const left = [...(await clusterObjects(client))].filter((name) => !before.has(name));
    if (left.length === 0 || Date.now() > deadline) return left;
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
}
