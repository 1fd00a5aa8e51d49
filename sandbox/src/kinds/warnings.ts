// Warnings about Pods and templates: accepted but suspicious values.

import type { PodSpec } from './native.ts';

/** Warnings about the spec of a Pod or template at `path`. */
export function podSpecWarnings(path: string, spec: PodSpec | undefined): string[] {
  const warnings: string[] = [];
  for (const kind of ['initContainers', 'containers'] as const) {
    for (const [i, container] of (spec?.[kind] ?? []).entries()) {
      const at = `${path}.${kind}[${i}]`;
      const names = new Set<string>();
      for (const [j, { name }] of (container.env ?? []).entries()) {
        if (names.has(name)) {
          warnings.push(
            `${at}.env[${j}]: hides previous definition of ${JSON.stringify(name)}, which may be dropped when using apply`,
          );
        }
        names.add(name);
      }
      const ports = new Map<string, number>();
      for (const [j, port] of (container.ports ?? []).entries()) {
        const key = [port.protocol, port.containerPort, port.hostPort, port.hostIP].join();
        const first = ports.get(key);
        if (first === undefined) ports.set(key, j);
        else warnings.push(`${at}.ports[${j}]: duplicate port definition with ${at}.ports[${first}]`);
      }
    }
  }
  return warnings;
}
