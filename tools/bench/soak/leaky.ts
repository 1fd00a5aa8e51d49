// A test process that leaks 100 kB per iteration if its argument is "leak", and prints its heap size after a garbage collection.
const { gc } = globalThis as { gc?: () => void };
const kept: number[][] = [];
const heap: number[] = [];
for (let i = 0; i < 30; i++) {
  const piece = Array.from({ length: 12_500 }, (_, n) => n + 0.5);
  if (process.argv[2] === 'leak') kept.push(piece);
  gc!();
  heap.push(process.memoryUsage().heapUsed);
}
process.stdout.write(JSON.stringify({ kept: kept.length, heap }));

export {};
