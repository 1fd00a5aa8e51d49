// The string formats that the API server checks in custom resources. It ignores all others.
import { isIP, isIPv4, isIPv6 } from 'node:net';
import type { Schema } from '../core/types.ts';

interface Format {
  test(value: string): boolean;
}

const HEX = '[0-9a-f]';
const uuid = (version: string, variant: string): RegExp =>
  new RegExp(`^${HEX}{8}-?${HEX}{4}-?${version}${HEX}{3}-?${variant}${HEX}{3}-?${HEX}{12}$`, 'i');
const LABEL = '[a-z0-9]([-a-z0-9]*[a-z0-9])?';
const DURATION =
  /^[-+]?(\d+(\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)((\d+(\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h))*$|^[-+]?0$/;
const WORDY_DURATION =
  /^\s*\d+\s*(ns|nanos?|nanoseconds?|us|µs|micros?|microseconds?|ms|millis?|milliseconds?|s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?|d|days?|w|weeks?)\s*$/;
const DATE = /^(\d{4})-(\d\d)-(\d\d)$/;

const isDate = (value: string): boolean =>
  DATE.test(value) && new Date(`${value}T00:00:00Z`).toISOString().startsWith(value);
const safely = (test: (value: string) => boolean): Format => ({
  test(value) {
    try {
      return test(value);
    } catch {
      return false;
    }
  },
});

const digits = (value: string): number[] => [...value.replace(/[- ]/g, '')].map((c) => (c === 'X' ? 10 : Number(c)));
const isbn10: Format = {
  test: (value) =>
    /^(\d[- ]?){9}[\dX]$/.test(value) && digits(value).reduce((sum, d, i) => sum + d * (10 - i), 0) % 11 === 0,
};
const isbn13: Format = {
  test: (value) =>
    /^(\d[- ]?){12}\d$/.test(value) && digits(value).reduce((sum, d, i) => sum + d * (i % 2 ? 3 : 1), 0) % 10 === 0,
};

/** By name, without dashes. */
const formats: Record<string, Format> = {
  bsonobjectid: new RegExp(`^${HEX}{24}$`, 'i'),
  uri: safely((value) => value.startsWith('/') || (/^[a-z][a-z0-9+.-]*:/i.test(value) && Boolean(new URL(value)))),
  email: /^[^\s@<>]+@[^\s@<>]+$|^[^<>@]*<[^\s@<>]+@[^\s@<>]+>$/,
  hostname:
    /^(?=.{1,255}$)[a-zA-Z0-9_]([-a-zA-Z0-9_]{0,61}[a-zA-Z0-9_])?(\.[a-zA-Z0-9_]([-a-zA-Z0-9_]{0,61}[a-zA-Z0-9_])?)*\.?$/,
  ipv4: { test: isIPv4 },
  ipv6: { test: isIPv6 },
  cidr: {
    test(value) {
      const [address = '', bits = ''] = value.split('/');
      const version = isIP(address);
      return version > 0 && /^\d+$/.test(bits) && Number(bits) <= (version === 4 ? 32 : 128);
    },
  },
  mac: /^[0-9a-f]{2}([:-])([0-9a-f]{2}\1){4}([0-9a-f]{2}|[0-9a-f]{2}(\1[0-9a-f]{2}){2})$|^([0-9a-f]{4}\.){2,3}[0-9a-f]{4}$/i,
  uuid: uuid(HEX, HEX),
  uuid3: uuid('3', HEX),
  uuid4: uuid('4', '[89ab]'),
  uuid5: uuid('5', '[89ab]'),
  isbn: { test: (value) => isbn10.test(value) || isbn13.test(value) },
  isbn10,
  isbn13,
  creditcard: {
    test(value) {
      const number = value.replace(/\D/g, '');
      return /^(?:4\d{12}(?:\d{3})?|5[1-5]\d{14}|6(?:011|5\d\d)\d{12}|3[47]\d{13}|3(?:0[0-5]|[68]\d)\d{11}|(?:2131|1800|35\d{3})\d{11})$/.test(
        number,
      );
    },
  },
  ssn: /^\d{3}[- ]?\d{2}[- ]?\d{4}$/,
  hexcolor: /^#?([0-9a-f]{3}|[0-9a-f]{6})$/i,
  rgbcolor: {
    test: (value) =>
      /^rgb\(\s*\d+\s*,\s*\d+\s*,\s*\d+\s*\)$/.test(value) &&
      (value.match(/\d+/g) ?? []).every((n) => Number(n) <= 255),
  },
  byte: /^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/,
  password: /^/,
  date: safely(isDate),
  duration: { test: (value) => DURATION.test(value) || WORDY_DURATION.test(value) },
  datetime: safely((value) => {
    const found = /^(\d{4}-\d\d-\d\d)[Tt ](\d\d):(\d\d):(\d\d)(\.\d+)?([Zz]|[+-]\d\d:\d\d)$/.exec(value);
    return (
      found !== null && isDate(found[1]!) && Number(found[2]) < 24 && Number(found[3]) < 60 && Number(found[4]) <= 60
    );
  }),
  k8sshortname: { test: (value) => value.length <= 63 && new RegExp(`^${LABEL}$`).test(value) },
  k8slongname: { test: (value) => value.length <= 253 && new RegExp(`^${LABEL}(\\.${LABEL})*$`).test(value) },
};

/** The format of a schema, if it is checked for the type. `string`: the function that checks strings. */
export function formatOf(schema: Schema): string | undefined;
export function formatOf(schema: Schema, of: 'string'): Format | undefined;
export function formatOf(schema: Schema, of?: 'string'): Format | string | undefined {
  const { format, type } = schema;
  if (!format) return undefined;
  if (type === undefined || type === 'string') {
    const known = formats[format.replaceAll('-', '')];
    return of ? known : known && format;
  }
  if (of) return undefined;
  if (type === 'integer') return format === 'int32' || format === 'int64' ? format : undefined;
  if (type === 'number') return format === 'float' || format === 'double' ? format : undefined;
  return undefined;
}
