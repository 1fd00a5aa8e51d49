// Texts of objects of the cluster, bounded and without control characters, and times.
import { formatTime, parseTime } from '../../engine/lib/time.ts';
import { harmless, oneLine } from '../plain-text.ts';
import type { Time } from './types.ts';

/** Longest texts, in characters. A name of Kubernetes has at most 253. */
export const LONGEST = { name: 253, word: 100, sentence: 500, message: 2000 } as const;

/** On one line, and at most `longest` characters. */
export const text = (value: string, longest: number = LONGEST.sentence): string =>
  cut(harmless(oneLine(cut(value, longest))), longest);

export const name = (value: string): string => text(value, LONGEST.name);

/** A line of a file. */
export const line = (value: string): string => cut(harmless(cut(value, LONGEST.sentence)), LONGEST.sentence);

/** Never cuts a character of two UTF-16 units apart. The API server gives well-formed texts, but a label of a metric may be anything. */
function cut(value: string, longest: number): string {
  if (value.length <= longest) return value.toWellFormed();
  return `${value
    .slice(0, longest - 1)
    .replace(/[\ud800-\udbff]$/, '')
    .toWellFormed()}…`;
}

/** `{ key: text }`, or nothing if the value is absent or empty. */
export const optional = <Key extends string>(
  key: Key,
  value: string | undefined,
  longest?: number,
): { readonly [K in Key]?: string } =>
  (value === undefined || value === '' ? {} : { [key]: text(value, longest) }) as { readonly [K in Key]?: string };

/** `{ key: time }`, or nothing if it is not a time. Milliseconds since the epoch, or RFC 3339. */
export function at<Key extends string>(key: Key, time: number | string | undefined): { readonly [K in Key]?: Time } {
  const ms = typeof time === 'string' ? parseTime(time) : time;
  return (ms === undefined || !Number.isFinite(ms) ? {} : { [key]: formatTime(ms) }) as { readonly [K in Key]?: Time };
}

/** The first items, and how many there are more. */
export const first = <T>(items: readonly T[], most: number): readonly T[] => items.slice(0, most);
