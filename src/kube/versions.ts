// Compares resourceVersions. They only increase, unless a backup is restored. Kubernetes guarantees this since 1.35.

/** True if the first version is before the second one. False if one of them is not a decimal number. */
export function isOlder(version: string, other: string): boolean {
  if (!/^\d+$/.test(version) || !/^\d+$/.test(other)) return false;
  return version.length === other.length ? version < other : version.length < other.length;
}

/** The API server has an older version than it had before: its storage was restored from a backup. */
export class WentBack extends Error {
  override readonly name = 'WentBack';

  constructor(now: string, seen: string) {
    super(
      `the API server was restored from a backup: its resourceVersion went back from ${seen} to ${now}; the objects are listed again`,
    );
  }
}
