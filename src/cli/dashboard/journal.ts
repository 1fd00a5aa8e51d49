// The rows of the overview with the version of their last change, so that a stream that broke can continue instead of starting again.

export interface Since<Row> {
  readonly changed: readonly Row[];
  readonly gone: readonly string[];
}

const MAX_GONE = 1000;

export class Journal<Row extends { readonly key: string }> {
  /** Differs for each server: an id of another server says nothing about this one. */
  private readonly boot: string;
  private readonly rows = new Map<string, { readonly version: number; readonly row: Row; readonly text: string }>();
  /** Keys that are gone, the oldest first. */
  private readonly gone = new Map<string, number>();
  /** From an id before this version, deletions are not known any more. */
  private floor = 0;
  private version = 0;

  constructor(boot: string) {
    this.boot = boot;
  }

  /** Of the current state. */
  get id(): string {
    return `${this.boot}.${this.version}`;
  }

  /** Takes the whole list. Returns true if something differs from the last one. */
  replace(rows: readonly Row[]): boolean {
    const next = this.version + 1;
    let changed = false;
    const keys = new Set<string>();
    for (const row of rows) {
      keys.add(row.key);
      const text = JSON.stringify(row);
      if (this.rows.get(row.key)?.text === text) continue;
      this.rows.set(row.key, { version: next, row, text });
      this.gone.delete(row.key);
      changed = true;
    }
    for (const key of this.rows.keys()) {
      if (keys.has(key)) continue;
      this.rows.delete(key);
      this.gone.delete(key);
      this.gone.set(key, next);
      changed = true;
    }
    if (changed) this.version = next;
    for (const [key, version] of this.gone) {
      if (this.gone.size <= MAX_GONE) break;
      this.gone.delete(key);
      this.floor = version;
    }
    return changed;
  }

  /** What has changed since an id. Undefined if that is not known, so that the whole list is needed. */
  since(id: string): Since<Row> | undefined {
    const [boot, text = ''] = id.split('.');
    const version = Number(text);
    if (boot !== this.boot || !/^\d+$/.test(text) || version < this.floor || version > this.version) return undefined;
    return {
      changed: [...this.rows.values()].filter((one) => one.version > version).map(({ row }) => row),
      gone: [...this.gone].filter(([, at]) => at > version).map(([key]) => key),
    };
  }
}
