/** The viewer's own words, for those who bring none. */
import type { ViewerStrings } from './types.ts';

export const ENGLISH: ViewerStrings = {
  picture:
    'Picture. Arrow keys move it, plus and minus zoom, 0 shows all of it, 1 its real size. Hold Space to see the original.',
  before: 'Before',
  after: 'After',
  slider: 'Compare before and after',
  sliderValue: (percent) => `${percent} percent before`,
  lens: 'Lens, moved by arrow keys',
  region: ({ x, y, width, height }) =>
    `Selected: ${width} by ${height} pixels at ${x}, ${y}. Arrow keys move it.`,
  regionCorner: 'Corner of the selection. Arrow keys resize it.',
};
