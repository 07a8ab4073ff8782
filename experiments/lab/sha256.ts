/** SHA-256 without waiting and without Node: keys and digests of results are the same in a browser. FIPS 180-4. */

const primes: number[] = [];
for (let n = 2; primes.length < 64; n++) if (primes.every((p) => n % p !== 0)) primes.push(n);
/** The first 32 bits of a root's fraction. A double holds them, since the roots are small. */
const fraction = (root: number): number => Math.floor((root - Math.floor(root)) * 2 ** 32);
const ROUND = Int32Array.from(primes, (p) => fraction(Math.cbrt(p)));
const START = Int32Array.from(primes.slice(0, 8), (p) => fraction(Math.sqrt(p)));

const BLOCK = 64;

export class Sha256 {
  readonly #state = START.slice();
  readonly #block = new Uint8Array(BLOCK);
  readonly #words = new Int32Array(64);
  #bytes = 0;

  /** A text counts as its UTF-8. */
  update(data: string | Uint8Array): this {
    const bytes = typeof data === 'string' ? new TextEncoder().encode(data) : data;
    let at = 0;
    while (at < bytes.length) {
      const used = this.#bytes % BLOCK;
      const taken = Math.min(BLOCK - used, bytes.length - at);
      this.#block.set(bytes.subarray(at, at + taken), used);
      this.#bytes += taken;
      at += taken;
      if (used + taken === BLOCK) this.#mix();
    }
    return this;
  }

  /** Ends it. */
  hex(): string {
    const bits = 8 * this.#bytes;
    const rest = (this.#bytes + 9) % BLOCK;
    const end = new Uint8Array(9 + (rest === 0 ? 0 : BLOCK - rest));
    end[0] = 0x80;
    const view = new DataView(end.buffer);
    view.setUint32(end.length - 8, Math.floor(bits / 2 ** 32));
    view.setUint32(end.length - 4, bits >>> 0);
    this.update(end);
    return Array.from(this.#state, (word) => (word >>> 0).toString(16).padStart(8, '0')).join('');
  }

  #mix(): void {
    const w = this.#words;
    const view = new DataView(this.#block.buffer);
    for (let i = 0; i < 16; i++) w[i] = view.getInt32(4 * i);
    for (let i = 16; i < 64; i++) {
      const x = w[i - 15] as number;
      const y = w[i - 2] as number;
      const s0 = turned(x, 7) ^ turned(x, 18) ^ (x >>> 3);
      const s1 = turned(y, 17) ^ turned(y, 19) ^ (y >>> 10);
      w[i] = (w[i - 16] as number) + s0 + (w[i - 7] as number) + s1;
    }
    const s = this.#state;
    let [a, b, c, d, e, f, g, h] = s as unknown as [number, number, number, number, number, number, number, number];
    for (let i = 0; i < 64; i++) {
      const s1 = turned(e, 6) ^ turned(e, 11) ^ turned(e, 25);
      const t1 = (h + s1 + ((e & f) ^ (~e & g)) + (ROUND[i] as number) + (w[i] as number)) | 0;
      const s0 = turned(a, 2) ^ turned(a, 13) ^ turned(a, 22);
      const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
      h = g;
      g = f;
      f = e;
      e = (d + t1) | 0;
      d = c;
      c = b;
      b = a;
      a = (t1 + t2) | 0;
    }
    for (const [i, x] of [a, b, c, d, e, f, g, h].entries()) s[i] = (s[i] as number) + x;
  }
}

const turned = (x: number, by: number): number => (x >>> by) | (x << (32 - by));

export const sha256_hex = (data: string | Uint8Array): string => new Sha256().update(data).hex();
