/**
 * Philox4x32-10, a counter-based random generator: 128 random bits as a pure function of a 128-bit
 * counter and a 64-bit key, so that any element of a noise tensor can be made alone.
 * Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
 *
 * WGSL and TypeScript give the same bits.
 */

const ROUNDS = 10;
const MULTIPLIERS = [0xd251_1f53, 0xcd9e_8d57] as const;
/** Added to the key after each round. */
const WEYL = [0x9e37_79b9, 0xbb67_ae85] as const;

/** `fn philox(counter: vec4u, key: vec2u) -> vec4u`. */
export const PHILOX_WGSL = `/** The 64-bit product as (low, high), from products of 16-bit halves. */
fn wide_product(a: u32, b: u32) -> vec2u {
  let low = (a & 0xffffu) * (b & 0xffffu);
  let cross_a = (a >> 16u) * (b & 0xffffu);
  let cross_b = (a & 0xffffu) * (b >> 16u);
  let carry = (low >> 16u) + (cross_a & 0xffffu) + (cross_b & 0xffffu);
  let high = (a >> 16u) * (b >> 16u) + (cross_a >> 16u) + (cross_b >> 16u) + (carry >> 16u);
  return vec2u(a * b, high);
}

fn philox(counter: vec4u, key: vec2u) -> vec4u {
  var c = counter;
  var k = key;
  for (var round = 0; round < ${ROUNDS}; round++) {
    let p = wide_product(${MULTIPLIERS[0]}u, c.x);
    let q = wide_product(${MULTIPLIERS[1]}u, c.z);
    c = vec4u(q.y ^ c.y ^ k.x, q.x, p.y ^ c.w ^ k.y, p.x);
    k += vec2u(${WEYL[0]}u, ${WEYL[1]}u);
  }
  return c;
}`;

export type Counter = readonly [number, number, number, number];
export type Key = readonly [number, number];

/** High 32 bits of the product of two u32. */
function highProduct(a: number, b: number): number {
  const low = (a & 0xffff) * (b & 0xffff);
  const crossA = (a >>> 16) * (b & 0xffff);
  const crossB = (a & 0xffff) * (b >>> 16);
  const carry = Math.floor(low / 0x1_0000) + (crossA & 0xffff) + (crossB & 0xffff);
  return (a >>> 16) * (b >>> 16) + (crossA >>> 16) + (crossB >>> 16) + (carry >>> 16);
}

export function philox(counter: Counter, key: Key): Counter {
  let [a, b, c, d] = counter;
  let [k, l] = key;
  for (let round = 0; round < ROUNDS; round++) {
    [a, b, c, d] = [
      (highProduct(MULTIPLIERS[1], c) ^ b ^ k) >>> 0,
      Math.imul(MULTIPLIERS[1], c) >>> 0,
      (highProduct(MULTIPLIERS[0], a) ^ d ^ l) >>> 0,
      Math.imul(MULTIPLIERS[0], a) >>> 0,
    ];
    k = (k + WEYL[0]) >>> 0;
    l = (l + WEYL[1]) >>> 0;
  }
  return [a, b, c, d];
}
