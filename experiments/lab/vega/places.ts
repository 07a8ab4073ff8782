import { text_width } from '../font.ts';
import type { Label, Spot } from './layers.ts';
import type { Room } from './page.ts';
import { SIZE } from './theme.ts';

interface Box {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

const meet = (a: Box, b: Box): boolean => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;

const around = ({ x, y }: Spot, width: number, height: number): Box => ({
  left: x - width / 2,
  right: x + width / 2,
  top: y - height / 2,
  bottom: y + height / 2,
});

/** Directions in which a label may stand from its point, the best first. */
const DIRECTIONS = [
  [1, 0],
  [1, -1],
  [0, -1],
  [-1, -1],
  [-1, 0],
  [-1, 1],
  [0, 1],
  [1, 1],
] as const;
/** Where there is no room near a point, its label crosses what it may before it goes far: far ones are taken for another's. */
const TRIES = [
  { distances: [8, 15], crosses: false },
  { distances: [8, 15], crosses: true },
  { distances: [24, 36], crosses: false },
  { distances: [24, 36], crosses: true },
] as const;
const LINE = SIZE.note + 3;

/**
 * Where the middles of labels go so that none meets another, a mark, or the edge of the plot; `lines` are places that they
 * keep off where they can. One for which there is no such place is left out: undefined.
 */
export function place_labels(
  labels: readonly Label[],
  marks: readonly Spot[],
  room: Room,
  lines: readonly Spot[] = [],
): (Spot | undefined)[] {
  const taken = marks.map((mark) => around(mark, 11, 11));
  const better_free = lines.map((spot) => around(spot, 3, 3));
  return labels.map(({ x, y, text }) => {
    const width = text_width(text, SIZE.note) + 4;
    for (const { distances, crosses } of TRIES) {
      if (crosses && lines.length === 0) continue;
      for (const distance of distances) {
        for (const [dx, dy] of DIRECTIONS) {
          const middle = { x: x + dx * (distance + width / 2), y: y + dy * (distance + (dx === 0 ? LINE / 2 : 0)) };
          const box = around(middle, width, LINE);
          const inside = box.left >= 2 && box.right <= room.width - 2 && box.top >= 2 && box.bottom <= room.height - 2;
          const meets = (other: Box) => meet(box, other);
          if (!inside || taken.some(meets) || (!crosses && better_free.some(meets))) continue;
          taken.push(box);
          return middle;
        }
      }
    }
    return undefined;
  });
}
