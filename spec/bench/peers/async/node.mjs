// The same as spec/bench/async.lua in Node, with its own promises and timers. Run:
// node --expose-gc node.mjs [sleepers | echo]
import net from "node:net";

const cpu = () => { const u = process.cpuUsage(); return (u.user + u.system) / 1e6; };
const report = (name, number, unit) => console.log(`${name}\t${Number(number.toPrecision(4))}\t${unit}`);
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

async function measure(name, n, fn) {
  await fn(Math.floor(n / 10));
  let best = Infinity;
  for (let i = 0; i < 3; i++) {
    globalThis.gc?.();
    const start = cpu();
    await fn(n);
    best = Math.min(best, ((cpu() - start) / n) * 1e9);
  }
  report(name, best, "ns");
}

if (process.argv[2] === "echo") {
  const server = net.createServer({ noDelay: true }, (s) => {
    s.on("data", (bytes) => s.write(bytes));
    s.on("error", () => s.destroy());
  });
  server.listen(0, "127.0.0.1", () => console.log(server.address().port));
  process.stdin.on("data", () => console.log(cpu().toFixed(6)));
  process.stdin.on("end", () => process.exit(0));
  await new Promise(() => {});
}

// In a process of their own, so that the memory is not what others have left.
if (process.argv[2] === "sleepers") {
  const n = 100000;
  globalThis.gc?.();
  const before = process.memoryUsage.rss();
  let start = cpu();
  const all = [];
  for (let i = 0; i < n; i++) all.push((async () => { await sleep(1500); })());
  const created = cpu() - start, bytes = process.memoryUsage.rss() - before;
  start = cpu();
  await Promise.all(all);
  report("sleepers_create", (created / n) * 1e9, "ns");
  report("sleepers_fire", ((cpu() - start) / n) * 1e9, "ns");
  report("sleepers_bytes", bytes / n, "B");
  process.exit(0);
}
const nothing = async () => {};
await measure("spawn", 500000, (n) => { for (let i = 0; i < n; i++) nothing(); });
await measure("await_done", 1000000, async (n) => {
  const p = Promise.resolve(1);
  for (let i = 0; i < n; i++) await p;
});
// Through the loop: each step is a macrotask, as it is where a socket or a timer resumes.
await measure("suspend", 200000, async (n) => {
  for (let i = 0; i < n; i++) await new Promise((done) => setImmediate(done));
});
await measure("defer_chain", 200000, (n) => new Promise((done) => {
  let left = n;
  const again = () => (--left > 0 ? setImmediate(again) : done());
  setImmediate(again);
}));
await measure("defer_batch", 200000, async (n) => {
  for (let k = 0; k < n / 10000; k++) {
    for (let i = 0; i < 10000; i++) setImmediate(nothing);
    await new Promise((done) => setImmediate(done));
  }
});
{
  let best = Infinity;
  for (let k = 0; k < 2; k++) {
    globalThis.gc?.();
    let seed = 1n;
    const start = cpu();
    const all = [];
    for (let i = 0; i < 100000; i++) {
      seed = (seed * 1103515245n + 12345n) & 0x7fffffffn;
      all.push(sleep(Number(seed % 1000n)));
    }
    await Promise.all(all);
    best = Math.min(best, cpu() - start);
  }
  report("timers", best, "s");
}
await measure("all", 100000, async (n) => {
  const resolvers = [];
  const list = [];
  for (let i = 0; i < n; i++) list.push(new Promise((done) => resolvers.push(done)));
  setImmediate(() => { for (let i = 0; i < n; i++) resolvers[i](i); });
  await Promise.all(list);
});
