/**
 * The viewer draws layers, one over the other: the input, then what there is of the result. For a layer
 * each device pixel finds its place in the picture and filters the layer's texels itself, so that
 * textures need no mip levels, no sampler and no format that can be filtered, and a texture that is
 * still being filled is right at any moment.
 *
 *   enlarged   Catmull-Rom (bicubic, a = −0.5) over 4 × 4 texels, or squares
 *   reduced    the exact mean over the pixel's area; beyond MAX_READS² texels of every n-th texel
 *
 * Squares are the same mean over an area smaller than a texel: their edges come out smooth. Values are
 * filtered as they are stored. Outside the picture the canvas stays transparent: its background is CSS.
 */

/** Flags of a frame. */
export const SHOWS_BEFORE = 1;
export const SHARP_PIXELS = 2;
export const LENS_SHOWS_AFTER = 4;
/** Flags of a layer. */
export const IS_RESULT = 1;
export const IS_LINEAR = 2;

export const viewerShader = /* wgsl */ `
struct Frame {
  origin: vec2f,  // the picture's corner in its pane, device pixels
  size: vec2f,    // the picture's size there
  second: vec2f,  // where the second pane begins; 0 without one
  split: f32,     // the result shows from here on to the right
  flags: u32,
  lens: vec4f,    // middle, radius (0: none), magnification
}

struct Layer {
  corner: vec2f,  // as fractions of the picture
  size: vec2f,
  from_edge: vec2f,  // of what is drawn; outside where that ends with the layer
  to_edge: vec2f,
  flags: u32,
}

@group(0) @binding(0) var<uniform> frame: Frame;
@group(0) @binding(1) var<uniform> layer: Layer;
@group(0) @binding(2) var picture: texture_2d<f32>;

const SHOWS_BEFORE: u32 = ${SHOWS_BEFORE};
const SHARP_PIXELS: u32 = ${SHARP_PIXELS};
const LENS_SHOWS_AFTER: u32 = ${LENS_SHOWS_AFTER};
const IS_RESULT: u32 = ${IS_RESULT};
const IS_LINEAR: u32 = ${IS_LINEAR};
const MAX_READS: i32 = 16;

fn has(flag: u32) -> bool {
  return (frame.flags & flag) != 0;
}

@vertex
fn cover(@builtin(vertex_index) index: u32) -> @builtin(position) vec4f {
  return vec4f(f32(index & 1) * 4 - 1, f32(index >> 1) * 4 - 1, 0, 1);
}

fn texel(at: vec2i) -> vec4f {
  return textureLoad(picture, clamp(at, vec2i(0), vec2i(textureDimensions(picture)) - 1), 0);
}

/** Mean over a rectangle of texels around \`at\`. */
fn area(at: vec2f, footprint: vec2f) -> vec4f {
  let low = at - 0.5 * footprint;
  let high = at + 0.5 * footprint;
  let first = vec2i(floor(low));
  let last = max(vec2i(ceil(high)) - 1, first);
  let stride = (last - first + MAX_READS) / MAX_READS;
  var sum = vec4f(0);
  var weights = 0.0;
  for (var y = first.y; y <= last.y; y += stride.y) {
    let wy = min(f32(y + 1), high.y) - max(f32(y), low.y);
    for (var x = first.x; x <= last.x; x += stride.x) {
      let weight = wy * (min(f32(x + 1), high.x) - max(f32(x), low.x));
      sum += weight * texel(vec2i(x, y));
      weights += weight;
    }
  }
  return sum / weights;
}

/** Of the texels at -1, 0, 1 and 2 for a place t in [0, 1) between 0 and 1. */
fn catmull_rom_weights(t: f32) -> vec4f {
  return vec4f(
    ((-0.5 * t + 1) * t - 0.5) * t,
    (1.5 * t - 2.5) * t * t + 1,
    ((-1.5 * t + 2) * t + 0.5) * t,
    (0.5 * t - 0.5) * t * t,
  );
}

fn catmull_rom(at: vec2f) -> vec4f {
  let base = floor(at - 0.5);
  let t = at - 0.5 - base;
  let wx = catmull_rom_weights(t.x);
  let wy = catmull_rom_weights(t.y);
  var sum = vec4f(0);
  for (var y = 0; y < 4; y++) {
    for (var x = 0; x < 4; x++) {
      sum += wx[x] * wy[y] * texel(vec2i(base) + vec2i(x, y) - 1);
    }
  }
  return clamp(sum, vec4f(0), vec4f(1));
}

fn srgb(linear: vec3f) -> vec3f {
  let curve = 1.055 * pow(max(linear, vec3f(0)), vec3f(1 / 2.4)) - 0.055;
  return select(curve, 12.92 * linear, linear <= vec3f(0.0031308));
}

/** At \`at\` in [0, 1]² of the layer, for a device pixel of that size. */
fn filtered(at: vec2f, pixel: vec2f) -> vec4f {
  let texels = vec2f(textureDimensions(picture));
  let footprint = pixel * texels;
  var color: vec4f;
  // A little above 1: rounding must not choose the mean at 1:1.
  if (has(SHARP_PIXELS) || max(footprint.x, footprint.y) > 1.001) {
    color = area(at * texels, footprint);
  } else {
    color = catmull_rom(at * texels);
  }
  return select(color, vec4f(srgb(color.rgb), color.a), (layer.flags & IS_LINEAR) != 0);
}

@fragment
fn show(@builtin(position) position: vec4f) -> @location(0) vec4f {
  var at = position.xy;
  var shows_after = at.x >= frame.split;
  if (any(frame.second > vec2f(0))) {
    shows_after = all(at >= frame.second);
    at -= select(vec2f(0), frame.second, shows_after);
  }
  var magnification = 1.0;
  if (distance(position.xy, frame.lens.xy) < frame.lens.z) {
    shows_after = has(LENS_SHOWS_AFTER);
    magnification = frame.lens.w;
    at = frame.lens.xy + (at - frame.lens.xy) / magnification;
  }
  let is_result = (layer.flags & IS_RESULT) != 0;
  if (is_result && (has(SHOWS_BEFORE) || !shows_after)) {
    return vec4f(0);
  }
  // Of two that share a border each pixel is one's: the same numbers for both.
  if (any(at < frame.origin + layer.from_edge * frame.size) ||
      any(at >= frame.origin + layer.to_edge * frame.size)) {
    return vec4f(0);
  }
  let corner = frame.origin + layer.corner * frame.size;
  let size = layer.size * frame.size;
  // How much of the pixel the layer covers.
  let inside = clamp(min(at - corner, corner + size - at) * magnification + 0.5, vec2f(0), vec2f(1));
  let coverage = inside.x * inside.y;
  if (coverage == 0) {
    return vec4f(0);
  }
  let color = filtered((at - corner) / size, 1 / (size * magnification));
  return coverage * vec4f(color.rgb, select(1, color.a, is_result));
}
`;
