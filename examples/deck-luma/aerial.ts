/** Map-like imagery of our own, drawn: fields, a river, roads and roofs. */

/** The same numbers at every visit. */
function numbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

export function drawAerial(side: number): OffscreenCanvas {
  const canvas = new OffscreenCanvas(side, side);
  const pen = canvas.getContext('2d') as OffscreenCanvasRenderingContext2D;
  const random = numbers(7);
  pen.scale(side / 256, side / 256);

  const field = 256 / 6;
  for (let y = 0; y < 6; y++) {
    for (let x = 0; x < 6; x++) {
      const green = 60 + 50 * random();
      pen.fillStyle = `hsl(${green} ${14 + 16 * random()}% ${34 + 16 * random()}%)`;
      pen.fillRect(x * field, y * field, field + 1, field + 1);
      pen.fillStyle = 'rgb(0 0 0 / 10%)';
      for (let row = 0; row < field; row += 3) {
        if ((x + y) % 2) pen.fillRect(x * field + row, y * field, 1, field);
        else pen.fillRect(x * field, y * field + row, field, 1);
      }
    }
  }
  const line = (color: string, width: number, points: readonly (readonly [number, number])[]) => {
    pen.strokeStyle = color;
    pen.lineWidth = width;
    pen.lineJoin = 'round';
    pen.beginPath();
    for (const [x, y] of points) pen.lineTo(x, y);
    pen.stroke();
  };
  const river = Array.from(
    { length: 40 },
    (_, i) => [i * 7 - 5, 190 + 24 * Math.sin(i / 4)] as const,
  );
  line('#7d8f6a', 20, river);
  line('#3d6478', 14, river);
  for (const at of [44, 128, 214]) {
    line('#d8d2c4', 5, [
      [at, 0],
      [at + 8, 256],
    ]);
    line('#8d8a84', 3.4, [
      [at, 0],
      [at + 8, 256],
    ]);
  }
  line('#d8d2c4', 6, [
    [0, 108],
    [256, 86],
  ]);
  line('#77756f', 4.4, [
    [0, 108],
    [256, 86],
  ]);
  line('#f2efe6', 0.5, [
    [0, 108],
    [256, 86],
  ]);

  for (let i = 0; i < 90; i++) {
    const [x, y] = [10 + 236 * random(), 10 + 140 * random()];
    const [width, height] = [5 + 7 * random(), 4 + 5 * random()];
    pen.save();
    pen.translate(x, y);
    pen.rotate(-0.09 + (random() > 0.5 ? Math.PI / 2 : 0));
    pen.fillStyle = 'rgb(0 0 0 / 35%)';
    pen.fillRect(1, 1.4, width, height);
    const hue = 10 + 20 * random();
    pen.fillStyle = `hsl(${hue} 45% 46%)`;
    pen.fillRect(0, 0, width, height / 2);
    pen.fillStyle = `hsl(${hue} 45% 34%)`;
    pen.fillRect(0, height / 2, width, height / 2);
    pen.restore();
  }
  for (let i = 0; i < 260; i++) {
    const [x, y, radius] = [256 * random(), 256 * random(), 0.8 + 1.6 * random()];
    pen.fillStyle = 'rgb(0 0 0 / 30%)';
    pen.beginPath();
    pen.arc(x + 0.8, y + 1, radius, 0, 7);
    pen.fill();
    pen.fillStyle = `hsl(${95 + 30 * random()} 35% ${20 + 14 * random()}%)`;
    pen.beginPath();
    pen.arc(x, y, radius, 0, 7);
    pen.fill();
  }
  return canvas;
}
