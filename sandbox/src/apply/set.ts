// Sets of fields as in managedFields: a trie with the edges `f:<name>`, `k:<keys>` and `v:<value>`.

/** The trie as JSON: `{"f:spec":{"f:replicas":{}}}`; "." is the field itself. */
export interface FieldsV1 {
  [edge: string]: FieldsV1;
}

export type Path = readonly string[];

export const fieldEdge = (name: string): string => `f:${name}`;
export const valueEdge = (value: unknown): string => `v:${JSON.stringify(value)}`;

/** Keys in alphabetical order, for comparing and printing. */
export function keyEdge(keys: Record<string, unknown>): string {
  const names = Object.keys(keys);
  if (names.length > 1) names.sort();
  return `k:{${names.map((name) => `${JSON.stringify(name)}:${JSON.stringify(keys[name])}`).join(',')}}`;
}

/** `.spec.containers[name="a"].image` */
export const pathText = (path: Path): string => path.map(edgeText).join('');

export function edgeText(edge: string): string {
  const content = edge.slice(2);
  if (edge.startsWith('f:')) return `.${content}`;
  if (edge.startsWith('v:')) return `[=${content}]`;
  const keys = JSON.parse(content) as Record<string, unknown>;
  return `[${Object.entries(keys)
    .map(([name, value]) => `${name}=${JSON.stringify(value)}`)
    .join(',')}]`;
}

function isEmpty(object: object): boolean {
  for (const _ in object) return false;
  return true;
}

/** Immutable. Operations return an existing set if it is the result. */
export class FieldSet {
  readonly members = new Set<string>();
  readonly children = new Map<string, FieldSet>();
  /** The JSON that the set was read from. An unchanged set does not need to be encoded again. */
  private source: FieldsV1 | undefined;

  static of(...paths: Path[]): FieldSet {
    const set = new FieldSet();
    for (const path of paths) set.insert(path);
    return set;
  }

  static parse(fields: FieldsV1): FieldSet {
    const set = new FieldSet();
    if (Object.isFrozen(fields) && !('.' in fields)) set.source = fields;
    for (const [edge, below] of Object.entries(fields)) {
      if (edge === '.') continue;
      const isMember = '.' in below;
      const isLeaf = isEmpty(below);
      if (isLeaf || isMember) set.members.add(edge);
      if (isLeaf) continue;
      const child = FieldSet.parse(below);
      if (!child.empty) set.children.set(edge, child);
    }
    return set;
  }

  toJSON(): FieldsV1 {
    if (this.source) return this.source;
    const fields: FieldsV1 = {};
    for (const edge of [...new Set([...this.members, ...this.children.keys()])].sort()) {
      const child = this.children.get(edge);
      const below = child?.toJSON();
      fields[edge] = below && this.members.has(edge) ? { '.': {}, ...below } : (below ?? {});
    }
    return fields;
  }

  get empty(): boolean {
    if (this.members.size) return false;
    for (const child of this.children.values()) if (!child.empty) return false;
    return true;
  }

  insert(path: Path): void {
    const [first, ...rest] = path;
    if (first === undefined) return;
    if (rest.length) this.descend(first).insert(rest);
    else this.members.add(first);
  }

  /** Returns the set below an edge. Creates it if it does not exist. */
  descend(edge: string): FieldSet {
    let child = this.children.get(edge);
    if (!child) {
      child = new FieldSet();
      this.children.set(edge, child);
    }
    return child;
  }

  union(other: FieldSet): FieldSet {
    const result = new FieldSet();
    for (const set of [this, other]) {
      for (const edge of set.members) result.members.add(edge);
      for (const [edge, child] of set.children) {
        const known = result.children.get(edge);
        result.children.set(edge, known ? known.union(child) : child);
      }
    }
    return result.is(other) ? other : result;
  }

  intersection(other: FieldSet): FieldSet {
    const result = new FieldSet();
    for (const edge of this.members) if (other.members.has(edge)) result.members.add(edge);
    for (const [edge, child] of this.children) {
      const match = other.children.get(edge);
      if (match) result.keep(edge, child.intersection(match));
    }
    return result;
  }

  /** The members of this set that the other does not have. */
  difference(other: FieldSet): FieldSet {
    if (other.empty) return this;
    const result = new FieldSet();
    for (const edge of this.members) if (!other.members.has(edge)) result.members.add(edge);
    for (const [edge, child] of this.children) {
      const match = other.children.get(edge);
      result.keep(edge, match ? child.difference(match) : child);
    }
    return result.is(this) ? this : result;
  }

  /** Like difference, but a member of the other set also removes all members below it. */
  recursiveDifference(other: FieldSet): FieldSet {
    const result = new FieldSet();
    for (const edge of this.members) if (!other.members.has(edge)) result.members.add(edge);
    for (const [edge, child] of this.children) {
      if (other.members.has(edge)) continue;
      const match = other.children.get(edge);
      result.keep(edge, match ? child.recursiveDifference(match) : child);
    }
    return result;
  }

  /** The members at or below these edges. */
  only(edges: string[]): FieldSet {
    const result = new FieldSet();
    for (const edge of edges) {
      if (this.members.has(edge)) result.members.add(edge);
      const child = this.children.get(edge);
      if (child) result.keep(edge, child);
    }
    return result;
  }

  has(path: Path): boolean {
    const [first, ...rest] = path;
    if (first === undefined) return false;
    return rest.length ? (this.children.get(first)?.has(rest) ?? false) : this.members.has(first);
  }

  /** All paths, in order. */
  *paths(prefix: Path = []): Generator<Path> {
    for (const edge of [...new Set([...this.members, ...this.children.keys()])].sort()) {
      if (this.members.has(edge)) yield [...prefix, edge];
      const child = this.children.get(edge);
      if (child) yield* child.paths([...prefix, edge]);
    }
  }

  /** Whether both sets have the same members and identical children. Expects that one of the sets contains the other. */
  private is(other: FieldSet): boolean {
    if (this.members.size !== other.members.size || this.children.size !== other.children.size) return false;
    for (const [edge, child] of this.children) if (other.children.get(edge) !== child) return false;
    return true;
  }

  private keep(edge: string, child: FieldSet): void {
    if (!child.empty) this.children.set(edge, child);
  }
}
