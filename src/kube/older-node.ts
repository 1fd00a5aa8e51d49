// Supplies what Node 20 lacks, so that the plugin and the emergency commands run on it. Node 22.15 and newer have all of it.
import workers from 'node:worker_threads';
import zlib from 'node:zlib';

/** The HTTP library of the Kubernetes client reads it when it is loaded, and uses it only for zstd, which API servers do not send. */
if (!('createZstdDecompress' in zlib)) {
  Object.assign(zlib, {
    createZstdDecompress(): never {
      throw new Error('this version of Node cannot decompress zstd');
    },
  });
}

/** It marks objects of the HTTP library that must not be sent to another thread. The program sends none. */
if (!('markAsUncloneable' in workers)) Object.assign(workers, { markAsUncloneable: () => undefined });

Promise.withResolvers ??= <T>() => {
  let resolve!: (value: T | PromiseLike<T>) => void;
  let reject!: (reason?: unknown) => void;
  const promise = new Promise<T>((onResolve, onReject) => ([resolve, reject] = [onResolve, onReject]));
  return { promise, resolve, reject };
};
