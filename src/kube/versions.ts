// Compares resourceVersions, which Kubernetes lets clients do (since 1.35 by contract): within one history of a cluster they only grow.

/** The first comes before the second. False where one of them is not a decimal number: then nothing is known. */
export function isOlder(version: string, other: string): boolean {
  if (!/^\d+$/.test(version) || !/^\d+$/.test(other)) return false;
  return version.length === other.length ? version < other : version.length < other.length;
}

/** The API server is behind what it has told us already: its storage was restored from a backup. */
export class WentBack extends Error {
  override readonly name = 'WentBack';

  constructor(now: string, seen: string) {
    super(`the API server went back in time, from resourceVersion ${seen} to ${now}; its objects are listed again`);
  }
}
