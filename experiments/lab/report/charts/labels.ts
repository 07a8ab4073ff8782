import { text_width } from '../style.ts';
import { text } from './scene.ts';

interface Box {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

const HALF_PX = 7;
const apart = (a: Box, b: Box): boolean =>
  a.left >= b.right || b.left >= a.right || a.top >= b.bottom || b.top >= a.bottom;

/** Words beside points: each where no other stands and within the plot; left out where there is no room. */
export class Labels {
  readonly nodes: SVGElement[] = [];
  readonly #taken: Box[] = [];
  readonly #plot: Box;

  constructor(plot: Box) {
    this.#plot = plot;
  }

  /** Nothing is written over this. */
  keep_free(x: number, y: number, radius: number): void {
    this.#taken.push({ left: x - radius, right: x + radius, top: y - radius, bottom: y + radius });
  }

  /** Right of the point, else left, above, below; above first where lines leave to its sides. */
  beside(x: number, y: number, words: string, above_first = false): void {
    const gap = 8;
    const width = text_width(words, 11);
    const beside = [
      [x + gap, y],
      [x - gap - width, y],
      [x - width / 2, y - gap - HALF_PX],
      [x - width / 2, y + gap + HALF_PX],
      [x + gap, y - gap - 2],
      [x - gap - width, y - gap - 2],
    ] as const;
    const above = [
      [x - width / 2, y - gap - HALF_PX],
      [x - width - 6, y - gap - 4],
      [x + 6, y - gap - 4],
      [x + 6, y + gap + 4],
    ] as const;
    this.#first(above_first ? [...above, ...beside] : beside, width, words);
  }

  /** Along a line that ends here: above it or below, the last letter at its end. */
  at_end(x: number, y: number, words: string): void {
    const width = text_width(words, 11);
    const places = [-9, 9, -22, 22].map((dy) => [x - width - 4, y + dy] as const);
    this.#first(places, width, words);
  }

  #first(places: readonly (readonly [number, number])[], width: number, words: string): void {
    for (const [left, y] of places) {
      const box = { left: left - 1, right: left + width + 1, top: y - HALF_PX, bottom: y + HALF_PX };
      const { left: l, right: r, top: t, bottom: b } = this.#plot;
      if (box.left < l || box.right > r || box.top < t || box.bottom > b) continue;
      if (!this.#taken.every((other) => apart(box, other))) continue;
      this.#taken.push(box);
      this.nodes.push(text(left, y, words, 'note', 'start'));
      return;
    }
  }
}
