/** f16, bf16 and f32 as bits, converted in integers: exact wherever a driver rounds or flushes. */

/** f32 bits → the nearest f16's, half to even, four at a time: weights/half.ts `roundToHalf`. */
export const HALF = `
fn half(bits: vec4u) -> vec4u {
  let m = bits & vec4u(0x7fffffffu);
  let rebased = m - vec4u(112u << 23u);
  let normal = (rebased + vec4u(0xfffu) + ((rebased >> vec4u(13u)) & vec4u(1u))) >> vec4u(13u);
  let shift = min(vec4u(126u) - min(m >> vec4u(23u), vec4u(112u)), vec4u(24u));
  let mantissa = (m & vec4u(0x7fffffu)) | vec4u(0x800000u);
  let tie = (vec4u(1u) << (shift - 1u)) - 1u + ((mantissa >> shift) & vec4u(1u));
  var h = select(normal, (mantissa + tie) >> shift, m < vec4u(0x38800000u));
  h = select(h, vec4u(0u), m < vec4u(0x33000000u));
  h = select(h, vec4u(0x7c00u), m >= vec4u(0x47800000u));
  h = select(h, vec4u(0x7e00u), m > vec4u(0x7f800000u));
  return ((bits >> vec4u(16u)) & vec4u(0x8000u)) | h;
}`;

/**
 * `single(i)`: f32 value of element i of `raw: array<u32>`, which begins 4·`params.offset` words in.
 * Subnormals are scaled, not reinterpreted.
 */
export const SINGLE = {
  F16: `fn single(i: u32) -> f32 {
  let h = raw[4u * params.offset + i / 2u] >> (16u * (i & 1u));
  let m = h & 0x7fffu;
  let normal = (m << 13u) + select(112u << 23u, 224u << 23u, m >= 0x7c00u);
  let magnitude = select(normal, bitcast<u32>(f32(m) * 0x1p-24f), m < 0x400u);
  return bitcast<f32>(((h & 0x8000u) << 16u) | magnitude);
}`,
  BF16: `fn single(i: u32) -> f32 {
  let v = raw[4u * params.offset + i / 2u];
  return bitcast<f32>(select(v << 16u, v & 0xffff0000u, (i & 1u) == 1u));
}`,
  F32: `fn single(i: u32) -> f32 { return bitcast<f32>(raw[4u * params.offset + i]); }`,
} as const;
