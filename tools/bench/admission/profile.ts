// Computes from a CPU profile of V8 in which parts the time of a request is spent. Pure.

interface Node {
  readonly id: number;
  readonly callFrame: { readonly functionName: string; readonly url: string };
  readonly children?: readonly number[];
}

export interface CpuProfile {
  readonly nodes: readonly Node[];
  readonly samples: readonly number[];
  /** Microseconds of each sample. */
  readonly timeDeltas: readonly number[];
}

export interface Share {
  readonly part: string;
  readonly share: number;
}

/** A sample belongs to the first part that matches any function of its call stack. */
const PARTS: readonly (readonly [part: string, frame: RegExp])[] = [
  ['none', /^\(idle\)|\/\.cache\/bench\/inside\.mjs/],
  ['collecting garbage', /^\(garbage collector\)/],
  ['log', /\/telemetry\/(logger|plain)\.js|\/winston/],
  ['count (metrics)', /\/telemetry\/metrics\.js|\/prom-client\//],
  ['talk with the API server, and the operator', /\/dist\/(kube\/client|operator\/|kube\/reflector|kube\/lease)/],
  ['policies', /\/engine\/(policy\/|admit\/outcomes)|\/schedule\/|\/croner|\/operator\/policies\.js/],
  ['compare and digest templates', /\/engine\/lib\/template\.js/],
  ['patch', /\/engine\/(admit\/(patch|marks)|workload\/deployment\/hold)\.js/],
  ['check shapes (ajv)', /^validate\d+|\/ajv\//],
  ['decide, and the words for it', /\/engine\/|\/admission\/webhooks\/workload\.js|\/kube\/store\.js/],
  ['parse', /\/admission\/json\.js|\/api\/nesting\.js|\/kube\/without-managed-fields\.js/],
  ['encode', /^writeReview |^stringify .*\/express\//],
];
/** The other samples belong to the innermost function that one of these matches. */
const REST: readonly (readonly [part: string, frame: RegExp])[] = [
  ['express, and reading the body', /\/node_modules\//],
  ['the webhook server', /\/admission\//],
  ['HTTP, TLS, the event loop', / node:/],
];

export function sharesOf({ nodes, samples, timeDeltas }: CpuProfile): Share[] {
  const parents = new Map(nodes.flatMap(({ id, children = [] }) => children.map((child) => [child, id] as const)));
  const frames = new Map(nodes.map(({ id, callFrame }) => [id, `${callFrame.functionName} ${callFrame.url}`]));
  const partOf = (leaf: number): string => {
    const stack: string[] = [];
    for (let id: number | undefined = leaf; id !== undefined; id = parents.get(id)) stack.push(frames.get(id)!);
    const found = PARTS.find(([, frame]) => stack.some((one) => frame.test(one)));
    if (found) return found[0];
    for (const one of stack) {
      const rest = REST.find(([, frame]) => frame.test(one));
      if (rest) return rest[0];
    }
    return 'HTTP, TLS, the event loop'; // Native code without a name.
  };
  const parts = new Map<number, string>();
  const times = new Map<string, number>();
  for (const [i, id] of samples.entries()) {
    if (!parts.has(id)) parts.set(id, partOf(id));
    const part = parts.get(id)!;
    if (part !== 'none') times.set(part, (times.get(part) ?? 0) + timeDeltas[i]!);
  }
  const all = [...times.values()].reduce((sum, time) => sum + time, 0);
  return [...times].map(([part, time]) => ({ part, share: time / all })).toSorted((a, b) => b.share - a.share);
}
